"""Figures on renders of people the model never saw, whose geometry, light and identity are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConfigError
from core.geometry.camera import backproject, inverse_transform, transform
from core.geometry.rasterizer import rasterize_depth
from core.geometry.shading import shade
from core.pipeline import LatentFace
from core.types import Factors, View, light_direction
from training.data.renders import random_background, random_light, sensor_noise
from training.evaluate.measurement import Measurement, Rows
from training.evaluate.metrics import (
    albedo_error,
    angles,
    erode,
    mad,
    mads,
    masked_mean,
    pixel_pca,
    probe_r2,
    rank1,
    side,
    sides,
)
from training.rig.rig import FAR_DEPTH

EROSION = 2
"""Pixels taken off every mask: at its edge half a pixel decides."""
NECK_DEPTH = 1.065
"""Canonical depth at which the face ends: behind it lie the neck and what the truth clamps."""


def features(model: LatentFace, images: Tensor) -> np.ndarray:
    """(N, 512) depth and albedo codes of images (N, 3, H, W), float or uint8."""
    rows = []
    for part in images.split(256):
        codes = model.encode(part.float() / 255 if part.dtype == torch.uint8 else part)
        rows.append(codes.pair.rows)
    return torch.cat(rows).cpu().numpy()


def measure(model: LatentFace, path: Path, pack: Path | None, count: int) -> Measurement:
    """All figures of renders.

    Args:
        model: under test.
        path: renders; training.evaluate.protocols.geometry says what is in the file.
        pack: folder with renders of training people, for the expression probe; None to leave it out.
        count: renders the probe learns from.

    Returns:
        Measurement; its rows: side and mad in the canonical frame, absolute errors `pose` and true `angles` in
        degrees (N, 3).

    Raises:
        ConfigError: the renders have another size than the model.
    """
    with np.load(path) as arrays:
        truth = {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    image = truth["im"].movedim(-1, 1).float() / 255
    if image.shape[-1] != model.config.image_size:
        raise ConfigError(f"{path} holds renders of {image.shape[-1]} px and the model wants "
                          f"{model.config.image_size}: make renders of that size.")
    factors = model.analyze(image).to("cpu")
    view = View(truth["view"][:, :3], truth["view"][:, 3:])
    codes = factors.codes.pair.rows.numpy()
    result = _canonical(factors, truth) | _input_view(factors, truth, view) | _pose_and_light(factors, truth, view)
    pixels, ids = pixel_pca(image, size=image.shape[-1], components=128)[0], truth["id"].numpy()
    result["rig.rank1"] = {name: rank1(rows, rows, ids, ids, same=True)
                           for name, rows in (("model", codes), ("baseline", pixels))}
    result |= _expression(model, image, codes, truth, pack, count) if pack else {}
    return Measurement(result, _rows(factors, truth, view), truth["im"].movedim(-1, 1))


def _rows(factors: Factors, truth: dict[str, Tensor], view: View) -> Rows:
    """Errors render by render."""
    found, depth, face, _ = _masked_depths(factors, truth)
    true, guess = (torch.rad2deg(pose.rotation) for pose in (view, factors.view))
    return {"side": sides(found, depth, face).numpy(), "mad": mads(found, depth, face).numpy(),
            "pose": (guess - true).abs().numpy(), "angles": true.numpy()}


def _masked_depths(factors: Factors, truth: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Canonical depth, found and true, and where to compare: the face, the whole head."""
    depth = truth["cd"].float()
    face, head = erode(truth["cm"] & (depth < NECK_DEPTH), EROSION), erode(truth["cm"], EROSION)
    return factors.canon_depth.clamp(max=FAR_DEPTH), depth, face, head


def _canonical(factors: Factors, truth: dict[str, Tensor]) -> dict:
    """Depth and albedo in the canonical frame, against the mean of the truths."""
    found, depth, face, head = _masked_depths(factors, truth)
    albedo, mean = truth["ca"].movedim(-1, 1).float() / 255, depth.mean(0).expand_as(depth)
    mean_albedo = albedo.mean(0).expand_as(albedo)
    return {"rig.side": {"model": side(found, depth, face), "baseline": side(mean, depth, face)},
            "rig.mad": {"model": mad(found, depth, face), "baseline": mad(mean, depth, face)},
            "rig.albedo": {"model": albedo_error(factors.canon_albedo, albedo, head),
                           "baseline": albedo_error(mean_albedo, albedo, head)}}


