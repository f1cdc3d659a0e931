"""Photos for training: changed copies of each, with the change of pose and colour between them known."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import backproject, intrinsics, inverse_transform, pixel_grid, project, transform
from core.geometry.displacement import displace, displaced_depth, undisplace
from core.geometry.rasterizer import rasterize_depth
from core.model.autoencoder import Autoencoder, autocast
from core.types import TensorDataclass, View
from training.data.expression_motion import mirrored_expression
from training.data.renders import EXPRESSIONS, camera, uniform

MAX_ROLL_DEG = 8.0
MAX_SHIFT = 0.06
"""Of the picture's side."""
SIDE_LIGHT = 0.5
"""Strongest change of brightness from the middle of the picture to its side."""
TURN_DEG = (7.0, 14.0)
"""Spread of the turns in pitch and yaw of every second copy."""
MAX_YAW_DEG = 50.0
"""No head is turned further to the side."""


@dataclass(eq=False)
class HeadEdit(TensorDataclass):
    """What was done to the heads of photos, canonical frame."""

    turn: Tensor
    """(B, 2) by how much they were turned, pitch and yaw, radians."""
    expression: Tensor
    """(B, 57) expression weights of the rig that were added."""
    depth: Tensor
    """(B, H, W) what that added to their canonical depth."""
    origin: Tensor
    """(B, H, W, 2) the canonical pixel where each place was before."""

    @staticmethod
    def none(count: int, size: int) -> HeadEdit:
        """Of `count` heads that stay as they were, canonical maps of `size` pixels."""
        return HeadEdit(torch.zeros(count, 2), torch.zeros(count, EXPRESSIONS), torch.zeros(count, size, size),
                     pixel_grid(size).expand(count, -1, -1, -1))


@dataclass(eq=False)
class Photos(TensorDataclass):
    """Changed copies of photos; in pairs, the first half and the second half show the same photos in the same order."""

    image: Tensor
    """(B, 3, H, W), [0, 1]."""
    mirrored: Tensor
    """(B,) −1 where the copy is mirrored, else 1."""
    roll: Tensor
    """(B,) clockwise turn of the copy, radians, after mirroring."""
    shift: Tensor
    """(B, 2) shift of the copy to the right and down, camera-distance units, after the turn."""
    tint: Tensor
    """(B, 3, 1, 1) gain per channel relative to their mean."""
    moves: HeadEdit
    """What was done to the head before all this."""

    def original_view(self, view: View) -> View:
        """The pose the untouched photo must have where a copy has `view`.

        The copy is the photo with the head turned, mirrored, turned about the optical axis, then shifted; this undoes
        the four.
        """
        x, y = (view.translation - self.shift).unbind(-1)
        sin, cos = self.roll.sin(), self.roll.cos()
        shift = torch.stack([(cos * x + sin * y) * self.mirrored, cos * y - sin * x], -1)
        pitch, yaw, roll = view.rotation.unbind(-1)
        rotation = torch.stack([pitch, yaw * self.mirrored, (roll - self.roll) * self.mirrored], -1)
        return View(rotation - F.pad(self.moves.turn, (0, 1)), shift)

    def unmirror(self, maps: Tensor) -> Tensor:
        """Flip canonical maps (B, …, W) of mirrored copies back."""
        where = (self.mirrored < 0).view(-1, *[1] * (maps.dim() - 1))
        return torch.where(where, maps.flip(-1), maps)

    def unmirror_expression(self, weights: Tensor) -> Tensor:
        """Expression weights (B, 57) of the photos' own side in mirrored copies."""
        return torch.where(self.mirrored[:, None] < 0, mirrored_expression(weights), weights)


def find_heads(model: Autoencoder, images: Tensor, bf16: bool) -> tuple[Tensor, View]:
    """Canonical depth (B, H, W) and pose that a model finds in aligned images (B, 3, N, N), H ≤ N."""
    size = model.config.image_size
    with torch.no_grad(), autocast(bf16, images.device.type):
        codes, _, view = model.encode_raw(F.interpolate(images, (size, size), mode="area"))
        return model.decode_depth(codes.depth_code), view


