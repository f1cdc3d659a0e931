"""Mouth and eyes of a photo that is given another expression.

What moves a face is smooth but where the lips meet: there the upper lip follows what is above it, and the lower lip
what is below. Where they then are is known from MediaPipe's landmarks, and so is the donor's mouth: how far it is open
is not left to what codes tell, or its teeth would not fit. Nor do codes of photos tell whether eyes are closed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import crop_grid
from core.geometry.filters import blur, lerp, smoothstep
from core.geometry.landmark_warp import LIDS, LIPS
from core.rendering.compositor import TexturedFace

LIP = 0.05
"""How far from the line between the lips their own motion is read, in crop coordinates: half a lip's height."""
SKIN = 0.3
"""Distance from a lip over which the skin beside it follows when it is moved further, crop coordinates."""
UPPER = 0.3
"""Part of that which the upper lip does; the lower one has the jaw."""
EDGE = 0.015
"""Width in which the inside of the mouth fades into the lips, crop coordinates."""
LID = 0.1
"""From an eye up to where skin no longer follows its lid, crop coordinates."""
SHUT = 0.05, 0.16
"""Heights of an eye, as parts of its width, at which it is closed, and from which it is open: nearly all open eyes of
FairFace are as high, whatever their shape."""
LEAST = 0.02
"""Less than this of a movement is not worth the time."""
OPEN = 0.03
"""Height from which a mouth counts as open, crop coordinates."""
SHARE = 0.7
"""Part of the difference in brightness between two faces that teeth and tongue show: some of it is skin alone."""


@dataclass
class Contours:
    """The mouth or an eye of B faces, between two rims of K points, canonical frame, crop coordinates."""

    upper: Tensor
    """(B, K, 2) from the image's left corner to its right."""
    lower: Tensor
    """(B, K, 2)."""

    @classmethod
    def mouth(cls, landmarks: Tensor) -> Contours:
        """Between the lips of landmarks (B, 478, 2)."""
        return cls(*(landmarks[:, rim] for rim in LIPS))

    @classmethod
    def eyes(cls, landmarks: Tensor) -> list[Contours]:
        """Between the lids of landmarks (B, 478, 2), the eye on the image's left first."""
        return [cls(*(landmarks[:, rim] for rim in rims)) for rims in LIDS]

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """x (B, 1) of both corners."""
        x = torch.cat([self.upper, self.lower], 1)[..., 0]
        return x.amin(1, keepdim=True), x.amax(1, keepdim=True)

    @property
    def gap(self) -> Tensor:
        """(B, K) between the rims, crop coordinates; lips may touch, and never cross."""
        return (self.lower - self.upper)[..., 1].clamp(min=0)

    def gap_of(self, other: Contours) -> Tensor:
        """(B, K) the gap of another one, were it as wide as this one."""
        (left, right), (other_left, other_right) = self.ends, other.ends
        return other.gap * (right - left) / (other_right - other_left).clamp(min=1e-3)

    @property
    def shut(self) -> Tensor:
        """(B, 1) how far an eye is closed: 0 open, also where it is narrowed, 1 closed."""
        left, right = self.ends
        return 1 - smoothstep((self.gap.amax(1, keepdim=True) / (right - left) - SHUT[0]) / (SHUT[1] - SHUT[0]))

    @property
    def opened(self) -> Tensor:
        """(B, 1) how far it is open: 0 closed, 1 from `OPEN` on."""
        return smoothstep(self.gap.amax(1, keepdim=True) / OPEN)

    def heights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, K) of both rims at places x (B, K) across; beyond the corners those of the corners."""
        return _height(self.upper, x), _height(self.lower, x)

    def inside(self, size: int) -> Tensor:
        """(B, 1, size, size) 1 between the rims, fading to 0 over them."""
        x, y, (upper, lower) = self.over(size)
        left, right = self.ends
        across = torch.minimum(x - left, right - x)[:, None]
        between = torch.minimum(y - upper[:, None], lower[:, None] - y)
        return smoothstep(torch.minimum(between, across) / EDGE)[:, None]

    def below(self, size: int) -> Tensor:
        """(B, 1, size, size) true below the line between the rims, and below its ends beside them."""
        _, y, (upper, lower) = self.over(size)
        return (y > (upper + lower)[:, None] / 2)[:, None]

    def places_in(self, other: Contours, size: int) -> Tensor:
        """(B, size, size, 2) for each place in this one, that in another one: as far across, as far down."""
        x, y, (upper, lower) = self.over(size)
        (left, right), (other_left, other_right) = self.ends, other.ends
        across = other_left + (x - left) / (right - left).clamp(min=1e-3) * (other_right - other_left)
        other_upper, other_lower = (rim[:, None] for rim in other.heights(across))
        down = ((y - upper[:, None]) / (lower - upper).clamp(min=1e-3)[:, None]).clamp(0, 1)
        down = lerp(other_upper, other_lower, down)
        return torch.stack([across[:, None].expand_as(down), down], -1)

    def over(self, size: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """x (B, size) of the columns of a crop, y (size, 1) of its rows, and the rims' heights (B, size) there."""
        axis = crop_grid(self.upper, size)[0, 0, :, 0]
        x = axis.expand(len(self.upper), -1)
        return x, axis[:, None], self.heights(x)


