"""A photo's own detail on a face that has changed: another expression, another identity, at display size.

What an expression does to the points of a face is known, and moves the photo's pixels; lips and lids part and close as
the donor's do, whose teeth and tongue lie between the lips. Another identity's motion is found between the decoded
maps before and after. What no motion explains in these, folds and shadows above all, is multiplied in where the model
is confident.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import crop_grid, crop_points, pixel_grid, transform
from core.geometry.displacement import displaced_depth, regularize
from core.geometry.filters import blur, lerp, upsample
from core.geometry.shading import shade
from core.rendering.compositor import FLOOR, TexturedFace
from core.rendering.mouth_eyes import Contours, blend_mouth_interior, retarget_eyes, retarget_lips, split_at_lips
from core.rendering.texture_transfer import head_surface
from core.types import Factors

LEVELS = (16, 32, 64)
"""Sides at which motion is looked for, coarse to fine."""
ROUNDS = 3
"""Times that motion is improved at each."""
STIFFNESS = 2e-3
"""Squared contrast a pixel that is worth a motion: below it the face keeps still."""
LARGEST_CHANGE = 0.7
"""Most by which the remaining change brightens or darkens, natural logarithm."""


def carry(face: TexturedFace, before: Factors, after: Factors, motion: Tensor | None = None,
          donor: TexturedFace | None = None, amount: float = 1.0) -> TexturedFace:
    """Change a prepared face as its factors have changed.

    Args:
        face: B faces of `core.rendering.texture_transfer.transfer`.
        before: the factors they were made of.
        after: the same faces changed: `LatentFace.swap`, `interpolate`, `neutral`.
        motion: (B, 3, H, W) how the expression moves them, of `LatentFace.motion`; None: as the maps show.
        donor: the faces that gave the expression, prepared in the same way; None: nobody did, and mouths close. Where
            landmarks of either are not known, the mouth moves and does not part.
        amount: how much of the motion, 0 … 1.5.

    Returns:
        B faces to `composite`, in the pose and light of `face`.
    """
    depth, normal, _ = head_surface(after.canon_depth)
    on_face = face.alpha * (1 - face.beyond)
    shown = find_flow(before.canon_albedo, after.canon_albedo)
    own, flow, mouth = face.picture, shown, None
    if motion is not None and face.landmarks is not None and (donor is None or donor.landmarks is not None):
        flow, mouth = _parted(face, donor, before.canon_depth, motion, amount)
        own = retarget_eyes(face, donor, amount) if donor else own
    elif motion is not None:
        flow = _flow(before.canon_depth, motion * amount)
    wide = upsample(flow, max(flow.shape[-1], on_face.shape[-1]))
    wide = wide * upsample(on_face, wide.shape[-1])  # hair, ears and what is behind keep still
    picture = moved(own, wide)

    left = (after.canon_albedo + 0.02).log() - moved((before.canon_albedo + 0.02).log(), shown)
    shading = shade(normal, face.light).clamp(min=FLOOR)
    moved_shading = moved(shade(face.normal, face.light).clamp(min=FLOOR), wide)
    seen = transform(crop_points(depth, face.tangent), face.view)
    seen = seen[..., :2] / seen[..., 2:] / face.tangent[:, None, None, None]
    trust = F.grid_sample(after.confidence, seen, padding_mode="border", align_corners=False) * on_face
    change = upsample(left, trust.shape[-1]).clamp(-LARGEST_CHANGE, LARGEST_CHANGE) + (shading / moved_shading).log()
    picture = (picture * upsample((change * trust).exp(), picture.shape[-1])).clamp(0, 1)
    if mouth and donor:
        picture = blend_mouth_interior(picture, mouth, donor, 1 - Contours.mouth(face.landmarks).opened * max(0, 1 - amount))
    return TexturedFace(picture, face.alpha, face.beyond, depth, normal, face.surroundings, face.blurred, face.tangent,
                     face.light, face.view)


def _flow(canon_depth: Tensor, motion: Tensor) -> Tensor:
    """(B, 2, H, W) from each place of a moved face to where it was, crop coordinates."""
    size = canon_depth.shape[-1]
    _, origin = displaced_depth(canon_depth, motion)
    return ((origin - pixel_grid(size, origin.device)) * (2 / size)).movedim(-1, 1)


def _parted(face: TexturedFace, donor: TexturedFace | None, canon_depth: Tensor, motion: Tensor,
            amount: float) -> tuple[Tensor, Contours]:
    """The same at the picture's size, with lips that part where they are, as far as the donor's; and the mouth then."""
    def after(sides: tuple[Tensor, Tensor]) -> Contours:
        return Contours(*(_moved_places(rim, canon_depth, side, face.tangent)
                       for rim, side in zip((before.upper, before.lower), sides, strict=True)))

    size, before = face.picture.shape[-1], Contours.mouth(face.landmarks)
    sides = tuple(regularize(side) for side in split_at_lips(motion * amount, before))
    theirs = before.gap_of(Contours.mouth(donor.landmarks)) if donor else torch.zeros_like(before.gap)
    wanted = lerp(before.gap, theirs, amount).clamp(min=0)
    sides = retarget_lips(sides, before, (wanted - after(sides).gap) * face.tangent[:, None])
    mouth = after(sides)
    above, below = (upsample(_flow(canon_depth, side), size) for side in sides)
    return torch.where(mouth.below(size), below, above), mouth


def _moved_places(places: Tensor, canon_depth: Tensor, motion: Tensor, tangent: Tensor) -> Tensor:
    """Where a motion takes places (B, K, 2) of a surface, crop coordinates."""
    found = F.grid_sample(torch.cat([canon_depth[:, None], motion], 1), places[:, None], padding_mode="border",
                          align_corners=False)[:, :, 0].movedim(1, -1)
    depth, step = found[..., :1], found[..., 1:]
    points = torch.cat([places * tangent[:, None, None] * depth, depth], -1) + step
    return points[..., :2] / points[..., 2:] / tangent[:, None, None]


def find_flow(before: Tensor, after: Tensor) -> Tensor:
    """Smooth motion (B, 2, h, h), crop coordinates, from each place of `after` to where `before` has it.

    Lucas-Kanade, coarse to fine, on maps (B, 3, h, h); where nothing has contrast nothing moves.
    """
    flow = before.new_zeros(len(before), 2, LEVELS[0], LEVELS[0])
    for level in LEVELS:
        first, second = (F.interpolate(maps, (level, level), mode="area") for maps in (before, after))
        flow = upsample(flow, level)
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
    grid = crop_grid(maps, size) + upsample(flow, size).movedim(1, -1)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
