"""Move the canonical points of a face, and find where they were before (expressions, reenactment)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import backproject, intrinsics, pixel_grid, project, sample
from core.geometry.filters import blur, lerp
from core.geometry.rasterizer import rasterize_depth

SQUEEZED = 0.35, 0.7
"""Change of a motion between pixel rows, pixels: smoothing starts at the first, and is full at the second."""
NEAR = 6
"""Pixels around such places that are smoothed too."""
MAX_STRAIN = 0.6
"""Gradient (Frobenius norm) to which a flow is smoothed. Up to it nothing folds: the Jacobian's determinant is at least
(1 - MAX_STRAIN)² = 0.16."""
SMOOTHINGS = 12
"""Largest number of times that `limit_strain` smooths a flow. On photos that is enough for every named expression at
strength 1 but an open jaw, which keeps 0.75."""
ROUNDS = 4
"""Fixed-point iterations of `undisplace`; motions are smooth, and each one at least halves the error."""


def regularize(motion: Tensor) -> Tensor:
    """A motion (B, 3, H, W), smoothed where it squeezes or stretches a face too much: raised brows are the usual case.

    It folds less often, but still may; see `limit_strain`.
    """
    size = motion.shape[-1]
    focal, _ = intrinsics(size)
    squeezed = torch.gradient(motion[:, 1:2] * focal, dim=2)[0].abs()
    where = F.max_pool2d(((squeezed - SQUEEZED[0]) / (SQUEEZED[1] - SQUEEZED[0])).clamp(0, 1), 2 * NEAR + 1, 1, NEAR)
    return lerp(motion, blur(motion, size / 16), blur(where, NEAR / 2))


def strain(flow: Tensor) -> Tensor:
    """Gradient (B, 1, H, W) of a flow (B, 2, H, W) in crop coordinates, Frobenius norm: 0 where all moves alike."""
    down, right = torch.gradient(flow * (flow.shape[-1] / 2), dim=(2, 3))
    return (down.square() + right.square()).sum(1, keepdim=True).sqrt()


def limit_strain(flow: Tensor) -> Tensor:
    """A flow (B, 2, H, W), crop coordinates, smoothed where its `strain` exceeds `MAX_STRAIN`.

    It ends when no strain exceeds that, or after `SMOOTHINGS` times: what is left may then fold.
    """
    sigma = flow.shape[-1] / 32
    for _ in range(SMOOTHINGS):
        excess = strain(flow) / MAX_STRAIN - 1
        if excess.max() <= 0:
            break
        reach = 2 * round(2 * sigma) + 1
        # Rows, then columns: the same maximum, several times as fast as over the square.
        where = F.max_pool2d((excess > 0).to(flow), (reach, 1), 1, (reach // 2, 0))
        where = blur(F.max_pool2d(where, (1, reach), 1, (0, reach // 2)), sigma)
        flow = lerp(flow, blur(flow, sigma), where)
    return flow


def displace(canon_depth: Tensor, motion: Tensor) -> Tensor:
    """Canonical points (B, H, W, 3) of a displaced surface.

    Args:
        canon_depth: (B, H, W) before.
        motion: (B, 3, H, W) camera-distance units, canonical frame, of the point at each canonical pixel.
    """
    return backproject(canon_depth) + motion.movedim(1, -1)


def undisplace(points: Tensor, motion: Tensor) -> Tensor:
    """Where points (B, h, w, 3) of a displaced surface were before; see `displace`."""
    before = points
    for _ in range(ROUNDS):
        before = points - sample(motion, project(before, motion.shape[-1])).movedim(1, -1)
    return before


def displaced_depth(canon_depth: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """Canonical depth (B, H, W) after a motion, and the canonical pixel (B, H, W, 2) where each of its points was."""
    size = canon_depth.shape[-1]
    depth, _ = rasterize_depth(displace(canon_depth, motion), size)
    return depth, project(undisplace(backproject(depth), motion), size)


def motion_flow(canon_depth: Tensor, motion: Tensor) -> Tensor:
    """(B, 2, H, W) from each point of a displaced face to where it was, crop coordinates."""
    size = canon_depth.shape[-1]
    _, origin = displaced_depth(canon_depth, motion)
    return ((origin - pixel_grid(size, origin.device)) * (2 / size)).movedim(-1, 1)
