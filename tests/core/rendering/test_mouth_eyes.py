"""Lips part along their own line as far as the donor's and show its teeth; lids close as the donor's."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.geometry.camera import intrinsics, transform
from core.geometry.displacement import regularize
from core.geometry.landmark_warp import ANCHORS, LANDMARKS, LIDS, LIPS, tps_warp
from core.rendering.compositor import composite
from core.rendering.mouth_eyes import Contours, split_at_lips
from core.rendering.reenactment import Reenactment, reenact
from core.rendering.texture_transfer import texture_from_photo
from core.types import View
from tests.core.rendering.test_reenactment import SIZE, X, Y, blob, factors_of, photo_of, skin

LIP_ROW = 192
"""Row of a 256-pixel image at y = 0.5 in crop coordinates."""


def landmarks_of(gap: float, eye: float = 0.1) -> torch.Tensor:
    """(1, 478, 2), crop coordinates: a mouth at y = 0.5 whose contours are up to `gap` apart, and eyes at y = 0."""
    points = torch.rand(1, LANDMARKS, 2, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    across = torch.linspace(-1, 1, 11)
    for contour, sign in zip(LIPS, (-1, 1), strict=True):
        points[0, contour, 0], points[0, contour, 1] = 0.3 * across, 0.5 + sign * gap / 2 * (1 - across**2)
    across = torch.linspace(-1, 1, 9)
    for contours, side in zip(LIDS, (-1, 1), strict=True):
        for contour, sign in zip(contours, (-1, 1), strict=True):
            points[0, contour, 0], points[0, contour, 1] = 0.4 * side + 0.15 * across, sign * eye / 2 * (1 - across**2)
    return points


def in_pixels(landmarks: torch.Tensor) -> torch.Tensor:
    """The same in pixels of a photo of 256."""
    return (landmarks + 1) * 128 - 0.5


def lips_apart(width: float) -> torch.Tensor:
    """Motion of (1, 3, SIZE, SIZE) canonical points that opens a mouth at y = 0.5, crop widths."""
    apart = width * torch.sign(Y - 0.5) * blob(0.0, 0.5, 0.2)
    return torch.stack([torch.zeros_like(apart), apart * math.tan(math.radians(5)), torch.zeros_like(apart)])[None]


def face_of(photo, gap, eye=0.1):
    return texture_from_photo(factors_of(skin()), photo, in_pixels(landmarks_of(gap, eye)))


def shown(face, motion, donor, amount=1.0):
    """(256, 256) brightness of the face with the expression."""
    factors = factors_of(skin())
    closing = [eye.closedness for eye in Contours.eyes(donor.landmarks)] if donor else [torch.zeros(1, 1)] * 2
    change = Reenactment(motion, motion, closing, donor)
    return composite(reenact(face, factors, change, amount), factors.view, factors.light, 256)[0].mean(0)


@pytest.fixture
def plain():
    return photo_of(factors_of(skin()))


@pytest.fixture
def toothy(plain):
    """Stripes between the lips, in half the light."""
    photo = plain * 0.5
    photo[..., LIP_ROW - 8 : LIP_ROW + 8, 112:144:4] = 0.9
    return photo


MOUTH, BROW = (slice(LIP_ROW - 6, LIP_ROW + 6), slice(116, 140)), (slice(40, 100), slice(60, 200))


@pytest.mark.parametrize("width", [0.0, 0.1])
def test_lips_part_as_far_as_the_donors_whatever_the_motion_says(plain, toothy, width):
    face, motion = face_of(plain, 0.0), lips_apart(width)
    closed, apart = (shown(face, motion, face_of(toothy, gap)) for gap in (0.0, 0.15))
    assert apart[MOUTH].std() > 0.05 > 3 * closed[MOUTH].std()
    torch.testing.assert_close(apart[BROW], closed[BROW], atol=0.01, rtol=0)


def test_a_mouth_closes_with_the_donors_and_as_far_as_is_asked(plain):
    photo = plain.clone()
    photo[..., LIP_ROW - 6 : LIP_ROW + 6, 116:140] = 0.95
    face, donor = face_of(photo, 0.15), face_of(plain, 0.0)
    bright = [(shown(face, lips_apart(0.0), donor, amount) > 0.62).sum().item() for amount in (0.0, 0.5, 1.0)]
    assert bright[0] > 200 and bright[2] < 0.1 * bright[0] < bright[1] < bright[0]
    # Without a donor it closes too, since this motion leads to neutral.
    assert shown(face, lips_apart(0.0), None)[MOUTH].max() < 0.85


@pytest.mark.parametrize(("gap", "target"), [(0.15, 0.0), (0.0, 0.15), (0.15, 0.05)])
def test_the_landmarks_of_the_lips_are_as_far_apart_as_the_lips(plain, gap, target):
    face, donor, factors = face_of(plain, gap), face_of(plain, target), factors_of(skin())
    motion = lips_apart(0.0)
    found = reenact(face, factors, Reenactment(motion, motion, [torch.zeros(1, 1)] * 2, donor))
    assert Contours.mouth(found.landmarks).aperture.max().item() == pytest.approx(target, abs=0.02)


@pytest.mark.parametrize("eye, seen", [(0.1, 1.0), (0.055, 1.0), (0.0, 0.0)])
def test_lids_come_down_only_as_those_that_are_shut(plain, eye, seen):
    photo = plain.clone()
    for x in (77, 179):  # a white of 8 × 12 pixels in either eye
        photo[..., 124:132, x - 6 : x + 6] = 0.95
    donor, motion = face_of(plain, 0.0, eye), lips_apart(0.0)
    before, after = (shown(face_of(photo, 0.0), motion, donor, amount) > 0.85 for amount in (0.0, 1.0))
    assert before.sum() > 100 and abs(after.sum() / before.sum() - seen) < 0.1


def test_each_side_of_the_lips_keeps_to_itself():
    above, below = split_at_lips(lips_apart(0.1), Contours.mouth(landmarks_of(0.0)))
    inside = blob(0.0, 0.5, 0.2) > 0.9
    assert (above[0, 1][inside] < 0).all() and (below[0, 1][inside] > 0).all()
    beside = X.abs() > 0.4
    torch.testing.assert_close(above[0][:, beside], below[0][:, beside])


def test_landmarks_are_found_back_on_the_canonical_face(plain):
    """A surface is seen turned; where its landmarks are then seen, they are on the frontal face."""
    factors, landmarks = factors_of(skin()), landmarks_of(0.1) * 0.5
    turned = replace(factors, view=View.of(yaw=0.3, pitch=-0.1))
    face = texture_from_photo(turned, plain)
    tangent = face.tangent[:, None, None]
    depth = F.grid_sample(face.depth[:, None], landmarks[:, None], align_corners=False)[:, 0, 0, :, None]
    points = transform(F.pad(landmarks * tangent, (0, 1), value=1.0) * depth, turned.view)
    seen = points[..., :2] / points[..., 2:] / tangent
    found = texture_from_photo(turned, plain, in_pixels(seen)).landmarks
    assert (found - landmarks).norm(dim=-1).median() < 0.01


def test_a_map_lies_where_the_landmarks_are():
    """The blob about a mouth is wanted on a face whose mouth is higher and to the right."""
    on = landmarks_of(0.1)[0]
    wanted = tps_warp(blob(0.0, 0.5)[None, None], on, on[None] * 0.8 + torch.tensor([0.1, -0.2]))
    place = wanted[0, 0].flatten().argmax()
    assert (X.flatten()[place] - 0.1).abs() < 0.03 and (Y.flatten()[place] - 0.2).abs() < 0.03
    assert len(set(ANCHORS)) == len(ANCHORS)


def test_a_motion_that_would_fold_a_face_is_smoothed_and_no_other():
    gentle, steep = (torch.stack([torch.zeros_like(Y), -lift * blob(0.0, -0.3, 0.15), torch.zeros_like(Y)])[None]
                     for lift in (0.004, 0.03))
    torch.testing.assert_close(regularize(gentle), gentle)
    focal, _ = intrinsics(SIZE)
    slope = [(torch.gradient(motion[0, 1] * focal, dim=0)[0]).abs().max() for motion in (steep, regularize(steep))]
    assert slope[0] > 1 > slope[1]
