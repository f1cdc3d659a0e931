"""How a face moves from one expression to another: canonical points, and where they were before."""

from __future__ import annotations

from torch import Tensor

from core.geometry import backproject, project, sample
from core.rasterizer import rasterize_depth

ROUNDS = 4
"""Steps in which the place before a motion is found; motions are smooth, and each step halves the error at least."""


def move(canon_depth: Tensor, motion: Tensor) -> Tensor:
    """Canonical points (B, H, W, 3) of a surface that has moved.

    Args:
        canon_depth: (B, H, W) before.
        motion: (B, 3, H, W) camera-distance units, canonical frame, of the point at each canonical pixel.
    """
    return backproject(canon_depth) + motion.movedim(1, -1)


def unmove(points: Tensor, motion: Tensor) -> Tensor:
    """Where points (B, h, w, 3) of a surface that has moved were before; see `move`."""
    before = points
    for _ in range(ROUNDS):
        before = points - sample(motion, project(before, motion.shape[-1])).movedim(1, -1)
    return before


def moved_depth(canon_depth: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Canonical depth (B, H, W) after a motion, and the canonical pixel (B, H, W, 2) where each of its places was."""
    size = canon_depth.shape[-1]
    depth, _ = rasterize_depth(move(canon_depth, motion), size)
    return depth, project(unmove(backproject(depth), motion), size)
