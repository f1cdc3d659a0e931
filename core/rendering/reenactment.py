"""Reenactment: a photo's face with another expression, at display size.

The expression basis knows how an expression moves the points of a face, and that motion moves the photo's own pixels.
Lips and lids open and close as the donor's do; only teeth and tongue are copied from the donor. Glasses stay where they
are. Changes of the decoded maps that the motion does not explain, mainly folds and shadows, are multiplied in where the
model is confident.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import crop_grid, crop_points, transform
from core.geometry.displacement import limit_strain, motion_flow, regularize
from core.geometry.filters import blur, lerp, smoothstep, upsample
from core.geometry.shading import shade
from core.model.fine import move_detail
from core.rendering.compositor import MIN_SHADING
from core.rendering.glasses import glasses
from core.rendering.mouth_eyes import (
    OVERLAP,
    SEAL,
    Contours,
    blend_mouth_interior,
    darken_mouth_interior,
    retarget_eyes,
    retarget_lips,
    split_at_lips,
)
from core.rendering.texture_transfer import head_surface, photo_tangent
from core.types import Factors, TexturedFace

LEVELS = (16, 32, 64)
"""Map sizes at which the optical flow is estimated, coarse to fine."""
ROUNDS = 3
"""Iterations of the optical flow at each size."""
STIFFNESS = 2e-3
"""Squared contrast of a pixel below which the optical flow stays near 0."""
LARGEST_CHANGE = 0.7
"""Largest brightening or darkening by the remaining change, natural logarithm."""

RIM = 0.04
"""Sigma of the fade of the motion across the face's edge, as part of the crop's side: hair and neck move a little,
else jaw and hairline would tear."""


@dataclass
class Reenactment:
    """The change of a face: how its points move, how far its eyes close, and the donor of its mouth."""

    motion: Tensor
    """(B, 3, H, W) of the canonical points at full strength, camera-distance units (ExpressionBasis.displace)."""
    to_neutral: Tensor
    """(B, 3, H, W) the part of `motion` that removes the face's own expression."""
    closing: list[Tensor]
    """(B, 1) for each eye, the one on the image's left first: how far its lid comes down, 0 to 1."""
    donor: TexturedFace | None = None
    """The face whose mouth is imitated; None: the mouth opens as the motion says, and its interior is dark."""
    keep_interior: bool = False
    """Whether a mouth that is open in the photo keeps its own teeth and tongue, also at full strength."""
    aperture: Tensor | None = field(default=None, init=False)
    """How far the mouth opens at full strength, where no donor says it: found at the first use."""


def reenact(face: TexturedFace, after: Factors, change: Reenactment | None, strength: float = 1.0) -> TexturedFace:
    """Change a textured face as its factors have changed.

    Args:
        face: B faces of core.rendering.texture_transfer.
        after: of the codes of the same faces with the new expression (core.model.code_ops).
        change: how the expression moves them; None: as the optical flow between the decoded maps shows. Where landmarks
            are not known, of the face or of the donor, the mouth moves and does not part.
        strength: 0 … 1.5 of the motion.

    Returns:
        B faces in the pose and light of `face`.
    """
    before, landmarks = face.factors.of_codes, face.landmarks
    on_face = _moving_part(face)
    decoded_flow = optical_flow(before.canon_albedo, same_colors(after.canon_albedo, before.canon_albedo))
    texture, mouth = face.texture, None
    donor = change and change.donor
    if change and landmarks is not None and (donor is None or donor.landmarks is not None):
        flow, mouth = _flow_with_lips(face, landmarks, change, strength, on_face)
        texture = retarget_eyes(face, landmarks, [part * min(1, strength) for part in change.closing])
    else:
        flow = _fade(motion_flow(before.canon_depth, change.motion * strength) if change else decoded_flow, on_face)
    texture = warp(texture, flow)
    factors = after if face.factors.coarse is None else move_detail(face.factors, after, flow)
    depth, normal, _ = head_surface(factors.canon_depth, photo_tangent(factors))
    texture = (texture * upsample(_remaining_change(face, after, depth, normal, on_face, decoded_flow, flow),
                                  texture.shape[-1])).clamp(0, 1)
    if mouth and landmarks is not None:
        keep = 1.0 if change and change.keep_interior else max(0.0, 1 - strength)
        texture = _with_interior(texture, mouth, landmarks, donor, strength, keep)
    if landmarks is not None:
        landmarks = warp_points(landmarks, flow)
        landmarks = mouth.put_into(landmarks) if mouth else landmarks  # the flow jumps where the lips meet
    return replace(face, factors=factors, texture=texture, depth=depth, normal=normal, landmarks=landmarks)


