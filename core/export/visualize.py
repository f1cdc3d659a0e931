"""Turn maps into displayable images."""

from __future__ import annotations

import numpy as np
from torch import Tensor

NEAREST, FARTHEST = 0.955, 1.075
"""Depths shown as white and as black, camera-distance units: the nose, and what lies behind the head."""


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
