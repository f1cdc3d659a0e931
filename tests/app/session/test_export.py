"""Every kind of export from one analysed example, and a session that goes on where it was left."""

from dataclasses import astuple, replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app.session import session as state
from app.session.export import KINDS, MENU, NAMES, Export, read, write, writing
from app.session.settings import DECODED, Pose, Settings
from app.session.swap import THEIRS, Amounts, Pair, Swap
from core.export import turntable


@pytest.fixture(scope="module")
def session():
    """The first example."""
    return state.open_example(0)


@pytest.fixture
def settings(session):
    """Turned, on white."""
    return replace(session.settings, pose=Pose(25, 0, 0), background="White")


def test_every_kind_is_in_the_menu_and_has_a_name():
    assert [kind for kind, *_ in MENU] == list(KINDS) == list(NAMES)


@pytest.mark.parametrize(("kind", "mark"), [
    ("picture", b"Synthetic"), ("glb", b"synthetic"), ("depth", b"Synthetic"), ("normals", b"Synthetic"),
    ("albedo", b"Synthetic"), ("codes-json", b"synthetic"), ("session", b"synthetic"), ("turntable", b"synthetic"),
    ("turntable-mp4", b"synthetic"),
])
def test_every_file_says_that_it_is_synthetic(kind, mark, session, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(turntable, "FRAMES", 7)
    assert mark in write(kind, session, settings, False, tmp_path).read_bytes()


def test_the_stamp_is_on_the_picture_where_it_is_wanted(session, settings, tmp_path):
    plain, watermark = (np.asarray(Image.open(write("picture", session, settings, stamp, tmp_path)), int)
                      for stamp in (False, True))
    assert (plain[:470] == watermark[:470]).all() and (plain != watermark).any()
    assert np.array_equal(plain, state.picture(session, settings, 512))


def test_a_new_photo_is_not_exported_with_the_controls_of_the_earlier_one(session, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    new, event = state.open_example(1), SimpleNamespace(kind="session", stamp=True)
    for posed, expected in ((session, new.settings), (new, settings)):
        *_, done = Export.save(None, new, None, 7, *astuple(Amounts()), posed, event, *settings.values)
        assert read(done["file"]["url"].partition("=")[2])[0].settings == expected


def test_a_session_goes_on_where_it_was_left_the_swap_too(session, settings, tmp_path):
    swap = Swap(Amounts(1.2, 0.3, THEIRS, DECODED), 7, state.open_example(1))
    *_, path = writing("session", session, settings, True, tmp_path, swap=swap)
    again, lent = read(path)
    assert (again.settings, again.example, again.refined) == (settings, 0, False)
    assert (lent.amounts, lent.seed, lent.donor.example) == (swap.amounts, 7, 1)
    assert np.array_equal(state.picture(again, settings, 256), state.picture(session, settings, 256))
    first, second = (Pair(one, other.donor, 7).picture(swap.amounts, 128) for one, other in
                     ((session, swap), (again, lent)))
    assert np.array_equal(first, second)


def test_a_swapped_face_is_taken_along_as_it_is_shown(session, tmp_path):
    swap = Swap(Amounts(1.2, 0.3), 0, state.open_example(4))
    swapped, pair = swap.swapped(session), Pair(session, swap.donor)
    assert np.array_equal(state.picture(swapped, session.settings, 512), pair.picture(swap.amounts, 512))
    depth, own = (np.asarray(Image.open(write("depth", one, session.settings, True, tmp_path)), int)
                  for one in (swapped, session))
    assert (depth != own).any()


@pytest.mark.parametrize("values", [None, [1], {"depth": "nan", "albedo": 9, "expression": [], "seed": "x"}])
def test_nonsense_in_a_session_file_is_as_by_itself(values):
    assert Swap.restored(values, None) == Swap()


def test_a_link_brings_pose_and_light_back_and_nonsense_does_no_harm():
    linked = state.open_link({"example": "3", "yaw": "30", "ambient": "nan", "pitch": "1e9", "background": "<b>"})
    assert linked.example == 2
    own = Settings.of(linked.factors)
    assert linked.settings == replace(own, pose=replace(own.pose, yaw=30))
    assert state.open_link({"example": "²"}).example == 0