def _moving_part(face: TexturedFace) -> Tensor:
    """How much of an expression's motion reaches each point, (B, 1, G, G): all on the face, none on glasses. Cached."""
    if "_moving_part" not in face.__dict__:
        on_face = face.alpha * (1 - face.periphery)
        found = on_face if face.landmarks is None else on_face * (1 - glasses(face, face.landmarks))
        face.__dict__["_moving_part"] = found
    return face.__dict__["_moving_part"]


def _with_interior(texture: Tensor, mouth: Contours, landmarks: Tensor, donor: TexturedFace | None,
                   strength: float, keep: float) -> Tensor:
    """The texture with what lies between the lips: the donor's teeth and tongue, or darkness.

    keep: part of the photo's own interior that stays in a mouth that was open, 0 to 1.
    """
    was_open = Contours.mouth(landmarks).openness
    if donor is not None and donor.landmarks is not None:
        return blend_mouth_interior(texture, mouth, donor, donor.landmarks, 1 - was_open * keep)
    return darken_mouth_interior(texture, mouth, mouth.openness * (1 - was_open) * min(1, strength))


def _remaining_change(face: TexturedFace, after: Factors, depth: Tensor, normal: Tensor, on_face: Tensor,
                      decoded_flow: Tensor, flow: Tensor) -> Tensor:
    """Factor (B, 3, G, G) of the texture: changes of decoded albedo and shading that the motion does not explain."""
    before = face.factors.of_codes
    albedo = (after.canon_albedo + 0.02).log() - warp((before.canon_albedo + 0.02).log(), decoded_flow)
    shading = shade(normal, face.light).clamp(min=MIN_SHADING)
    warped_shading = warp(shade(face.normal, face.light).clamp(min=MIN_SHADING), flow)
    in_photo = transform(crop_points(depth, face.tangent), face.view)
    in_photo = in_photo[..., :2] / in_photo[..., 2:] / face.tangent[:, None, None, None]
    trust = F.grid_sample(after.confidence, in_photo, padding_mode="border", align_corners=False) * on_face
    change = upsample(albedo, trust.shape[-1]).clamp(-LARGEST_CHANGE, LARGEST_CHANGE)
    return ((change + (shading / warped_shading).log()) * trust).exp()


def _fade(flow: Tensor, on_face: Tensor) -> Tensor:
    """A flow (B, 2, G, G) that fades out beyond the face, with `limit_strain`."""
    size = on_face.shape[-1]
    return limit_strain(upsample(flow, size) * smoothstep(blur(on_face, RIM * size)))


