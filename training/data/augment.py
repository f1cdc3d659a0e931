"""Photos for training: augmented copies, with the changes of pose, color and expression known."""

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
from training.data.renders import EXPRESSION_COUNT, sensor_noise, uniform

MAX_ROLL_DEG = 8.0
"""Largest rotation of a copy in the image plane."""
MAX_SHIFT = 0.06
"""Largest shift of a copy, relative to the side of the image."""
SIDE_LIGHT = 0.5
"""Largest relative change of brightness from the middle of the image to its side."""
TURN_DEG = (7.0, 14.0)
"""Standard deviations of the turns in pitch and yaw."""
MAX_YAW_DEG = 50.0
"""No head is turned further to the side than this."""


@dataclass(eq=False)
class HeadEdit(TensorDataclass):
    """Known changes of pose and expression of the heads in B photos, canonical frame."""

    turn: Tensor
    """(B, 2) change of pitch and yaw, radians."""
    expression: Tensor
    """(B, 57) change of the rig's expression weights."""
    depth: Tensor
    """(B, H, W) change of the canonical depth."""
    origin: Tensor
    """(B, H, W, 2) canonical pixel (x, y) at which each surface point was before."""

    @staticmethod
    def none(count: int, size: int) -> HeadEdit:
        """No change of `count` heads whose canonical maps have a side of `size` pixels."""
        return HeadEdit(torch.zeros(count, 2), torch.zeros(count, EXPRESSION_COUNT), torch.zeros(count, size, size),
                        pixel_grid(size).expand(count, -1, -1, -1))


@dataclass(eq=False)
class PhotoBatch(TensorDataclass):
    """Augmented copies of photos. In pairs, both halves of the batch show the same photos in the same order."""

    image: Tensor
    """(B, 3, H, W), [0, 1]."""
    mirrored: Tensor
    """(B,) −1 where the copy is mirrored, else 1."""
    roll: Tensor
    """(B,) clockwise rotation of the image after mirroring, radians."""
    shift: Tensor
    """(B, 2) shift of the image to the right and down after the rotation, camera-distance units."""
    tint: Tensor
    """(B, 3, 1, 1) gain of each channel relative to the mean gain."""
    edit: HeadEdit
    """Change of the head, before the image was mirrored."""

    def original_view(self, view: View) -> View:
        """The pose in the original photos, given the pose `view` in the copies.

        Undoes the shift, the rotation in the image plane, the mirroring, and the turn of the head, in this order.
        """
        x, y = (view.translation - self.shift).unbind(-1)
        sin, cos = self.roll.sin(), self.roll.cos()
        shift = torch.stack([(cos * x + sin * y) * self.mirrored, cos * y - sin * x], -1)
        pitch, yaw, roll = view.rotation.unbind(-1)
        rotation = torch.stack([pitch, yaw * self.mirrored, (roll - self.roll) * self.mirrored], -1)
        return View(rotation - F.pad(self.edit.turn, (0, 1)), shift)

    def unmirror(self, maps: Tensor) -> Tensor:
        """Canonical maps (B, …, W), with those of mirrored copies flipped back."""
        where = (self.mirrored < 0).view(-1, *[1] * (maps.dim() - 1))
        return torch.where(where, maps.flip(-1), maps)

    def unmirror_expression(self, weights: Tensor) -> Tensor:
        """Expression weights (B, 57), with left and right exchanged back in mirrored copies."""
        return torch.where(self.mirrored[:, None] < 0, mirrored_expression(weights), weights)


def find_heads(model: Autoencoder, images: Tensor, bf16: bool) -> tuple[Tensor, View]:
    """Canonical depth (B, H, W) and pose of aligned images (B, 3, N, N), H ≤ N, as a model predicts them."""
    size = model.config.image_size
    with torch.no_grad(), autocast(bf16, images.device.type):
        codes, _, view = model.encode_raw(F.interpolate(images, (size, size), mode="area"))
        return model.decode_depth(codes.depth_code), view


def random_turn(view: View, generator: torch.Generator) -> Tensor:
    """Random turns (B, 2) in pitch and yaw, radians, that keep heads with the poses `view` within `MAX_YAW_DEG`."""
    turn = torch.randn(len(view.rotation), 2, generator=generator) * torch.tensor(TURN_DEG).deg2rad()
    limit = math.radians(MAX_YAW_DEG)
    yaw = view.rotation[:, 1].cpu()
    return torch.stack([turn[:, 0], (yaw + turn[:, 1]).clamp(-limit, limit) - yaw.clamp(-limit, limit)], -1)