def _input_view(factors: Factors, truth: dict[str, Tensor], view: View) -> dict:
    """Depth in the image's own view, where both have some; the baseline is the mean head at the true pose."""
    depth, mean = truth["zin"].float(), truth["cd"].float().mean(0)
    posed, covered = rasterize_depth(transform(backproject(mean.expand_as(depth)), view), depth.shape[-1])
    ways = {"model": (factors.recon_depth, factors.recon_mask[:, 0] > 0.5), "baseline": (posed, covered)}
    in_face = inverse_transform(backproject(depth), view)[..., 2] < NECK_DEPTH
    head, face = erode(truth["mi"], EROSION), erode(truth["mi"] & in_face, EROSION)
    figures = {"rig.side_view": lambda found, seen: side(found, depth, head & seen),
               "rig.mad_view": lambda found, seen: mad(found, depth, head & seen),
               "rig.side_view_face": lambda found, seen: side(found, depth, face & seen),
               "rig.covered": lambda found, seen: masked_mean(seen.float(), head).mean().item()}
    return {key: {name: figure(*way) for name, way in ways.items()} for key, figure in figures.items()}


def _pose_and_light(factors: Factors, truth: dict[str, Tensor], view: View) -> dict:
    error = torch.rad2deg(factors.view.rotation - view.rotation).abs().mean(0)
    still = torch.rad2deg(view.rotation - view.rotation.mean(0)).abs().mean(0)
    result = {f"rig.{name}": {"model": error[axis].item(), "baseline": still[axis].item()}
              for axis, name in enumerate(("pitch", "yaw", "roll"))}
    shift = (factors.view.translation - view.translation).abs().mean().item()
    result["rig.shift"] = {"model": 1000 * shift,
                           "baseline": 1000 * (view.translation - view.translation.mean(0)).abs().mean().item()}
    ambient, diffuse, slope = truth["light"].split([1, 1, 2], 1)
    direction = light_direction(slope)
    frontal = torch.tensor([0.0, 0.0, 1.0]).expand_as(direction)
    result["rig.light"] = {"model": angles(factors.light.direction, direction).mean().item(),
                           "baseline": angles(frontal, direction).mean().item()}
    for name, found, true in (("ambient", factors.light.ambient, ambient[:, 0]),
                              ("diffuse", factors.light.diffuse, diffuse[:, 0])):
        result[f"rig.{name}"] = {"model": (found - true).abs().mean().item(),
                                 "baseline": (true - true.mean()).abs().mean().item()}
    return result


def _expression(model: LatentFace, image: Tensor, codes: np.ndarray, truth: dict[str, Tensor],
                pack: Path, count: int) -> dict:
    """How well a linear probe reads the expression's weights, from codes and from components of the pixels."""
    train, train_weights = training_renders(pack, count)
    ways = {"model": (features(model, train), codes), "baseline": pixel_pca(train, image, size=32, components=128)}
    return {"rig.expression": {name: probe_r2(rows, train_weights, test, truth["ex"].numpy(), "variance_weighted")
                               for name, (rows, test) in ways.items()}}


def training_renders(pack: Path, count: int) -> tuple[Tensor, np.ndarray]:
    """Lit renders (count, 3, H, W) uint8 of training people on blotches of color, and their expression weights."""
    images, weights, generator = [], [], torch.Generator().manual_seed(0)
    for path in sorted(Path(pack).glob("rig_*.npz")):
        if sum(map(len, images)) >= count:
            break
        with np.load(path) as shard:
            stored = {key: torch.from_numpy(shard[key]) for key in ("albedo", "normal", "mask")}
            images.append(_light_and_noise(stored, generator))
            weights.append(shard["expression"].astype(np.float64))
    if not images:
        raise ConfigError(f"There are no renders in {pack}: run `python -m training.render_pack --out {pack}`.")
    return torch.cat(images)[:count], np.concatenate(weights)[:count]


def _light_and_noise(shard: dict[str, Tensor], generator: torch.Generator) -> Tensor:
    """Light unlit renders, put colors behind them and add sensor noise: (N, 3, H, W) uint8."""
    albedo, normal = shard["albedo"].movedim(-1, 1).float() / 255, shard["normal"].float() / 127
    mask, light = shard["mask"][:, None].float(), random_light(len(normal), generator)
    image = albedo * shade(normal, light)
    blotches = F.interpolate(torch.rand(len(mask), 3, 4, 4, generator=generator), mask.shape[-2:], mode="bilinear")
    image = sensor_noise(image * mask + random_background(blotches, generator) * (1 - mask), generator)
    return (image * 255).round().byte()
