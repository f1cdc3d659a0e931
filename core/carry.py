"""A photo's own detail on a face that has changed: another expression, another identity, at display size.

The decoded maps before and after say how the face changes, at the model's size. Their motion is found and moves the
photo's pixels; what is left of the change, folds and shadows above all, is multiplied in where the model is confident;
and what no motion explains in the mouth, teeth above all, is the donor's, moved to where the new face has it.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.detail import head_surface
from core.geometry import transform
from core.render import FLOOR, PhotoFace, blur, crop_grid, crop_points, enlarge, lerp, soft_step
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
MOUTH = (-0.5, 0.5, 0.25, 0.85)
"""Left, right, top and bottom of where mouths are, canonical crop coordinates."""
NEW = (0.12, 0.3)
"""Change, natural logarithm, from which and up to which the mouth's inside is the donor's."""


def carry(face: PhotoFace, before: Factors, after: Factors,
          donor: tuple[PhotoFace, Factors] | None = None) -> PhotoFace:
    """Change a prepared face as its factors have changed.

    Args:
        face: B faces of `core.detail.transfer`.
        before: the factors they were made of.
        after: the same faces changed: `LatentFace.swap`, `interpolate`, `neutral`.
        donor: the faces that gave the expression, prepared in the same way, and their factors; None leaves the mouth's
            inside to the model.

    Returns:
        B faces to `draw`, in the pose and light of `face`.
    """
    depth, normal, _ = head_surface(after.canon_depth)
    on_face = face.alpha * (1 - face.beyond)
    starts = [before.canon_albedo, donor[1].canon_albedo] if donor else [before.canon_albedo]
    flows = motion(torch.cat(starts), after.canon_albedo.repeat(len(starts), 1, 1, 1)).split(len(depth))
    flow = enlarge(flows[0], on_face.shape[-1]) * on_face  # hair, ears and what is behind keep still
    picture = moved(face.picture, flow)

    left = (after.canon_albedo + 0.02).log() - moved((before.canon_albedo + 0.02).log(), flow)
    left = enlarge(left, on_face.shape[-1])
    shading = shade(normal, face.light).clamp(min=FLOOR)
    moved_shading = moved(shade(face.normal, face.light).clamp(min=FLOOR), flow)
    seen = transform(crop_points(depth, face.tangent), face.view)
    seen = seen[..., :2] / seen[..., 2:] / face.tangent[:, None, None, None]
    trust = F.grid_sample(after.confidence, seen, padding_mode="border", align_corners=False) * on_face
    change = left.clamp(-LARGEST_CHANGE, LARGEST_CHANGE) + (shading / moved_shading).log()
    picture = (picture * enlarge((change * trust).exp(), picture.shape[-1])).clamp(0, 1)
    if donor:
        picture = _with_mouth(picture, moved(donor[0].picture, flows[1]), left)
    return PhotoFace(picture, face.alpha, face.beyond, depth, normal, face.surroundings, face.blurred, face.tangent,
                     face.light, face.view)


def motion(before: Tensor, after: Tensor) -> Tensor:
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


def _with_mouth(picture: Tensor, other: Tensor, left: Tensor) -> Tensor:
    """Put the mouth of another picture where the change `left` (B, 3, G, G) over from motion is large."""
    size, grid = picture.shape[-1], left.shape[-1]
    x, y = crop_grid(left, grid).unbind(-1)
    first, last, top, bottom = MOUTH
    window = soft_step((x - first) / 0.15) * soft_step((last - x) / 0.15)
    window = window * soft_step((y - top) / 0.15) * soft_step((bottom - y) / 0.15)
    new = soft_step((blur(left.abs().amax(1, keepdim=True), 2) - NEW[0]) / (NEW[1] - NEW[0])) * window[:, None]
    # The donor's light and complexion are not taken along.
    widened = F.max_pool2d(F.max_pool2d(new, (9, 1), 1, (4, 0)), (1, 9), 1, (0, 4))
    around = blur(widened - new, 3) + 1e-3
    around = around / around.sum((2, 3), keepdim=True)
    own, its = ((F.interpolate(maps, (grid, grid), mode="area") * around).sum((2, 3), keepdim=True)
                for maps in (picture, other))
    other = (other * (own / its.clamp(min=0.02)).clamp(0.4, 2.5)).clamp(0, 1)
    return lerp(picture, other, enlarge(new, size))
