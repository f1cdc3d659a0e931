"""Turn maps into displayable images."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.filters import upsample
from core.geometry.shading import shade
from core.types import Light

NEAREST, FARTHEST = 0.955, 1.075
"""Depths shown as white and as black, camera-distance units: the nose, and what lies behind the head."""
CLAY, CLAY_LIGHT = (0.93, 0.86, 0.80), Light.of(0.35, 0.75, 0.7, 0.7)
"""Color of clay, and its light: from above on the image's left."""
CONTOURS, LINE = 10, 0.55
"""Lines of equal depth on clay, and how dark they are, 0 to 1."""
BALL_EDGE = 1.08
"""Half of the side of a light ball's image, in radii of the ball."""
BALL_BACKGROUND = 0.15
"""Gray around a light ball."""


def to_uint8(image: Tensor) -> np.ndarray:
    """(C, H, W) in [0, 1], clamped, to (H, W, C) uint8."""
    return (image.detach().float().cpu().clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()


def depth_to_gray(depth: Tensor) -> Tensor:
    """Depth (B, H, W) to (B, 1, H, W) in [0, 1]; nearer is brighter."""
    return ((FARTHEST - depth) / (FARTHEST - NEAREST)).clamp(0, 1)[:, None]


def normal_to_color(normal: Tensor) -> Tensor:
    """Normals (B, H, W, 3) of core.geometry.camera to the usual colors (B, 3, H, W) of a viewer with x right and y up.

    A frontal patch is light blue, one that faces right is red, one that faces up is green.
    """
    return (viewer_normals(normal) + 1) / 2


def viewer_normals(normal: Tensor) -> Tensor:
    """Normals (B, H, W, 3) of core.geometry.camera to a viewer's axes (B, 3, H, W): x right, y up, z to the viewer."""
    return (normal * normal.new_tensor([-1.0, 1.0, 1.0])).movedim(-1, 1)


def clay(depth: Tensor, normal: Tensor, near: float, far: float, size: int) -> Tensor:
    """A surface as clay under a fixed light, with lines of equal depth, (B, 3, size, size) in [0, 1].

    Args:
        depth: (B, H, W).
        normal: (B, H, W, 3), unit length.
        near, far: depths of the first and the last line, `CONTOURS` in all, evenly spaced.
        size: side in pixels.
    """
    depth = upsample(depth[:, None], size)
    normal = F.normalize(upsample(normal.movedim(-1, 1), size), dim=1).movedim(1, -1)
    lit = shade(normal, CLAY_LIGHT.expand(len(depth)))
    position = (depth - near) / max(far - near, 1e-6) * (CONTOURS - 1)
    rows, columns = torch.gradient(position, dim=(2, 3))
    pixels = (position - position.round()).abs() / (rows.square() + columns.square()).sqrt().clamp(min=1e-6)
    inside = (position > -0.5) & (position < CONTOURS - 0.5)
    line = (1.5 - pixels).clamp(0, 1) * inside * LINE
    return (depth.new_tensor(CLAY)[:, None, None] * lit * (1 - line)).clamp(0, 1)


def light_ball(light: Light, size: int) -> Tensor:
    """A white ball under B lights, (B, 3, size, size) in [0, 1], as seen from the camera."""
    axis = torch.linspace(-BALL_EDGE, BALL_EDGE, size, device=light.direction.device)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    z = (1 - x**2 - y**2).clamp(min=0).sqrt()
    # Normals point away from the camera, so those of the visible side are (-x, -y, z).
    shading = shade(torch.stack([-x, -y, z], -1).expand(len(light), -1, -1, -1), light)
    shading = shading / shading.amax((1, 2, 3), keepdim=True).clamp(min=1)
    inside = ((1 - (x**2 + y**2).sqrt()) * size / 2).clamp(0, 1)
    return (shading * inside + BALL_BACKGROUND * (1 - inside)).expand(-1, 3, -1, -1)
