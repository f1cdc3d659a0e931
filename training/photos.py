"""Photos for training: two changed copies of each, with the change of pose and colour between them known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry import intrinsics
from core.types import Batched, View
from training.renders import camera, uniform

MAX_ROLL_DEG = 8.0
MAX_SHIFT = 0.06
"""Of the picture's side."""
SIDE_LIGHT = 0.5
"""Strongest change of brightness from the middle of the picture to its side."""


@dataclass
class Photos(Batched):
    """A batch of changed copies; the first half and the second half show the same photos in the same order."""

    image: Tensor
    """(2B, 3, H, W), [0, 1]."""
    mirrored: Tensor
    """(2B,) −1 where the copy is mirrored, else 1."""
    roll: Tensor
    """(2B,) clockwise turn of the copy, radians, after mirroring."""
    shift: Tensor
    """(2B, 2) shift of the copy to the right and down, camera-distance units, after the turn."""
    tint: Tensor
    """(2B, 3, 1, 1) gain per channel relative to their mean."""

    def original_view(self, view: View) -> View:
        """The pose the untouched photo must have where a copy has `view`.

        The copy is the photo mirrored, turned about the optical axis, then shifted; this undoes the three.
        """
        x, y = (view.translation - self.shift).unbind(-1)
        sin, cos = self.roll.sin(), self.roll.cos()
        shift = torch.stack([(cos * x + sin * y) * self.mirrored, cos * y - sin * x], -1)
        pitch, yaw, roll = view.rotation.unbind(-1)
        rotation = torch.stack([pitch, yaw * self.mirrored, (roll - self.roll) * self.mirrored], -1)
        return View(rotation, shift)

    def unmirror(self, maps: Tensor) -> Tensor:
        """Flip canonical maps (2B, …, W) of mirrored copies back."""
        where = (self.mirrored < 0).view(-1, *[1] * (maps.dim() - 1))
        return torch.where(where, maps.flip(-1), maps)


def draw_copies(images: Tensor, size: int, generator: torch.Generator) -> Photos:
    """Two copies of each photo, mirrored, turned, shifted, re-lit from the side, tinted and brightened at random.

    Args:
        images: (B, 3, h, w) uint8, aligned, at model size or larger.
        size: side of the copies.
        generator: source of all randomness.

    Returns:
        2B copies.
    """
    images = torch.cat([images, images]).float() / 255
    count = len(images)
    mirrored = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    roll, shift = ((torch.rand(count, n, generator=generator) * 2 - 1) for n in (1, 2))
    roll, shift = roll[:, 0] * math.radians(MAX_ROLL_DEG), shift * MAX_SHIFT
    axis = torch.linspace(-1, 1, size)
    slope = uniform(count, -SIDE_LIGHT, SIDE_LIGHT, generator) * (uniform(count, 0, 1, generator) < 0.4)
    gain = uniform(count, 0.65, 1.25, generator)
    tint = 1 + 0.06 * torch.randn(count, 3, 1, 1, generator=generator)
    tint = tint / tint.mean(1, keepdim=True)
    image = _move(images, mirrored, roll, shift, size) * (1 + slope * axis) * gain * tint
    focal, _ = intrinsics(size)
    return Photos(camera(image.clamp(0, 1), generator), mirrored, roll, shift * size / focal, tint)


def _move(images: Tensor, mirrored: Tensor, roll: Tensor, shift: Tensor, size: int) -> Tensor:
    """Mirror, turn clockwise by `roll` about the middle, then shift by `shift` sides; low-pass before shrinking."""
    sin, cos = roll.sin(), roll.cos()
    x, y = -2 * shift[:, 0], -2 * shift[:, 1]
    rows = [torch.stack([cos, sin, cos * x + sin * y], -1) * mirrored[:, None],
            torch.stack([-sin, cos, cos * y - sin * x], -1)]
    grid = F.affine_grid(torch.stack(rows, 1), images.shape, align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(moved, images.shape[-1] // size)