def _flow_with_lips(face: TexturedFace, landmarks: Tensor, change: Reenactment,
                    strength: float, on_face: Tensor) -> tuple[Tensor, Contours]:
    """`motion_flow` at the texture's size, separate for both sides of the mouth, and the mouth's contours after it."""
    canon_depth, before = face.factors.of_codes.canon_depth, Contours.mouth(landmarks)

    def sides_of(motion: Tensor) -> tuple[Tensor, Tensor]:
        above, below = split_at_lips(motion, before)
        return regularize(above), regularize(below)

    def after(sides: tuple[Tensor, Tensor]) -> Contours:
        return Contours(_displaced_places(before.upper, canon_depth, sides[0], face.tangent),
                        _displaced_places(before.lower, canon_depth, sides[1], face.tangent))

    sides = sides_of(change.motion * strength)
    if change.donor is not None and change.donor.landmarks is not None:
        target = before.scaled_aperture(Contours.mouth(change.donor.landmarks))
    elif change.aperture is None:
        # Without its own expression the mouth is closed; it opens as far as the rest of the motion says.
        target = after(sides_of(change.motion)).signed_aperture - after(sides_of(change.to_neutral)).signed_aperture
        change.aperture = target
    else:
        target = change.aperture
    wanted = lerp(before.aperture, target.clamp(min=0), strength).clamp(min=0)
    way = before.aperture - wanted
    seal = torch.minimum(way, SEAL - wanted + OVERLAP * way).clamp(min=0)
    sides = retarget_lips(sides, before, (wanted - seal - after(sides).signed_aperture) * face.tangent[:, None])
    mouth, size = after(sides), face.texture.shape[-1]
    above, below = (upsample(_fade(motion_flow(canon_depth, side), on_face), size) for side in sides)
    return lerp(above, below, mouth.below(size)), mouth


def _displaced_places(places: Tensor, canon_depth: Tensor, motion: Tensor, tangent: Tensor) -> Tensor:
    """Where a motion takes places (B, K, 2) of a surface, crop coordinates."""
    found = F.grid_sample(torch.cat([canon_depth[:, None], motion], 1), places[:, None], padding_mode="border",
                          align_corners=False)[:, :, 0].movedim(1, -1)
    depth, step = found[..., :1], found[..., 1:]
    points = torch.cat([places * tangent[:, None, None] * depth, depth], -1) + step
    return points[..., :2] / points[..., 2:] / tangent[:, None, None]


def optical_flow(before: Tensor, after: Tensor) -> Tensor:
    """Smooth flow (B, 2, h, h), crop coordinates, from each point of `after` to where `before` has it.

    Lucas-Kanade, coarse to fine, on maps (B, 3, h, h); where there is no contrast the flow is 0.
    """
    flow = before.new_zeros(len(before), 2, LEVELS[0], LEVELS[0])
    for level in LEVELS:
        first, second = (F.interpolate(maps, (level, level), mode="area") for maps in (before, after))
        flow = upsample(flow, level)
        for _ in range(ROUNDS):
            warped = warp(first, flow)
            slope_y, slope_x = torch.gradient(warped, dim=(2, 3))
            residual = second - warped
            pairs = ((slope_x, slope_x), (slope_x, slope_y), (slope_y, slope_y),
                     (slope_x, residual), (slope_y, residual))
            xx, xy, yy, x, y = blur(torch.cat([(a * b).sum(1, keepdim=True) for a, b in pairs], 1), 1.5).split(1, 1)
            xx, yy = xx + STIFFNESS, yy + STIFFNESS
            step = torch.cat([yy * x - xy * y, xx * y - xy * x], 1) / (xx * yy - xy * xy)
            flow = blur(flow + step * (2 / level), 1)
    return flow


def same_colors(maps: Tensor, like: Tensor) -> Tensor:
    """Maps (B, 3, h, h) with the mean colours of others: optical flow would take a lighter skin for motion."""
    return maps * (like.mean((2, 3), keepdim=True) / maps.mean((2, 3), keepdim=True).clamp(min=1e-3))


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Sample maps (B, C, h, h) at each point plus `flow` (B, 2, g, g); the result has the size of the maps."""
    size = maps.shape[-1]
    grid = crop_grid(maps, size) + upsample(flow, size).movedim(1, -1)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def warp_points(places: Tensor, flow: Tensor) -> Tensor:
    """Where points (B, K, 2), crop coordinates, of a face lie after `warp` by `flow`."""
    moved = places
    for _ in range(ROUNDS):
        step = F.grid_sample(flow, moved[:, None], padding_mode="border", align_corners=False)[:, :, 0].movedim(1, -1)
        moved = places - step
    return moved
