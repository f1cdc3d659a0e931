"""Maps as pictures for people."""

from __future__ import annotations

import numpy as np
from torch import Tensor

NEAREST, FARTHEST = 0.955, 1.075
"""Depths shown as white and as black, camera-distance units: the nose, and what lies behind the head."""


def pixels(image: Tensor) -> np.ndarray:
    """(C, H, W) in [0, 1], clamped, to (H, W, C) uint8."""
    return (image.detach().float().cpu().clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()


def depth_grey(depth: Tensor) -> Tensor:
    """Depth (B, H, W) to (B, 1, H, W) in [0, 1]; nearer is brighter."""
    return ((FARTHEST - depth) / (FARTHEST - NEAREST)).clamp(0, 1)[:, None]


def normal_colours(normal: Tensor) -> Tensor:
    """Normals (B, H, W, 3) of core.geometry.camera to the usual colours (B, 3, H, W) of a viewer with x right and y up.

    A frontal patch is light blue, one that faces right is red, one that faces up is green.
    """
    return (viewer_normals(normal) + 1) / 2


def viewer_normals(normal: Tensor) -> Tensor:
    """Normals (B, H, W, 3) of core.geometry.camera to (B, 3, H, W) as a viewer names them: x right, y up, z towards them."""
    return (normal * normal.new_tensor([-1.0, 1.0, 1.0])).movedim(-1, 1)
