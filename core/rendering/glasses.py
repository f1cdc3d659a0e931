"""Where a face wears glasses: edges across the nose, at the temples and beside the nose that the model cannot explain.

The codes hold no glasses, so that their edges are what the photo has more than the decoded face. Glasses do not follow
an expression, and reenactment leaves them where they are.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import FIELD_OF_VIEW, crop_grid
from core.geometry.filters import smoothstep
from core.types import TexturedFace

EYES = (33, 133), (362, 263)
"""Corners of both eyes among MediaPipe's landmarks, the eye on the image's left first."""
SIDE = 128
"""Pixels of the crop in which edges are looked for."""
STEP = 0.025
"""Distance of the samples; here and below the unit is the distance between the eyes, from the middle between them."""
WIDTH, ABOVE, BELOW = 1.15, 0.6, 0.9
"""Extent of the samples."""
BRIDGE, EYE_HEIGHT = 0.13, (-0.3, 0.35)
"""Half the width of the bridge of the nose, and the heights between which glasses cross it and reach the temples."""
TEMPLES, BESIDE_NOSE, RIM_HEIGHT = (0.8, 1.1), (0.1, 0.38), (0.1, 0.45)
"""Distances from the middle of the temples and of the inner rims, and heights of the latter."""
FAINT, CLEAR = 4.0, 5.5
"""Mean of the four strongest gradients (logarithm of brightness per unit) at which glasses are possible, and sure."""
LENSES, FADE = (1.15, -0.42, 0.72), 0.2
"""Half the width, top and bottom of the region of glasses, and the width of its edge."""
LUMA = (0.299, 0.587, 0.114)
DARK = 0.05
"""Added to brightness before the logarithm."""


def glasses(face: TexturedFace, landmarks: Tensor) -> Tensor:
    """Where the glasses of faces are: (B, 1, G, G) of the size of `face.alpha`, 0 to 1; 0 everywhere without glasses.

    Args:
        face: B faces.
        landmarks: (B, 478, 2) of the canonical face, crop coordinates.
    """
    sure = smoothstep((unexplained_edges(face, landmarks) - FAINT) / (CLEAR - FAINT))
    grid = crop_grid(face.alpha, face.alpha.shape[-1])
    middle, axes = _eye_frame(landmarks)
    across, down = ((grid - middle[:, None, None]) @ torch.linalg.inv(axes)[:, None]).unbind(-1)
    half, top, bottom = LENSES
    inside = [smoothstep(distance / FADE) for distance in (half - across.abs(), down - top, bottom - down)]
    return (inside[0] * inside[1] * inside[2] * sure[:, None, None])[:, None]


def unexplained_edges(face: TexturedFace, landmarks: Tensor) -> Tensor:
    """(B,) mean strength of four edges that glasses have and the decoded face has not; arguments as of `glasses`."""
    factors = face.factors.of_codes
    photo = F.interpolate(face.texture, (SIDE, SIDE), mode="area")
    zoom = (face.tangent / math.tan(FIELD_OF_VIEW / 2))[:, None, None, None]
    decoded = F.grid_sample(factors.canon_image, crop_grid(photo, SIDE) * zoom, padding_mode="border",
                            align_corners=True).clamp(0, 1)
    middle, axes = _eye_frame(landmarks)
    down, across = (torch.arange(low, high, STEP, device=photo.device) for low, high in
                    ((-ABOVE, BELOW), (-WIDTH, WIDTH + STEP / 2)))
    places = torch.stack(torch.meshgrid(down, across, indexing="ij")[::-1], -1) @ axes[:, None] + middle[:, None, None]
    luma = photo.new_tensor(LUMA)[:, None, None]
    residual = (((photo * luma).sum(1, keepdim=True) + DARK).log()
                - ((decoded * luma).sum(1, keepdim=True) + DARK).log())
    patch = F.grid_sample(residual, places, padding_mode="border", align_corners=False)[:, 0]
    vertical, horizontal = torch.gradient(patch, spacing=STEP, dim=(1, 2))

    def part(gradient: Tensor, x: tuple[float, float], y: tuple[float, float]) -> Tensor:
        rows, columns = ((axis >= low) & (axis < high) for axis, (low, high) in ((down, y), (across, x)))
        return gradient[:, rows][:, :, columns]

    bridge = part(vertical, (-BRIDGE, BRIDGE), EYE_HEIGHT).mean(2)
    temples = [part(vertical, x, EYE_HEIGHT).abs().amax(1).mean(1) for x in _both_sides(TEMPLES)]
    rims = [part(horizontal, x, RIM_HEIGHT).abs().amax(2).mean(1) for x in _both_sides(BESIDE_NOSE)]
    return (bridge.amax(1) - bridge.amin(1) + torch.maximum(*temples) + torch.minimum(*rims)) / 4


def _both_sides(x: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    """A range to the right of the middle, and its mirror image."""
    return (-x[1], -x[0]), x


def _eye_frame(landmarks: Tensor) -> tuple[Tensor, Tensor]:
    """The middle (B, 2) between the eyes, and the axes (B, 2, 2) as rows: from one eye to the other, and down."""
    left, right = (landmarks[:, corners].mean(1) for corners in EYES)
    step = right - left
    return (left + right) / 2, torch.stack([step, torch.stack([-step[:, 1], step[:, 0]], 1)], 1)
