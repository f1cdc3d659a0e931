"""Conversions between the page's values and core's."""

import base64
import io
import math
from dataclasses import astuple, replace

import numpy as np
import pytest
import torch
from PIL import Image

from app.session.session import Session
from app.session.settings import FRONT
from app.widgets import photo, readout
from app.widgets.images import SCALES, color_map, jpeg_url, png_url
from app.widgets.light import ball_url
from core import Codes, Factors, Light, View
from core.edits import LightSettings, Pose
from core.export.quality import TYPICAL_SPREAD
from core.export.report import error_map
from core.export.visualize import to_uint8
from core.faces import face_from_crop


def decoded(url: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(url.split(",", 1)[1])))


def session(pose=FRONT, confidence=0.95, side=300.0, faces=1) -> Session:
    """A session with the given estimates: maps are constant, and the photo is noise, which is sharp everywhere."""
    image = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    face = face_from_crop(image, photo.crop_of(image, 50, 50, side / 6, 0))
    maps, colors = torch.full((1, 64, 64), 1.0), torch.full((1, 3, 64, 64), 0.5)
    seen = colors + TYPICAL_SPREAD * (torch.arange(64) % 2 * 2 - 1)
    factors = Factors(seen, maps, colors, torch.zeros(1, 64, 64, 3), maps[None], colors, maps, maps[None], seen,
                      maps[None] * confidence, Light.of(0.5, 0.5, 0, 0), pose.to_view(View.of()),
                      Codes(torch.zeros(1, 256), torch.zeros(1, 256)))
    return Session(image, [face] * faces, 0, factors)


def test_pose_is_kept_in_degrees():
    own = View.of(0.1, -0.2, 0.05, 0.01, 0.02)
    view = Pose(30, -10, 5).to_view(own)
    assert torch.allclose(view.rotation.rad2deg(), torch.tensor([[-10.0, 30.0, 5.0]]))
    assert torch.equal(view.translation, own.translation)
    assert Pose.of(view) == Pose(30, -10, 5)


def test_untouched_sliders_give_exactly_the_estimates():
    view, light = View.of(0.1234, 0.2345, 0.3), Light.of(0.511, 0.322, 0.123, -0.4)
    assert Pose.of(view).to_view(view) is view
    assert LightSettings.of(light).to_light(light) is light


def test_a_pose_beyond_the_sliders_is_shown_at_their_end_and_kept():
    own = View.of(pitch=0.9, yaw=-1.05, roll=0.8)
    assert Pose.of(own) == Pose(-60, 30, 30)
    assert Pose.of(own).to_view(own) is own


@pytest.mark.parametrize("settings", [LightSettings(40, -20, 0.3, 0.7), LightSettings(-75, 75, 0, 1),
                                      LightSettings(0, 0, 0.5, 0.5)])
def test_light_survives_the_sliders(settings):
    again = LightSettings.of(settings.to_light(Light.of(1, 0, 0, 0)))
    assert astuple(again) == pytest.approx(astuple(settings), abs=0.51)


def test_the_ball_is_bright_where_the_light_comes_from():
    estimated = Light.of(1, 0, 0, 0)
    right, above = (np.asarray(decoded(ball_url(LightSettings(*place, 0.1, 0.9).to_light(estimated))), int).mean(-1)
                    for place in ((60, 0), (0, 60)))
    middle = len(right) // 2
    assert right[middle, -20] > right[middle, 20] + 50
    assert above[20, middle] > above[-20, middle] + 50


def test_color_scales_run_from_end_to_end():
    ramp = torch.linspace(2, 4, 64).expand(64, 64)
    for name, stops in SCALES.items():
        array = color_map(ramp, 2, 4, name)
        assert tuple(array[0, 0]) == stops[0] and tuple(array[0, -1]) == stops[-1]
    assert tuple(color_map(ramp, 5, 6, "gray")[0, 0]) == (0, 0, 0)


def test_data_urls_keep_the_image_and_say_that_it_is_synthetic():
    image = torch.rand(4, 32, 32)
    png = decoded(png_url(to_uint8(image)))
    assert np.array_equal(np.asarray(png), (image * 255).round().byte().movedim(0, -1).numpy())
    assert png.text["Description"].startswith("Synthetic")
    jpeg = decoded(jpeg_url(to_uint8(image[:3]), 128))
    assert jpeg.size == (128, 128) and jpeg.info["comment"].startswith(b"Synthetic")


def test_the_crop_sliders_start_where_the_face_is():
    found = session()
    again = photo.crop_of(found.photo, *photo.slider_values(found))
    assert again.centre == pytest.approx(found.face.crop.centre, abs=1)
    assert again.side == pytest.approx(found.face.crop.side, rel=0.01)


def test_roll_of_a_crop_is_in_degrees_and_shown_on_the_photo():
    image = np.zeros((100, 100, 3), np.uint8)
    crop = photo.crop_of(image, 50, 50, 40, 90)
    assert crop.roll == pytest.approx(math.pi / 2)
    assert photo.marks(Session(image, []), crop).count("polygon") == 1


@pytest.mark.parametrize(("found", "words"), [
    (session(faces=3), "3 faces"),
    (session(pose=Pose(50, 0, 0)), "turned farther"),
    (session(confidence=0.5), "trust it less"),
    (session(side=90.0), "90 pixels"),
    (session(), "Cropped by hand"),
])
def test_the_page_warns(found, words):
    assert words in readout.warnings(found)


def test_the_readout_shows_the_pose_in_the_photo_in_words():
    upright = session(pose=Pose(12, -7, 3))
    turned = replace(upright.face, crop=replace(upright.face.crop, roll=math.radians(35)))
    text = readout.readout(replace(upright, faces=[turned]))
    assert "38° right" in text and "12° left" in text and "7° up" in text


def test_a_pose_in_range_needs_no_warning():
    assert readout.pose_warning(Pose(40, 20, 30)) == ""
    assert "guessed" in readout.pose_warning(Pose(0, 28, 0))


def test_the_readout_names_every_number():
    text = readout.readout(session(pose=Pose(12, -7, 3)))
    for words in ("12° left", "7° up", "3° right", "0.50", "95%", "0.000", "300 px"):
        assert words in text


def test_the_readout_and_the_tile_mean_the_same_error():
    found = session()
    factors = replace(found.factors, recon_image=found.factors.recon_image + 0.1)
    assert "<dt>Error</dt><dd>0.100</dd>" in readout.readout(replace(found, analyzed=factors))
    assert error_map(factors).mean().item() == pytest.approx(0.1)
