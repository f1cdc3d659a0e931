"""How a face moves from one expression to another: canonical points, and where they were before."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import backproject, intrinsics, project, sample
from core.geometry.filters import blur, lerp
from core.geometry.rasterizer import rasterize_depth

SQUEEZED = 0.35, 0.7
"""Change of a motion from one pixel row to the next, pixels, from which on it is smoothed, and at which it is most."""
NEAR = 6
"""Pixels around such places that are smoothed with them."""
ROUNDS = 4
"""Steps in which the place before a motion is found; motions are smooth, and each step halves the error at least."""


def regularize(motion: Tensor) -> Tensor:
    """A motion (B, 3, H, W) that folds nothing: smoothed where it squeezes or stretches a face too much, as brows that
    rise far do."""
    size = motion.shape[-1]
    focal, _ = intrinsics(size)
    squeezed = torch.gradient(motion[:, 1:2] * focal, dim=2)[0].abs()
    where = F.max_pool2d(((squeezed - SQUEEZED[0]) / (SQUEEZED[1] - SQUEEZED[0])).clamp(0, 1), 2 * NEAR + 1, 1, NEAR)
    return lerp(motion, blur(motion, size / 16), blur(where, NEAR / 2))


def displace(canon_depth: Tensor, motion: Tensor) -> Tensor:
    """Canonical points (B, H, W, 3) of a surface that has moved.

    Args:
        canon_depth: (B, H, W) before.
        motion: (B, 3, H, W) camera-distance units, canonical frame, of the point at each canonical pixel.
    """
    return backproject(canon_depth) + motion.movedim(1, -1)


def undisplace(points: Tensor, motion: Tensor) -> Tensor:
    """Where points (B, h, w, 3) of a surface that has moved were before; see `move`."""
    before = points
    for _ in range(ROUNDS):
        before = points - sample(motion, project(before, motion.shape[-1])).movedim(1, -1)
    return before


def displaced_depth(canon_depth: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Canonical depth (B, H, W) after a motion, and the canonical pixel (B, H, W, 2) where each of its places was."""
    size = canon_depth.shape[-1]
    depth, _ = rasterize_depth(displace(canon_depth, motion), size)
    return depth, project(undisplace(backproject(depth), motion), size)
