"""Glasses are found by edges that the decoded face does not have, and no expression bends them."""

import pytest
import torch
import torch.nn.functional as F

from core.rendering.glasses import glasses
from core.rendering.reenactment import Reenactment, reenact
from core.rendering.texture_transfer import texture_from_photo
from tests.core.rendering.test_reenactment import SIZE, X, Y, blob, factors_of, photo_of, skin

EYES = ((-0.3, -0.2), (0.3, -0.2))
PHOTO = 256


def frames(photo: torch.Tensor, shade: float) -> torch.Tensor:
    """A photo with two rims, a bridge and temples drawn on it."""
    axis = (torch.arange(PHOTO) + 0.5) / PHOTO * 2 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    line = torch.zeros(PHOTO, PHOTO, dtype=torch.bool)
    for across, down in EYES:
        line |= (((x - across) / 0.22).square() + ((y - down) / 0.17).square() - 1).abs() < 0.15
    line |= ((y + 0.25).abs() < 0.015) & ((x.abs() < 0.09) | (x.abs() > 0.5) & (x.abs() < 0.75))
    return torch.where(line, shade, photo)


def landmarks() -> torch.Tensor:
    """Landmarks (1, 478, 3) in the photo's pixels: the corners of the eyes, and a closed mouth below them."""
    from core.geometry.landmark_warp import LIDS, LIPS

    places = torch.zeros(478, 2)
    for contours, (across, down) in zip((*LIDS, LIPS), (*EYES, (0.0, 0.5)), strict=True):
        for contour, height in zip(contours, (-0.05, 0.05), strict=True):
            places[list(contour)] = torch.stack([torch.linspace(across - 0.15, across + 0.15, len(contour)),
                                                 torch.full((len(contour),), down + height)], 1)
    for corner, x in ((33, -0.45), (133, -0.15), (362, 0.15), (263, 0.45)):
        places[corner] = torch.tensor([x, -0.2])
    return torch.cat([(places + 1) * PHOTO / 2 - 0.5, torch.zeros(478, 1)], 1)[None]


def textured(shade: float | None):
    """A face with dark eyes, with or without drawn frames."""
    factors = factors_of(skin(*EYES))
    photo = photo_of(factors)
    return texture_from_photo(factors, photo if shade is None else frames(photo, shade), landmarks())


@pytest.mark.parametrize("shade", [0.05, 0.95], ids=["dark", "light"])
def test_frames_are_found_around_the_eyes_and_nowhere_else(shade):
    face = textured(shade)
    found = glasses(face, face.landmarks)[0, 0]
    place = F.interpolate(torch.stack([X, Y])[None], found.shape, mode="bilinear")[0]
    eyes = ((place[0].abs() - 0.3).abs() < 0.2) & ((place[1] + 0.2).abs() < 0.12)
    assert found[eyes].min() > 0.95
    assert found[place[1] > 0.35].max() == 0 and found[place[1] < -0.6].max() == 0


def test_a_bare_face_has_none():
    face = textured(None)
    assert glasses(face, face.landmarks).max() == 0


def test_no_expression_bends_them():
    """Brows and cheeks rise: what lies around the eyes stays behind glasses, and moves in a bare face."""
    motion = torch.zeros(1, 3, SIZE, SIZE)
    motion[:, 1] = -0.006 * (blob(0, -0.2, 0.3) + blob(0, 0.4, 0.2))
    change = Reenactment(motion, torch.zeros_like(motion), [torch.zeros(1, 1)] * 2)
    moved = []
    for shade in (0.05, None):
        face = textured(shade)
        step = (reenact(face, face.factors, change).landmarks - face.landmarks).norm(dim=-1)[0]
        moved.append(step[[33, 133, 362, 263]].mean())
    assert moved[0] < 0.05 * moved[1], moved
