"""Mouth and eyes of a reenacted face: lips open and close along the line between them, lids close, teeth show.

The motion of an expression is smooth except where the lips meet: there the upper lip follows the face above it and the
lower lip the face below. MediaPipe's landmarks say where the lips and lids are, and how far the donor's mouth is open;
the codes alone are too inexact to place its teeth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import crop_grid
from core.geometry.filters import blur, lerp, smoothstep
from core.geometry.landmark_warp import LIDS, LIPS
from core.types import TexturedFace

LIP = 0.05
"""Distance from the line between the lips at which their motion is read, crop coordinates: half a lip's height."""
SKIN = 0.3
"""Distance from a lip over which the skin follows when the lip is moved further, crop coordinates."""
UPPER_SHARE = 0.3
"""Part of an opening that the upper lip takes; the lower one has the jaw."""
SEAL = 0.02
"""How far lips that close overlap, crop coordinates: landmarks are not exact, and teeth would show between them."""
OVERLAP = 0.1
"""Part of their way by which lips that close overlap besides: the further they move, the less exactly they meet."""
EDGE = 0.015
"""Width of the fade from the mouth's interior to the lips, crop coordinates."""
LID = 0.1
"""Distance above an eye at which skin no longer follows its lid, crop coordinates."""
CLOSED_APERTURE, OPEN_APERTURE = 0.05, 0.16
"""Apertures of an eye, as parts of its width, at which it is closed, and from which it is open: nearly all open eyes of
FairFace reach the second, whatever their shape."""
MIN_CLOSING = 0.02
"""Smaller movements of the lids are skipped."""
OPEN_MOUTH = 0.03
"""Aperture from which a mouth counts as open, crop coordinates."""
BRIGHTNESS_SHARE = 0.7
"""Part of the brightness difference between two faces that is applied to teeth and tongue: the rest is skin color."""
DARK_INTERIOR = (0.30, 0.17, 0.16)
"""Color of a mouth's interior without a donor, as part of the brightness around the mouth."""


