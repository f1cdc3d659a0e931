"""How far a photo of a face can be trusted: darkness, contrast, blur and what covers the face, measured on the face.

Walls, hair and clothes do not count, and no measure depends on the color of the skin: each compares the face with
itself. `LIMITS` say from where on a photo is too bad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import backproject, inverse_transform
from core.geometry.filters import blur
from core.types import Factors, TensorDataclass

if TYPE_CHECKING:
    from core.faces import Face

INNER_DEPTH = 1.03
"""Canonical depth from which a surface counts as hair, ears or neck, camera-distance units."""
SIDE = 128
"""Pixels of the crop in which detail is measured; smaller crops hold no more."""
GRAY = (0.299, 0.587, 0.114)
"""Luma of RGB (ITU-R BT.601)."""
FINE, COARSE = (0.7, 1.5), (1.5, 3.0)
"""Bands of detail: standard deviations of the two blurs whose difference they are, pixels of `SIDE`."""
BRIGHTEST, DARKEST = 0.99, 0.01
"""Quantiles that stand for the brightest and the darkest place of a face: highlights, teeth, the whites of the eyes;
and pupils, nostrils and lashes, which every face has."""
BARE, NEARBY = 0.2, 2.5
"""A place is bare where its fine detail, averaged over a blur of `NEARBY` pixels, is below this part of the face's
median."""
TYPICAL_SPREAD = 0.1
"""Median of `Quality.spread` over training photos, by the command of `LIMITS`."""
LEAST = 1e-6


@dataclass(eq=False)
class Quality(TensorDataclass):
    """Measures of B photos, each (B,); `spread` and `error` apart, higher is better."""

    brightness: Tensor
    """Luma of the brightest place of the face, [0, 1]."""
    contrast: Tensor
    """Darkest to brightest place of the face, as a share of the brightest, [0, 1]."""
    sharpness: Tensor
    """Energy of fine detail of the face as a share of that of coarse detail."""
    uncovered: Tensor
    """Share of the face that shows fine detail, [0, 1]: skin has some everywhere, what covers it often none."""
    visibility: Tensor
    """The model's confidence over the face, (0, 1]: low where something covers it."""
    spread: Tensor
    """Mean absolute deviation of the face's colors from their mean, [0, 1]."""
    error: Tensor
    """Mean absolute error of the reconstruction over the face, as a share of `spread`."""
    confidence: Tensor
    """Mean of 1 / (1 + sigma) over the face, (0, 1], sigma on faces of typical `spread`; times `value / limit` of each
    measure that is below its limit."""


LIMITS = {"brightness": 0.234, "contrast": 0.271, "sharpness": 0.15, "uncovered": 0.829, "visibility": 0.877}
"""Least value of a photo that needs no warning. At most 0.25 % of the training photos of any skin tone lie below, by
`python -m training.evaluate warnings --photos fairface --calibrate --limit 4000`."""


def face_mask(factors: Factors) -> Tensor:
    """Where a photo shows the face itself, without hair, ears, neck and background: (B, 1, H, W), 0 or 1."""
    canonical = inverse_transform(backproject(factors.recon_depth), factors.view)
    return ((canonical[..., 2] < INNER_DEPTH)[:, None] & (factors.recon_mask > 0.5)).float()


def measure(factors: Factors, photos: Tensor) -> Quality:
    """Measure aligned photos.

    Args:
        factors: of B photos; what the codes alone give is measured.
        photos: (B, 3, N, N) RGB in [0, 1], the same crops with all their detail, N a multiple of `SIDE`.
    """
    factors = factors.of_codes
    face, photos = face_mask(factors), photos.to(factors.image.device)
    spread = _mean((factors.image - _mean(factors.image, face)[..., None, None]).abs(), face).mean(1)
    wrong = _mean((factors.recon_image - factors.image).abs(), face).mean(1)
    sigma = (1 / factors.confidence - 1) * (TYPICAL_SPREAD / spread.clamp(min=LEAST))[:, None, None, None]
    gray = (F.adaptive_avg_pool2d(photos, SIDE) * photos.new_tensor(GRAY)[:, None, None]).sum(1, keepdim=True)
    large = F.interpolate(face, size=(SIDE, SIDE), mode="nearest")
    darkest, brightest = _quantiles(gray, large, [DARKEST, BRIGHTEST])
    fine, coarse = (blur(gray, narrow) - blur(gray, wide) for narrow, wide in (FINE, COARSE))
    nearby = blur(fine.abs(), NEARBY)
    median = _quantiles(nearby, large, [0.5])[0, :, None, None, None]
    found = Quality(
        brightness=brightest, contrast=(brightest - darkest) / brightest.clamp(min=LEAST),
        sharpness=(_mean(fine.square(), large) / _mean(coarse.square(), large).clamp(min=LEAST**2))[:, 0],
        uncovered=_mean((nearby >= BARE * median).float(), large)[:, 0],
        visibility=_mean(factors.confidence, face)[:, 0], spread=spread, error=wrong / spread.clamp(min=LEAST),
        confidence=_mean(1 / (1 + sigma), face)[:, 0])
    for name, limit in LIMITS.items():
        found.confidence *= (getattr(found, name) / limit).clamp(max=1)
    return found


def shortfalls(quality: Quality) -> dict[str, Tensor]:
    """By measure of `LIMITS`, which photos are below its limit: (B,) bool."""
    return {name: getattr(quality, name) < limit for name, limit in LIMITS.items()}


def share_outside(factors: Factors, face: Face) -> float:
    """Share of the face, [0, 1], that lies beyond the edges of the photo, where the crop shows its reflection."""
    mask = face_mask(factors.of_codes)[0, 0].cpu().numpy() > 0
    if not mask.any():
        return 0.0
    rows, columns = np.nonzero(mask)
    places = face.crop.to_photo(np.stack([columns, rows], -1).astype(float), len(mask))
    return 1 - float(((places >= -0.5) & (places <= np.array(face.photo_size) - 0.5)).all(-1).mean())


def _mean(maps: Tensor, mask: Tensor) -> Tensor:
    """Mean of maps (B, C, H, W) over a mask (B, 1, H, W): (B, C)."""
    return (maps * mask).sum((2, 3)) / mask.sum((2, 3)).clamp(min=1)


def _quantiles(maps: Tensor, mask: Tensor, levels: list[float]) -> Tensor:
    """Quantiles within a mask; both (B, 1, H, W) to (len(levels), B), 0 where the mask is empty."""
    wanted = maps.new_tensor(levels)
    inside = [values[place > 0] for values, place in zip(maps, mask, strict=True)]
    return torch.stack([values.quantile(wanted) if len(values) else wanted * 0 for values in inside], 1)
