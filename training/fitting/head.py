"""Fit what reads a head from codes: a ridge regression on renders, and the rig's vertices at MediaPipe's landmarks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from core.errors import ConfigError
from core.geometry.camera import crop_tangent
from core.geometry.landmark_warp import LANDMARKS
from core.head.fit import front_weight
from core.head.rig import IDENTITY_MODES, HeadRig
from core.model.autoencoder import Autoencoder
from core.model.head_regression import HeadRegression
from training.data.expression_motion import mean_heads, mean_landmarks
from training.data.renders import RenderPack, read_shard, shade_and_composite
from training.rig.rig import Rig

RIDGE = 0.1
"""Of the regression, per render and standardized code."""
CHUNK = 32
"""Renders that are lit and encoded at once."""


def fit_regression(codes: Tensor, coefficients: Tensor, landmarks: Tensor) -> HeadRegression:
    """Ridge regression of the rig's coefficients.

    Args:
        codes: (N, code_size + albedo_code_size) depth and albedo codes.
        coefficients: (N, 157) identity coefficients and expression weights.
        landmarks: of `landmark_vertices`.
    """
    mean, spread = codes.mean(0), codes.std(0) + 1e-3
    inputs, target = (codes - mean) / spread, coefficients.mean(0)
    gram = inputs.T @ inputs + RIDGE * len(codes) * torch.eye(codes.shape[1])
    regressor = torch.linalg.solve(gram, inputs.T @ (coefficients - target)) / spread[:, None]
    people = coefficients[:, :IDENTITY_MODES]
    return HeadRegression(regressor, target - mean @ regressor, people.mean(0), people.std(0), landmarks)


@torch.inference_mode()
def encode_renders(autoencoder: Autoencoder, folder: str | Path, limit: int, seed: int) -> tuple[Tensor, Tensor]:
    """Codes (N, code_size + albedo_code_size) and coefficients (N, 157) of renders under random lights.

    Args:
        autoencoder: of the codes.
        folder: that `python -m training.render_pack` wrote, at the autoencoder's size.
        limit: number of renders, rounded up to chunks; 0: all.
        seed: of lights and backgrounds.

    Raises:
        ConfigError: no renders in the folder, or renders of another size.
    """
    size, generator = autoencoder.config.image_size, torch.Generator().manual_seed(seed)
    rows = []
    for part in _chunks(folder, limit, size):
        behind = F.interpolate(torch.rand(len(part["view"]), 3, 4, 4, generator=generator), (size, size),
                               mode="bilinear")
        image = shade_and_composite({key: part[key] for key in RenderPack.KEYS}, behind, generator).image
        codes = autoencoder.encode(image)
        rows.append((torch.cat([codes.depth_code, codes.albedo_code], 1),
                     torch.cat([part["identity"].float(), part["expression"].float()], 1)))
    codes, coefficients = (torch.cat(parts) for parts in zip(*rows, strict=True))
    return codes, coefficients


def _chunks(folder: str | Path, limit: int, size: int) -> Iterator[dict[str, Tensor]]:
    paths, done = sorted(Path(folder).glob("rig_*.npz")), 0
    if not paths:
        raise ConfigError(f"There are no renders in {folder}: run `python -m training.render_pack --out {folder}`.")
    for path in tqdm(paths, desc="renders", leave=False):
        stored = read_shard(path, (*RenderPack.KEYS, "identity"))
        if stored["mask"].shape[-1] != size:
            raise ConfigError(f"The renders in {folder} have another size than the model: run "
                              f"`python -m training.render_pack --size {size}`.")
        for start in range(0, len(stored["view"]), CHUNK):
            yield {key: array[start:start + CHUNK] for key, array in stored.items()}
            done += CHUNK
            if limit and done >= limit:
                return


def landmark_vertices(rig: Rig, shape: HeadRig, size: int) -> Tensor:
    """(478,) int32 vertex of the front that is nearest to each of MediaPipe's landmarks, on the mean head.

    Args:
        rig, shape: the rig.
        size: side of the autoencoder's images, pixels.
    """
    neutral = np.zeros(len(rig.expression_names), np.float32)
    points = np.mean([rig.canonical_vertices(person, neutral) for person in mean_heads(rig)], 0)
    places = torch.from_numpy(points[:, :2] / points[:, 2:]).float() / crop_tangent(size)
    places[torch.from_numpy(front_weight(shape) == 0)] = 10.0  # out of reach
    landmarks = mean_landmarks(rig, size)
    assert len(landmarks) == LANDMARKS
    return torch.cdist(landmarks, places).argmin(1).int()
