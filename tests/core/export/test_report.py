"""Numbers of a report, from factors with known maps."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core import Codes, Factors, LatentFace, Light, View
from core.export.quality import measure
from core.export.report import asymmetry, error_map, report
from core.export.visualize import light_ball
from core.faces import Crop, find_face
from core.geometry.camera import rotation_matrix

PHOTO = Path(__file__).resolve().parents[2] / "data" / "139_neutral.jpg"


@pytest.fixture
def factors() -> Factors:
    """Constant maps; the face covers everything."""
    maps, colors = torch.ones(1, 64, 64), torch.full((1, 3, 64, 64), 0.5)
    return Factors(colors.clone(), maps, colors.clone(), torch.zeros(1, 64, 64, 3), maps[None], colors, maps,
                   maps[None].clone(), colors.clone(), maps[None], Light.of(0.5, 0.5, 0, 0), View.of(),
                   Codes(torch.zeros(1, 256), torch.zeros(1, 256)))


def test_asymmetry_is_the_difference_between_the_two_halves(factors):
    assert asymmetry(factors) == 0
    factors.canon_albedo[..., :32] += 0.1
    assert asymmetry(factors) == pytest.approx(0.1)


def test_the_error_is_a_share_of_the_faces_contrast_and_counts_only_where_the_face_covers_the_photo(factors):
    factors.image[..., ::2] -= 0.2
    factors.recon_image[..., ::2] -= 0.2
    factors.recon_image[..., :32] += 0.2
    photo = factors.image.repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert error_map(factors).sum() == pytest.approx(0.2 * 32 * 64)
    assert measure(factors, photo).error.item() == pytest.approx(1.0, abs=1e-4)  # half of 0.2, and the spread is 0.1
    factors.recon_mask[..., :32] = 0
    assert measure(factors, photo).error == 0 and error_map(factors).max() == 0


def test_a_light_ball_is_brightest_where_the_light_comes_from():
    ball = light_ball(Light.of(0.1, 0.9, 1, 0), 64)[0].mean(0)  # light from the image's left
    assert ball[32, 12] > ball[32, -12] + 0.2


def poses(photo) -> tuple[dict, dict]:
    """Pose in the crop and in the photo, degrees."""
    face = find_face(photo)
    found = report(LatentFace.from_pretrained().analyze([face]), face)
    return found["pose"], found["pose_in_photo"]


@pytest.fixture(scope="module")
def upright():
    return poses(PHOTO)


def turned(degrees: float) -> Image.Image:
    """The photo turned clockwise, on a grey ground."""
    return Image.open(PHOTO).rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=(128, 128, 128))


def in_turn(first: float, second: float) -> float:
    """Degrees from one angle to another, −180 to 180."""
    return (second - first + 180) % 360 - 180


@pytest.mark.parametrize("degrees", [35, -60, 150])
def test_a_turned_photo_turns_the_pose_in_the_photo_alone(upright, degrees):
    crop, photo = poses(turned(degrees))
    assert in_turn(upright[1]["roll"], photo["roll"]) == pytest.approx(degrees, abs=2.5)
    for found, before in ((crop, upright[0]), (photo, upright[1])):
        assert found["pitch"] == pytest.approx(before["pitch"], abs=4)
        assert found["yaw"] == pytest.approx(before["yaw"], abs=4)
    assert abs(crop["roll"]) < 5


@pytest.mark.parametrize(("orientation", "stored"), [
    (2, Image.Transpose.FLIP_LEFT_RIGHT), (4, Image.Transpose.FLIP_TOP_BOTTOM), (5, Image.Transpose.TRANSPOSE),
    (7, Image.Transpose.TRANSVERSE), (6, Image.Transpose.ROTATE_90)])
def test_the_pose_in_the_photo_is_that_of_the_photo_as_it_is_shown(orientation, stored):
    shown, file, exif = turned(35), io.BytesIO(), Image.Exif()
    exif[0x0112] = orientation
    shown.transpose(stored).save(file, "png", exif=exif)
    assert poses(file.getvalue()) == poses(np.asarray(shown))


def test_a_mirrored_photo_mirrors_the_pose_in_the_photo():
    _, before = poses(turned(35))
    _, after = poses(turned(35).transpose(Image.Transpose.FLIP_LEFT_RIGHT))
    assert after["roll"] == pytest.approx(-before["roll"], abs=3) and abs(after["roll"]) > 30
    assert after["yaw"] == pytest.approx(-before["yaw"], abs=4)


def test_the_crops_turn_follows_the_heads_turn():
    rotation = torch.tensor([[0.3, -0.7, 0.2], [-0.2, 0.5, 3.0]])
    for roll in (0.6, -2.0, 3.1):
        inside = Crop((0, 0), 100, roll).rotation_to_photo(rotation)
        turn = rotation_matrix(torch.tensor([[0, 0, roll]]))
        assert torch.allclose(rotation_matrix(inside), turn @ rotation_matrix(rotation), atol=1e-5)
        assert inside[:, 2].abs().max() <= torch.pi + 1e-6