def random_turn(view: View, generator: torch.Generator) -> Tensor:
    """Turns (B, 2) in pitch and yaw, radians, for heads in the poses of `view`."""
    turn = torch.randn(len(view.rotation), 2, generator=generator) * torch.tensor(TURN_DEG).deg2rad()
    limit = math.radians(MAX_YAW_DEG)
    yaw = view.rotation[:, 1].cpu()
    return torch.stack([turn[:, 0], (yaw + turn[:, 1]).clamp(-limit, limit) - yaw.clamp(-limit, limit)], -1)


def warp_heads(images: Tensor, depth: Tensor, view: View, turn: Tensor, expression: Tensor,
               motion: Tensor) -> tuple[Tensor, HeadEdit]:
    """Photos as they would be with the heads turned and moved: each pixel shows what the photo shows of that surface.

    Args:
        images: (B, 3, N, N), aligned.
        depth: (B, H, W) canonical depth that was found in them, H ≤ N.
        view: pose that was found in them.
        turn: (B, 2) pitch and yaw to add, radians.
        expression: (B, 57) weights to add.
        motion: (B, 3, H, W) of canonical points, which adds them.

    Returns:
        (B, 3, N, N), in which what the surface does not cover stays as it was, and what was done.
    """
    size, turned = depth.shape[-1], View(view.rotation + F.pad(turn, (0, 1)), view.translation)
    seen, covered = rasterize_depth(transform(displace(depth, motion), turned), size)
    points = undisplace(inverse_transform(backproject(seen), turned), motion)
    # In pixel edges, as photos are cropped; the steps are smooth and can be magnified, unlike the photo.
    step = (project(transform(points, view), size) - pixel_grid(size, depth.device)) * (2 / size) * covered[..., None]
    step = F.interpolate(step.movedim(-1, 1), images.shape[-2:], mode="bilinear").movedim(1, -1)
    identity = torch.eye(2, 3, device=images.device).expand(len(images), -1, -1)
    grid = F.affine_grid(identity, images.shape, align_corners=False) + step
    after, origin = displaced_depth(depth, motion)
    return (F.grid_sample(images, grid, padding_mode="reflection", align_corners=False),
            HeadEdit(turn, expression, after - depth, origin))


def augment(images: Tensor, size: int, generator: torch.Generator, moves: HeadEdit | None = None,
                change: Tensor | None = None) -> Photos:
    """Copies of photos, mirrored, turned, shifted, re-lit from the side, tinted and brightened at random.

    Args:
        images: (B, 3, N, N) in [0, 1], aligned, at model size or a multiple of it.
        size: side of the copies.
        generator: source of all randomness.
        moves: what was done to the heads in `images` already; nothing by default.
        change: (B,) how strong the changes are, [0, 1]; 1 by default.

    Returns:
        B copies.
    """
    count = len(images)
    change = (torch.ones(count) if change is None else change)[:, None]
    mirrored = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    roll, shift = ((torch.rand(count, n, generator=generator) * 2 - 1) for n in (1, 2))
    roll, shift = (roll * change)[:, 0] * math.radians(MAX_ROLL_DEG), shift * change * MAX_SHIFT
    change = change[..., None, None]
    axis = torch.linspace(-1, 1, size)
    slope = uniform(count, -SIDE_LIGHT, SIDE_LIGHT, generator) * (uniform(count, 0, 1, generator) < 0.4)
    gain = 1 + uniform(count, -0.35, 0.25, generator) * change
    tint = 1 + 0.06 * torch.randn(count, 3, 1, 1, generator=generator) * change
    tint = tint / tint.mean(1, keepdim=True)
    image = _move(images, mirrored, roll, shift, size) * (1 + slope * change * axis) * gain * tint
    focal, _ = intrinsics(size)
    return Photos(camera(image.clamp(0, 1), generator), mirrored, roll, shift * size / focal, tint,
                  moves or HeadEdit.none(count, size))


def _move(images: Tensor, mirrored: Tensor, roll: Tensor, shift: Tensor, size: int) -> Tensor:
    """Mirror, turn clockwise by `roll` about the middle, then shift by `shift` sides; low-pass before shrinking."""
    sin, cos = roll.sin(), roll.cos()
    x, y = -2 * shift[:, 0], -2 * shift[:, 1]
    rows = [torch.stack([cos, sin, cos * x + sin * y], -1) * mirrored[:, None],
            torch.stack([-sin, cos, cos * y - sin * x], -1)]
    grid = F.affine_grid(torch.stack(rows, 1), images.shape, align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(moved, images.shape[-1] // size)