def warp_heads(images: Tensor, depth: Tensor, view: View, turn: Tensor, expression: Tensor,
               motion: Tensor) -> tuple[Tensor, HeadEdit]:
    """Photos with the heads turned and their expressions changed: the photo is texture-mapped onto the moved surface.

    Args:
        images: (B, 3, N, N), aligned.
        depth: (B, H, W) canonical depth of the heads, H ≤ N.
        view: pose of the heads.
        turn: (B, 2) pitch and yaw to add, radians.
        expression: (B, 57) expression weights to add.
        motion: (B, 3, H, W) displacement of the canonical points that adds them, camera-distance units.

    Returns:
        Images (B, 3, N, N), unchanged where the moved surface does not reach; and the change.
    """
    size, turned = depth.shape[-1], View(view.rotation + F.pad(turn, (0, 1)), view.translation)
    visible, covered = rasterize_depth(transform(displace(depth, motion), turned), size)
    points = undisplace(inverse_transform(backproject(visible), turned), motion)
    # Photos are sampled at full size by upsampled steps, which are smooth. Their coordinates count from pixel edges.
    step = (project(transform(points, view), size) - pixel_grid(size, depth.device)) * (2 / size) * covered[..., None]
    step = F.interpolate(step.movedim(-1, 1), images.shape[-2:], mode="bilinear").movedim(1, -1)
    identity = torch.eye(2, 3, device=images.device).expand(len(images), -1, -1)
    grid = F.affine_grid(identity, list(images.shape), align_corners=False) + step
    after, origin = displaced_depth(depth, motion)
    return (F.grid_sample(images, grid, padding_mode="reflection", align_corners=False),
            HeadEdit(turn, expression, after - depth, origin))


def augment(images: Tensor, size: int, generator: torch.Generator, edit: HeadEdit | None = None,
            strength: Tensor | None = None) -> PhotoBatch:
    """Copies of photos: mirrored, rotated, shifted, lit from the side, tinted and brightened at random.

    Args:
        images: (B, 3, N, N) in [0, 1], aligned; N is `size` or a multiple of it.
        size: side of the copies, pixels.
        generator: source of all randomness.
        edit: change of the heads that `images` already show; none by default.
        strength: (B,) strength of the changes, [0, 1]; 1 by default. Mirroring is always full.

    Returns:
        B copies.
    """
    count = len(images)
    strength = (torch.ones(count) if strength is None else strength)[:, None]
    mirrored = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    roll, shift = ((torch.rand(count, n, generator=generator) * 2 - 1) for n in (1, 2))
    roll, shift = (roll * strength)[:, 0] * math.radians(MAX_ROLL_DEG), shift * strength * MAX_SHIFT
    strength = strength[..., None, None]
    axis = torch.linspace(-1, 1, size)
    slope = uniform(count, -SIDE_LIGHT, SIDE_LIGHT, generator) * (uniform(count, 0, 1, generator) < 0.4)
    gain = 1 + uniform(count, -0.35, 0.25, generator) * strength
    tint = 1 + 0.06 * torch.randn(count, 3, 1, 1, generator=generator) * strength
    tint = tint / tint.mean(1, keepdim=True)
    image = _warp(images, mirrored, roll, shift, size) * (1 + slope * strength * axis) * gain * tint
    focal, _ = intrinsics(size)
    return PhotoBatch(sensor_noise(image.clamp(0, 1), generator), mirrored, roll, shift * size / focal, tint,
                      edit or HeadEdit.none(count, size))


def _warp(images: Tensor, mirrored: Tensor, roll: Tensor, shift: Tensor, size: int) -> Tensor:
    """Mirror, rotate clockwise by `roll` about the middle, shift by `shift` × the side, and average down to `size`."""
    sin, cos = roll.sin(), roll.cos()
    x, y = -2 * shift[:, 0], -2 * shift[:, 1]
    rows = [torch.stack([cos, sin, cos * x + sin * y], -1) * mirrored[:, None],
            torch.stack([-sin, cos, cos * y - sin * x], -1)]
    grid = F.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    return F.avg_pool2d(moved, images.shape[-1] // size)