def _height(rim: Tensor, x: Tensor) -> Tensor:
    """y at places x (B, K) of lines through points (B, N, 2)."""
    rim = rim.gather(1, rim[..., :1].argsort(1).expand_as(rim))
    after = torch.searchsorted(rim[..., 0].contiguous(), x.contiguous()).clamp(1, rim.shape[1] - 1)
    (x0, y0), (x1, y1) = (rim.gather(1, at[..., None].expand(-1, -1, 2)).unbind(-1) for at in (after - 1, after))
    return lerp(y0, y1, ((x - x0) / (x1 - x0).clamp(min=1e-6)).clamp(0, 1))


def split_at_lips(motion: Tensor, mouth: Contours) -> tuple[Tensor, Tensor]:
    """A motion (B, 3, H, W) as the face above the lips goes on across the mouth, and as the face below does."""
    size = motion.shape[-1]
    x, y, (upper, lower) = mouth.over(size)
    left, right = mouth.ends
    between = ((x > left) & (x < right))[:, None]
    sides = torch.minimum(y, upper[:, None] - LIP), torch.maximum(y, lower[:, None] + LIP)
    columns, rows = x[:, None].expand(-1, size, -1), y.expand(-1, size)
    return tuple(F.grid_sample(motion, torch.stack([columns, torch.where(between, side, rows)], -1),
                               padding_mode="border", align_corners=False) for side in sides)


def retarget_lips(sides: tuple[Tensor, Tensor], mouth: Contours, step: Tensor) -> tuple[Tensor, Tensor]:
    """Both motions of `split_at_lips` with the lips further from each other.

    Args:
        sides: (B, 3, H, W) each.
        mouth: before the motion.
        step: (B, 11) by how much, along the rims, camera-distance units; below 0 they come nearer.
    """
    x, y, (upper, lower) = mouth.over(sides[0].shape[-1])
    step = _height(torch.stack([mouth.upper[..., 0], step], -1), x)[:, None]
    result = []
    for motion, part, away in ((sides[0], -UPPER, upper[:, None] - LIP - y),
                               (sides[1], 1 - UPPER, y - lower[:, None] - LIP)):
        down = part * step * (-(away.clamp(min=0) / SKIN) ** 2).exp()
        result.append(motion + torch.stack([torch.zeros_like(down), down, torch.zeros_like(down)], 1))
    return tuple(result)


def retarget_eyes(face: TexturedFace, donor: TexturedFace, amount: float) -> Tensor:
    """The picture (B, 3, T, T) of a face whose lids come down as the donor's do; eyes that are closed stay closed."""
    picture, size = face.picture, face.picture.shape[-1]
    closing = [donor_eye.shut * min(1, amount) for donor_eye in Contours.eyes(donor.landmarks)]
    if max(part.max() for part in closing) < LEAST:
        return picture
    places = crop_grid(picture, size).expand(len(picture), -1, -1, -1)
    for eye, part in zip(Contours.eyes(face.landmarks), closing, strict=True):
        x, y, (upper, lower) = eye.over(size)
        left, right = eye.ends
        down = (part * (lower - upper).clamp(min=0))[:, None]
        top = upper[:, None] - LID
        # What lay between brow and lid is stretched until the lid is where it should be; below that nothing moves.
        lid = (y > top) & (y < upper[:, None] + down) & ((x > left) & (x < right))[:, None]
        source = top + (y - top) * LID / (LID + down)
        places = torch.stack([places[..., 0], torch.where(lid, source, places[..., 1])], -1)
    return F.grid_sample(picture, places, padding_mode="border", align_corners=False)


def blend_mouth_interior(picture: Tensor, mouth: Contours, donor: TexturedFace, amount: Tensor) -> Tensor:
    """Put the inside of the donor's mouth between the lips of a picture (B, 3, T, T), as bright as that face is.

    amount: (B, 1) how much of it; the rest is what was there before.
    """
    theirs, size = Contours.mouth(donor.landmarks), picture.shape[-1]
    shown = F.grid_sample(donor.picture, mouth.places_in(theirs, size), padding_mode="border", align_corners=False)
    own, its = (_around(maps, part) for maps, part in ((picture, mouth), (donor.picture, theirs)))
    # Of odds, not of values: teeth stay below white, and within bounds, since dark photos have no colours to brighten.
    brighter = (SHARE * (own.logit(0.02) - its.logit(0.02))).clamp(-1, 1)
    shown = (shown.logit(1e-3) + brighter).sigmoid()
    return lerp(picture, shown, mouth.inside(size) * amount[:, :, None, None])


def _around(picture: Tensor, mouth: Contours, size: int = 64) -> Tensor:
    """(B, 1, 1, 1) mean brightness of a picture about a mouth."""
    mask = mouth.inside(size)
    ring = blur(F.max_pool2d(mask, 13, 1, 6) - F.max_pool2d(mask, 5, 1, 2), 1) + 1e-6
    small = F.adaptive_avg_pool2d(picture, size).mean(1, keepdim=True)
    return (small * ring).sum((2, 3), keepdim=True) / ring.sum((2, 3), keepdim=True)
