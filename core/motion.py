"""How a face moves from one expression to another: canonical points, and where they were before."""

from __future__ import annotations

import torch
from torch import Tensor

from core.geometry import backproject, project, sample
from core.rasterizer import rasterize_depth

ROUNDS = 4
"""Steps in which the place before a motion is found; motions are smooth, and each step halves the error at least."""
MOUTH = (0.25, 0.75, 0.62, 0.79)
"""Left, right, top and bottom of where mouths are, as parts of the canonical map's sides."""
EDGE = 0.05
"""Width in which that window fades out, as a part of the side."""
PARTED = (0.8, 0.7)
"""Rows before for a row after a motion, below which and down to which lips part."""


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


def parted_lips(origin: Tensor) -> Tensor:
    """Where a motion parts the lips, so that what is seen was nowhere before: (B, 1, H, W), [0, 1].

    Args:
        origin: (B, H, W, 2) of `moved_depth`.
    """
    rows = torch.gradient(origin[..., 1], dim=1)[0]
    parted = ((PARTED[0] - rows) / (PARTED[0] - PARTED[1])).clamp(0, 1)
    places = (torch.arange(origin.shape[1], device=origin.device) + 0.5) / origin.shape[1]
    left, right, top, bottom = MOUTH
    across, down = (((places - low) / EDGE).clamp(0, 1) * ((high - places) / EDGE).clamp(0, 1)
                    for low, high in ((left, right), (top, bottom)))
    return (parted * down[:, None] * across)[:, None]
