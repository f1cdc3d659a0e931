"""One photo in many files, from the file to the report: the same factors, or a caution."""

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from core.config import ASSETS
from core.export.report import report
from core.faces.load_image import read_photo
from tests.core.faces import profiles

PHOTO = sorted((ASSETS / "examples").glob("*.jpg"))[0]
SIDE = 400
DARK = "too dark"


@pytest.fixture(scope="module")
def photo() -> Image.Image:
    """A portrait, 8-bit sRGB."""
    with Image.open(PHOTO) as image:
        return image.convert("RGB").resize((SIDE, SIDE))


@pytest.fixture(scope="module")
def reference(model, photo):
    """Factors and report of the unaltered photo."""
    return reported(model, encoded(photo, "PNG"))


def encoded(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def reported(model, source):
    faces = model.find_faces(source)
    factors = model.analyze(faces[:1])
    return factors, report(factors, faces[0])


def wide_gamut(photo: Image.Image) -> bytes:
    """The photo in Display P3."""
    profile = profiles.rgb_profile(profiles.DISPLAY_P3, profiles.SRGB_CURVE)
    there = ImageCms.profileToProfile(photo, ImageCms.createProfile("sRGB"),
                                      ImageCms.ImageCmsProfile(io.BytesIO(profile)))
    return encoded(there, "PNG", icc_profile=profile)


def with_thumbnail(photo: Image.Image) -> bytes:
    """Two pages, the first a thumbnail."""
    return encoded(photo.resize((96, 96)), "TIFF", save_all=True, append_images=[photo.copy()])


def heic(photo: Image.Image) -> bytes:
    from pillow_heif import from_pillow

    file = io.BytesIO()
    from_pillow(photo).save(file, quality=95)
    return file.getvalue()


@pytest.mark.parametrize("alter", [
    wide_gamut, with_thumbnail, heic, lambda photo: encoded(photo, "JPEG", quality=100, subsampling=0)[:-2],
    lambda photo: encoded(photo, "JPEG2000"), lambda photo: encoded(photo, "TGA")],
    ids=["Display P3", "thumbnail first", "HEIC", "no end marker", "JPEG 2000", "TGA"])
def test_another_file_of_a_photo_gives_its_factors(alter, model, photo, reference):
    factors, found = reported(model, alter(photo))
    assert (factors.canon_albedo - reference[0].canon_albedo).abs().mean() < 0.005
    assert (factors.canon_depth - reference[0].canon_depth).abs().mean() < 0.0005
    assert found["warnings"] == reference[1]["warnings"] == []


@pytest.mark.parametrize("alter", [
    lambda photo: encoded(photo.point(lambda value: value // 10), "PNG"),
    lambda photo: encoded(Image.fromarray(np.asarray(photo.convert("L")).astype(np.uint16) * 16), "PNG")],
    ids=["nearly black", "12 bits in 16"])
def test_a_dark_photo_is_named_and_less_trusted(alter, model, photo, reference):
    _, found = reported(model, alter(photo))
    assert any(DARK in sentence for sentence in found["warnings"])
    assert found["confidence"] < 0.5 * reference[1]["confidence"]


@pytest.mark.parametrize("turn", [-150, -120, -35, 35, 90, 135, 180])
def test_a_turned_photo_has_the_same_pose_and_says_the_turn(turn, model, photo, reference):
    """Degrees clockwise; the pose in the upright crop stays."""
    corner = tuple(read_photo(photo)[2, 2].tolist())
    _, found = reported(model, photo.rotate(-turn, Image.Resampling.BICUBIC, expand=True, fillcolor=corner))
    difference = found["pose_in_photo"]["roll"] - reference[1]["pose_in_photo"]["roll"] - turn
    assert abs((difference + 180) % 360 - 180) < 3
    assert all(abs(found["pose"][angle] - reference[1]["pose"][angle]) < 3 for angle in ("pitch", "yaw", "roll"))
