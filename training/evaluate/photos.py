"""Figures on photos of strangers, compared with what MediaPipe measured on them (never a training target)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.geometry import backproject, transform
from core.pipeline import LatentFace
from core.rasterizer import rasterize_depth
from core.types import View
from training.data import FacePack
from training.evaluate.metrics import correlation, explained_variance, masked_mean, pixel_pca, probe_r2
from training.evaluate.renders import features
from training.rig import FAR_DEPTH

YAW_BANDS = ((0, 8), (8, 25), (25, 60))
"""Degrees of |yaw|, for the figures of landmark depth."""
INNER = 0.7
"""Share of the landmarks, nearest first, that count as the inner face."""
LEAST_SPREAD = 0.05
"""Blendshapes that vary less over the photos are left out."""


def measure(model: LatentFace, folder: Path, head: Tensor | None, limit: int | None) -> dict[str, dict[str, float]]:
    """All figures of photos.

    Args:
        model: under test.
        folder: face pack with splits train and val, MediaPipe's pose in their csv files, val_landmarks.npz (in
            crop pixels) and *_blendshapes.npz.
        head: (H, W) mean canonical depth, the baseline of landmark depth; None to leave it out.
        limit: photos the blendshape probe learns from; None for all.

    Returns:
        For each figure the values of the model and, where there is one, of its baseline.
    """
    folder, size = Path(folder), model.config.image_size
    val = FacePack(folder, size, "val")
    with np.load(folder / "val_landmarks.npz") as arrays:
        landmarks = arrays["landmarks"].astype(np.float32)
    # In parts: the factors of all photos would take a gigabyte.
    parts = [_photo_values(model, val[slice(start, start + 256)]) for start in range(0, len(val), 256)]
    error, angles, depth, seen, codes = (torch.cat(column).numpy() for column in zip(*parts, strict=True))

    result = {"photo.l1": {"model": float(error.mean())}}
    for axis, name in enumerate(("pitch", "yaw")):
        r, slope = correlation(angles[:, axis], val.columns[f"{name}_deg"])
        result |= {f"photo.{name}": {"model": r}, f"photo.{name}_slope": {"model": slope}}
    yaw = np.abs(val.columns["yaw_deg"])
    ways = {"model": (depth, seen)} | ({} if head is None else {"baseline": _posed(head, val.columns)})
    for low, high in YAW_BANDS:
        band = (yaw >= low) & (yaw < high)
        result[f"photo.depth_{high}"] = {name: landmark_depth(z[band], mask[band], landmarks[band])
                                         for name, (z, mask) in ways.items()}
    return result | _blendshapes(model, folder, val.images, codes, limit)


def _photo_values(model: LatentFace, image: Tensor) -> tuple[Tensor, ...]:
    """L1 within the mask (B,), pose in degrees (B, 3), depth and mask in view (B, H, W), codes (B, 512)."""
    found = model.analyze(image).to("cpu")
    error = masked_mean((found.recon_image.clamp(0, 1) - image).abs(), found.recon_mask.expand_as(image))
    codes = torch.cat([found.codes.depth_code, found.codes.albedo_code], 1)
    return error, torch.rad2deg(found.view.rotation), found.recon_depth, found.recon_mask[:, 0] > 0.5, codes


def _posed(head: Tensor, columns) -> tuple[np.ndarray, np.ndarray]:
    """Depth and mask of the mean head at MediaPipe's pose; the crop has taken the roll out."""
    degrees = np.stack([columns["pitch_deg"], columns["yaw_deg"], np.zeros(len(columns["yaw_deg"]))], 1)
    rotation = torch.deg2rad(torch.from_numpy(degrees).float())
    parts = []
    for part in rotation.split(256):
        points = backproject(head.expand(len(part), -1, -1))
        parts.append(rasterize_depth(transform(points, View(part, torch.zeros(len(part), 2))), len(head)))
    depth, mask = (torch.cat(column).numpy() for column in zip(*parts, strict=True))
    return depth, mask


def landmark_depth(depth: np.ndarray, mask: np.ndarray, landmarks: np.ndarray, crop_size: int = 128) -> float:
    """Explained variance of the depth of the inner face's landmarks within faces; one scale for all faces.

    Args:
        depth: (B, H, W) in the photos' view.
        mask: (B, H, W) bool, where there is depth.
        landmarks: (B, N, 3) in pixels of the crop, integer pixel centres; z smaller is nearer.
        crop_size: side of that crop.
    """
    size = depth.shape[-1]
    # The crop's edges are pixel edges at every size (core.faces.align).
    x, y = np.moveaxis(np.rint((landmarks[..., :2] + 0.5) * (size / crop_size) - 0.5).astype(int), -1, 0)
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    rows = np.arange(len(depth))[:, None]
    x, y = x.clip(0, size - 1), y.clip(0, size - 1)
    values, z = depth[rows, y, x], landmarks[..., 2]
    inner = z <= np.quantile(z, INNER, axis=1, keepdims=True)
    on_face = mask[rows, y, x] & (values < FAR_DEPTH)
    return explained_variance(values, z, inner & inside & on_face)


def _blendshapes(model: LatentFace, folder: Path, val: Tensor, codes: np.ndarray, limit: int | None) -> dict:
    """How well a linear probe reads MediaPipe's blendshapes, trained on photos of other people."""
    train = FacePack(folder, model.config.image_size, "train", limit).images
    scores = []
    for split, count in (("train", len(train)), ("val", None)):
        with np.load(folder / f"{split}_blendshapes.npz") as arrays:
            scores.append(arrays["scores"][:count].astype(np.float64))
    shown = scores[1].std(0) > LEAST_SPREAD
    ways = {"model": (features(model, train), codes),
            "baseline": pixel_pca(train, val, size=32, components=512)}
    return {"photo.blendshapes": {name: probe_r2(rows, scores[0][:, shown], test, scores[1][:, shown])
                                  for name, (rows, test) in ways.items()}}