@dataclass
class Contours:
    """The mouth or an eye of B faces, between two contours of K points, canonical frame, crop coordinates."""

    upper: Tensor
    """(B, K, 2) from the image's left corner to its right."""
    lower: Tensor
    """(B, K, 2)."""

    @classmethod
    def mouth(cls, landmarks: Tensor) -> Contours:
        """The inner contours of the lips, of landmarks (B, 478, 2)."""
        return cls(*(landmarks[:, contour] for contour in LIPS))

    @classmethod
    def eyes(cls, landmarks: Tensor) -> list[Contours]:
        """The contours of the lids, of landmarks (B, 478, 2); the eye on the image's left first."""
        return [cls(*(landmarks[:, contour] for contour in contours)) for contours in LIDS]

    def put_into(self, landmarks: Tensor) -> Tensor:
        """Landmarks (B, 478, 2) whose lips have these inner contours."""
        placed = landmarks.clone()
        for contour, points in zip(LIPS, (self.upper, self.lower), strict=True):
            placed[:, contour] = points
        return placed

    @property
    def ends(self) -> tuple[Tensor, Tensor]:
        """x (B, 1) of both corners."""
        x = torch.cat([self.upper, self.lower], 1)[..., 0]
        return x.amin(1, keepdim=True), x.amax(1, keepdim=True)

    @property
    def signed_aperture(self) -> Tensor:
        """(B, K) from the upper contour down to the lower one, crop coordinates; below 0 where they cross."""
        return (self.lower - self.upper)[..., 1]

    @property
    def aperture(self) -> Tensor:
        """(B, K) height between the contours, crop coordinates; lips may touch, and never cross."""
        return self.signed_aperture.clamp(min=0)

    def scaled_aperture(self, other: Contours) -> Tensor:
        """(B, K) the aperture of other contours, scaled to the width of these."""
        (left, right), (other_left, other_right) = self.ends, other.ends
        return other.aperture * (right - left) / (other_right - other_left).clamp(min=1e-3)

    @property
    def closedness(self) -> Tensor:
        """(B, 1) of an eye: 0 open, also where it is narrowed, 1 closed."""
        left, right = self.ends
        relative = self.aperture.amax(1, keepdim=True) / (right - left)
        return 1 - smoothstep((relative - CLOSED_APERTURE) / (OPEN_APERTURE - CLOSED_APERTURE))

    @property
    def openness(self) -> Tensor:
        """(B, 1) of a mouth: 0 closed, 1 from `OPEN_MOUTH` on."""
        return smoothstep(self.aperture.amax(1, keepdim=True) / OPEN_MOUTH)

    def heights(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """y (B, K) of both contours at x (B, K); outside the corners, y of the nearer corner."""
        return _height(self.upper, x), _height(self.lower, x)

    def inside(self, size: int) -> Tensor:
        """(B, 1, size, size) 1 between the contours, fading to 0 over them."""
        x, y, (upper, lower) = self.on_grid(size)
        left, right = self.ends
        across = torch.minimum(x - left, right - x)[:, None]
        between = torch.minimum(y - upper[:, None], lower[:, None] - y)
        return smoothstep(torch.minimum(between, across) / EDGE)[:, None]

    def below(self, size: int) -> Tensor:
        """(B, 1, size, size) 1 below the middle between the contours, 0 above it; beside the corners it fades."""
        x, y, (upper, lower) = self.on_grid(size)
        left, right = self.ends
        beside = smoothstep(torch.maximum(left - x, x - right) / SKIN)
        width = (SKIN * beside).clamp(min=1e-4)[:, None]
        return smoothstep((y - (upper + lower)[:, None] / 2) / width + 0.5)[:, None]

    def map_into(self, other: Contours, size: int) -> Tensor:
        """(B, size, size, 2) for each pixel, the point between `other` at the same fraction of width and height."""
        x, y, (upper, lower) = self.on_grid(size)
        (left, right), (other_left, other_right) = self.ends, other.ends
        across = other_left + (x - left) / (right - left).clamp(min=1e-3) * (other_right - other_left)
        other_upper, other_lower = (contour[:, None] for contour in other.heights(across))
        down = ((y - upper[:, None]) / (lower - upper).clamp(min=1e-3)[:, None]).clamp(0, 1)
        down = lerp(other_upper, other_lower, down)
        return torch.stack([across[:, None].expand_as(down), down], -1)

    def on_grid(self, size: int) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """x (B, size) of a crop's columns, y (size, 1) of its rows, and the contours' heights (B, size) there."""
        axis = crop_grid(self.upper, size)[0, 0, :, 0]
        x = axis.expand(len(self.upper), -1)
        return x, axis[:, None], self.heights(x)


def _height(contour: Tensor, x: Tensor) -> Tensor:
    """y at x (B, K) of polylines through points (B, N, 2)."""
    contour = contour.gather(1, contour[..., :1].argsort(1).expand_as(contour))
    after = torch.searchsorted(contour[..., 0].contiguous(), x.contiguous()).clamp(1, contour.shape[1] - 1)
    (x0, y0), (x1, y1) = (contour.gather(1, at[..., None].expand(-1, -1, 2)).unbind(-1) for at in (after - 1, after))
    return lerp(y0, y1, ((x - x0) / (x1 - x0).clamp(min=1e-6)).clamp(0, 1))


def split_at_lips(motion: Tensor, mouth: Contours) -> tuple[Tensor, Tensor]:
    """Split a motion (B, 3, H, W) in two: that above the lips and that below, each continued across the mouth."""
    size = motion.shape[-1]
    x, y, (upper, lower) = mouth.on_grid(size)
    left, right = mouth.ends
    between = ((x > left) & (x < right))[:, None]
    columns, rows = x[:, None].expand(-1, size, -1), y.expand(-1, size)

    def read(side: Tensor) -> Tensor:
        points = torch.stack([columns, torch.where(between, side, rows)], -1)
        return F.grid_sample(motion, points, padding_mode="border", align_corners=False)

    return read(torch.minimum(y, upper[:, None] - LIP)), read(torch.maximum(y, lower[:, None] + LIP))


def retarget_lips(sides: tuple[Tensor, Tensor], mouth: Contours, step: Tensor) -> tuple[Tensor, Tensor]:
    """Both motions of `split_at_lips` with the lips moved apart.

    Args:
        sides: (B, 3, H, W) each.
        mouth: before the motion.
        step: (B, 11) change of the aperture along the contours, camera-distance units; below 0 it closes.
    """
    x, y, (upper, lower) = mouth.on_grid(sides[0].shape[-1])
    step = _height(torch.stack([mouth.upper[..., 0], step], -1), x)[:, None]

    def moved(motion: Tensor, share: float, distance: Tensor) -> Tensor:
        down = share * step * (-(distance.clamp(min=0) / SKIN) ** 2).exp()
        return motion + torch.stack([torch.zeros_like(down), down, torch.zeros_like(down)], 1)

    return (moved(sides[0], -UPPER_SHARE, upper[:, None] - LIP - y),
            moved(sides[1], 1 - UPPER_SHARE, y - lower[:, None] - LIP))


def retarget_eyes(face: TexturedFace, landmarks: Tensor, closing: list[Tensor]) -> Tensor:
    """The texture (B, 3, T, T) of a face whose lids come down; eyes that are closed stay closed.

    Args:
        face: B faces.
        landmarks: (B, 478, 2) of the faces.
        closing: (B, 1) for each eye, the one on the image's left first: 0 as it is, 1 closed.
    """
    texture, size = face.texture, face.texture.shape[-1]
    if max(part.max() for part in closing) < MIN_CLOSING:
        return texture
    places = crop_grid(texture, size).expand(len(texture), -1, -1, -1)
    for eye, part in zip(Contours.eyes(landmarks), closing, strict=True):
        x, y, (upper, lower) = eye.on_grid(size)
        left, right = eye.ends
        down = (part * (lower - upper).clamp(min=0))[:, None]
        top = upper[:, None] - LID
        # The skin between brow and lid is stretched down to the lid's new position; below it nothing moves.
        lid = (y > top) & (y < upper[:, None] + down) & ((x > left) & (x < right))[:, None]
        source = top + (y - top) * LID / (LID + down)
        places = torch.stack([places[..., 0], torch.where(lid, source, places[..., 1])], -1)
    return F.grid_sample(texture, places, padding_mode="border", align_corners=False)


def blend_mouth_interior(texture: Tensor, mouth: Contours, donor: TexturedFace, donor_landmarks: Tensor,
                         amount: Tensor) -> Tensor:
    """Put the interior of the donor's mouth between the lips of a texture (B, 3, T, T), at that face's brightness.

    amount: (B, 1) how much of it; the rest is what was there before.
    """
    theirs, size = Contours.mouth(donor_landmarks), texture.shape[-1]
    interior = F.grid_sample(donor.texture, mouth.map_into(theirs, size), padding_mode="border", align_corners=False)
    own, its = _brightness_around(texture, mouth), _brightness_around(donor.texture, theirs)
    # Odds are scaled, not values, so that teeth stay below white; by a bounded factor, as dark photos hold few colors.
    brighter = (BRIGHTNESS_SHARE * (own.logit(0.02) - its.logit(0.02))).clamp(-1, 1)
    interior = (interior.logit(1e-3) + brighter).sigmoid()
    return lerp(texture, interior, mouth.inside(size) * amount[:, :, None, None])


def darken_mouth_interior(texture: Tensor, mouth: Contours, amount: Tensor) -> Tensor:
    """Fill the mouth of a texture (B, 3, T, T) that opens without a donor: dark, as no photo shows its teeth.

    amount: (B, 1) how much of it.
    """
    interior = _brightness_around(texture, mouth) * texture.new_tensor(DARK_INTERIOR)[:, None, None]
    return lerp(texture, interior, mouth.inside(texture.shape[-1]) * amount[:, :, None, None])


def _brightness_around(texture: Tensor, mouth: Contours, size: int = 64) -> Tensor:
    """(B, 1, 1, 1) mean brightness of a texture around a mouth."""
    mask = mouth.inside(size)
    ring = blur(F.max_pool2d(mask, 13, 1, 6) - F.max_pool2d(mask, 5, 1, 2), 1) + 1e-6
    small = F.adaptive_avg_pool2d(texture, size).mean(1, keepdim=True)
    return (small * ring).sum((2, 3), keepdim=True) / ring.sum((2, 3), keepdim=True)
