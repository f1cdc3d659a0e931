"""Figures of the fine stage beside the enlarged maps of the autoencoder that it stands on.

Each function gives, for each figure, values by column: "coarse", "fine" and, where there is one, "photo".
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from core.errors import ConfigError
from core.model.autoencoder import Autoencoder
from core.model.fine import FineStage
from core.model.networks import channels_last
from core.types import Factors, View
from training.data.face_pack import FacePack
from training.data.fine_batches import as_crop
from training.evaluate.metrics import erode, landmark_hull, light_in_albedo, mad, masked_mean, side, ssim
from training.evaluate.protocols.frontalization import faces_under_lights, seen_points
from training.evaluate.renders import EROSION, NECK_DEPTH
from training.rig.rig import FAR_DEPTH

VALIDATED = 96
"""Renders that a training is measured on as it goes."""
PART = 16
"""Photos that are analysed at once."""

Figures = dict[str, dict[str, float]]


@torch.no_grad()
def analyze(autoencoder: Autoencoder, model: FineStage, photos: Tensor) -> Iterator[dict[str, Factors]]:
    """Factors of photos (N, 3, H, W), `PART` at a time: "coarse", enlarged by an untrained stage, and "fine"."""
    stages = {"coarse": channels_last(FineStage(model.config)), "fine": model}
    for part in photos.split(PART):
        found = autoencoder(F.interpolate(part, [model.config.coarse_size] * 2, mode="area"))
        yield {name: stage(found, part) for name, stage in stages.items()}


def renders(autoencoder: Autoencoder, model: FineStage, path: Path, limit: int | None = None) -> Figures:
    """Depth and albedo of renders of held-out people (training.render_validation) against the truth.

    Raises:
        ConfigError: the renders have another size than the fine stage.
    """
    with np.load(path) as arrays:
        truth = {key: torch.from_numpy(arrays[key][:limit]) for key in ("im", "cd", "cm", "ca", "zin", "view")}
    image, size = truth["im"].movedim(-1, 1).float() / 255, model.config.image_size
    if image.shape[-1] != size:
        raise ConfigError(f"{path} holds renders of {image.shape[-1]} px: run `python -m training.render_validation "
                          f"--size {size}`.")
    photos = as_crop(image, model.config.coarse_size).clamp(0, 1)
    depth, albedo = truth["cd"].float(), truth["ca"].movedim(-1, 1).float() / 255
    face, head = erode(truth["cm"] & (depth < NECK_DEPTH), EROSION), erode(truth["cm"], EROSION)
    visible = seen_points(depth, truth["zin"].float(), View(truth["view"][:, :3], truth["view"][:, 3:]))
    maps: dict[str, list] = {}
    for found in analyze(autoencoder, model, photos):
        for name, factors in found.items():
            maps.setdefault(name, []).append((factors.canon_depth, factors.canon_albedo))
    result: Figures = {}
    for name, parts in maps.items():
        found_depth, found_albedo = map(torch.cat, zip(*parts, strict=True))
        found_depth = found_depth.clamp(max=FAR_DEPTH)
        seen, hidden = _albedo_errors(found_albedo, albedo, head, visible)
        values = {"mad": mad(found_depth, depth, face), "side": side(found_depth, depth, face),
                  "albedo_seen": seen, "albedo_hidden": hidden}
        for key, value in values.items():
            result.setdefault(f"fine.{key}", {})[name] = value
    return result


def _albedo_errors(albedo: Tensor, truth: Tensor, head: Tensor, visible: Tensor) -> tuple[float, float]:
    """L1 of albedo (B, 3, H, W) where the photo shows the head and where not, up to one gain for the whole head."""
    where = head[:, None].expand_as(truth)
    gain = masked_mean(albedo * truth, where) / masked_mean(albedo**2, where)
    error = (gain[:, None, None, None] * albedo - truth).abs().mean(1)
    seen, hidden = (masked_mean(error, head & part).nanmean().item() for part in (visible, ~visible))
    return seen, hidden


def photos(autoencoder: Autoencoder, model: FineStage, folder: Path, limit: int | None = None) -> Figures:
    """Reconstruction of the photos of a face pack's split val within the hull of their landmarks."""
    pack, size = FacePack(folder, model.config.image_size, "val", limit), model.config.image_size
    with np.load(Path(folder) / "val_landmarks.npz") as arrays:
        landmarks = arrays["landmarks"][:len(pack), :, :2].astype(float)
    hull = landmark_hull(landmarks, size)
    parts: dict[str, list] = {}
    for found, inside in zip(tqdm(analyze(autoencoder, model, pack[:]), total=-(-len(pack) // PART), leave=False),
                             hull.split(PART), strict=True):
        for name, factors in found.items():
            parts.setdefault(name, []).append(_against(factors, inside))
    result: Figures = {}
    for name, rows in parts.items():
        for key, values in zip(("l1", "ssim", "gradient"), zip(*rows, strict=True), strict=True):
            result.setdefault(f"fine.{key}", {})[name] = torch.cat(values).mean().item()
    return result


def _against(found: Factors, inside: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """L1, SSIM and L1 of gradients (B,) of reconstructions in masks (B, 1, H, W)."""
    recon = found.recon_image.clamp(0, 1)
    error, where = recon - found.image, inside.expand_as(recon)
    slope = F.pad(error[..., 1:] - error[..., :-1], (0, 1)).abs() + F.pad(error[..., 1:, :] - error[..., :-1, :],
                                                                          (0, 0, 0, 1)).abs()
    return masked_mean(error.abs(), where), ssim(recon, found.image, inside), masked_mean(slope, where)


def lamps(autoencoder: Autoencoder, model: FineStage, people: int) -> Figures:
    """How much the albedo of a frontal face changes with the light, beside how much it differs between faces."""
    images, face = faces_under_lights(people, model.config.image_size, 2 * EROSION)
    crops = as_crop(images, model.config.coarse_size).clamp(0, 1)
    maps: dict[str, list] = {"photo": [images]}
    for found in analyze(autoencoder, model, crops):
        for name, factors in found.items():
            maps.setdefault(name, []).append(factors.canon_albedo)
    result: Figures = {}
    for name, parts in maps.items():
        for key, value in light_in_albedo(torch.cat(parts), face).items():
            result.setdefault(f"fine.{key}", {})[name] = value
    return result
