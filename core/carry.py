"""A photo's own detail on a face that has changed: another expression, another identity, at display size.

What an expression does to the points of a face is known, and moves the photo's pixels; where lips part, the mouth is
the donor's. Another identity's motion is found between the decoded maps before and after. What no motion explains in
these, folds and shadows above all, is multiplied in where the model is confident.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.detail import head_surface
from core.geometry import pixel_grid, transform
from core.motion import moved_depth, parted_lips
from core.render import FLOOR, PhotoFace, blur, crop_grid, crop_points, enlarge, lerp
from core.shading import shade
from core.types import Factors

LEVELS = (16, 32, 64)
"""Sides at which motion is looked for, coarse to fine."""
ROUNDS = 3
"""Times that motion is improved at each."""
STIFFNESS = 2e-3
"""Squared contrast a pixel that is worth a motion: below it the face keeps still."""
LARGEST_CHANGE = 0.7
"""Most by which the remaining change brightens or darkens, natural logarithm."""
LIPS = 7
"""Width of the lips and of the fade around them, in pixels of the motion's map."""


def carry(face: PhotoFace, before: Factors, after: Factors, motion: Tensor | None = None,
          donor: PhotoFace | None = None) -> PhotoFace:
    """Change a prepared face as its factors have changed.

    Args:
        face: B faces of `core.detail.transfer`.
        before: the factors they were made of.
        after: the same faces changed: `LatentFace.swap`, `interpolate`, `neutral`.
        motion: (B, 3, H, W) how the expression moves them, of `LatentFace.motion`; None: as the maps show.
        donor: the faces that gave the expression, prepared in the same way; None leaves the mouth's inside as it is.

    Returns:
        B faces to `draw`, in the pose and light of `face`.
    """
    depth, normal, _ = head_surface(after.canon_depth)
    on_face = face.alpha * (1 - face.beyond)
    shown = find_flow(before.canon_albedo, after.canon_albedo)
    flow, parted = shown, None
    if motion is not None:
        flow, parted = _expression_flow(before.canon_depth, motion)
    wide = enlarge(flow, on_face.shape[-1]) * on_face  # hair, ears and what is behind keep still
    picture = moved(face.picture, wide)

    left = (after.canon_albedo + 0.02).log() - moved((before.canon_albedo + 0.02).log(), shown)
    shading = shade(normal, face.light).clamp(min=FLOOR)
    moved_shading = moved(shade(face.normal, face.light).clamp(min=FLOOR), wide)
    seen = transform(crop_points(depth, face.tangent), face.view)
    seen = seen[..., :2] / seen[..., 2:] / face.tangent[:, None, None, None]
    trust = F.grid_sample(after.confidence, seen, padding_mode="border", align_corners=False) * on_face
    change = enlarge(left, trust.shape[-1]).clamp(-LARGEST_CHANGE, LARGEST_CHANGE) + (shading / moved_shading).log()
    picture = (picture * enlarge((change * trust).exp(), picture.shape[-1])).clamp(0, 1)
    if donor and parted is not None:
        mouth = blur(F.max_pool2d(parted, 2 * LIPS + 1, 1, LIPS), 1)
        picture = _with_mouth(picture, donor.picture, mouth)
    return PhotoFace(picture, face.alpha, face.beyond, depth, normal, face.surroundings, face.blurred, face.tangent,
                     face.light, face.view)


def _expression_flow(canon_depth: Tensor, motion: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 2, H, W) from each place of the moved face to where it was, crop coordinates, and `parted_lips`."""
    size = canon_depth.shape[-1]
    _, origin = moved_depth(canon_depth, motion)
    return ((origin - pixel_grid(size, origin.device)) * (2 / size)).movedim(-1, 1), parted_lips(origin)


def find_flow(before: Tensor, after: Tensor) -> Tensor:
    """Smooth motion (B, 2, h, h), crop coordinates, from each place of `after` to where `before` has it.

    Lucas-Kanade, coarse to fine, on maps (B, 3, h, h); where nothing has contrast nothing moves.
    """
    flow = before.new_zeros(len(before), 2, LEVELS[0], LEVELS[0])
    for level in LEVELS:
        first, second = (F.interpolate(maps, (level, level), mode="area") for maps in (before, after))
        flow = enlarge(flow, level)
        for _ in range(ROUNDS):
            found = moved(first, flow)
            slope_y, slope_x = torch.gradient(found, dim=(2, 3))
            rest = second - found
            pairs = ((slope_x, slope_x), (slope_x, slope_y), (slope_y, slope_y), (slope_x, rest), (slope_y, rest))
            xx, xy, yy, x, y = blur(torch.cat([(a * b).sum(1, keepdim=True) for a, b in pairs], 1), 1.5).split(1, 1)
            xx, yy = xx + STIFFNESS, yy + STIFFNESS
            step = torch.cat([yy * x - xy * y, xx * y - xy * x], 1) / (xx * yy - xy * xy)
            flow = blur(flow + step * (2 / level), 1)
    return flow


def moved(maps: Tensor, flow: Tensor) -> Tensor:
    """Read maps (B, C, h, h) at each place plus `flow` (B, 2, g, g); the result has the size of the maps."""
    size = maps.shape[-1]
    grid = crop_grid(maps, size) + enlarge(flow, size).movedim(1, -1)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def _with_mouth(picture: Tensor, other: Tensor, mouth: Tensor) -> Tensor:
    """Put the mouth of another picture where `mouth` (B, 1, h, h) says, without the donor's light and complexion."""
    size = mouth.shape[-1]
    around = blur(F.max_pool2d(mouth, 9, 1, 4) - mouth, 1) + 1e-3
    around = around / around.sum((2, 3), keepdim=True)
    own, its = ((F.interpolate(maps, (size, size), mode="area") * around).sum((2, 3), keepdim=True)
                for maps in (picture, other))
    # Of odds, not of values: skin and lips get the face's complexion, and teeth stay below white.
    other = (other.logit(1e-3) + own.logit(0.02) - its.logit(0.02)).sigmoid()
    return lerp(picture, other, enlarge(mouth, picture.shape[-1]))
