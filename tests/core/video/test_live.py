"""A photo that follows a camera: the first frame is neutral, and changes follow from there."""

from itertools import islice

import numpy as np
import pytest

from core.config import ASSETS
from core.errors import ArgumentInvalid
from core.export.visualize import to_uint8
from core.video.reader import Frame, read_film


@pytest.fixture(scope="module")
def face(model):
    faces = model.find_faces(ASSETS / "examples" / "087_neutral.jpg", full_size=256)
    return model.texture(model.analyze(faces), faces)


@pytest.fixture(scope="module")
def frames():
    """Every fifth frame of the example film: it opens the mouth most in the last ones."""
    return list(islice(read_film(ASSETS / "film" / "example.mp4"), 0, 26, 5))


def change(first, second):
    return np.abs(first.astype(int) - second.astype(int)).mean()


def test_the_photo_is_at_rest_at_the_neutral_frame_and_moves_with_the_camera(model, face, frames):
    live = model.live(face, size=64)
    seen = [live.follow(frame) for frame in frames]
    rest = to_uint8(model.render(model.preview(face), size=64)[0])
    renders = [live.render(one) for one in seen]
    assert change(renders[0], rest) < 2 < change(renders[-1], rest)
    live.set_neutral(seen[-1])
    assert change(live.render(seen[-1]), rest) < 2


def test_a_face_out_of_view_is_no_frame(model, face, frames):
    live = model.live(face, size=64)
    assert live.follow(frames[0]) is not None
    assert live.follow(Frame(0.3, np.full((64, 64, 3), 90, np.uint8))) is None


def test_settings_beyond_their_range_are_refused(model, face):
    with pytest.raises(ArgumentInvalid, match="pose"):
        model.live(face, pose=2)
