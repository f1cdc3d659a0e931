"""Every kind of export from one analyzed example, and session files that restore their state."""

from dataclasses import astuple, replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app.session.export import FILE_NAMES, KINDS, export_file, export_steps, read_session_file
from app.session.session import open_example, open_link, render_face
from app.session.settings import DECODED, Pose, Settings
from app.session.swap import OTHER, Pair, Swap, SwapStrength
from app.tabs.export_menu import MENU, ExportMenu
from core.export import turntable


@pytest.fixture(scope="module")
def session():
    """The first example."""
    return open_example(0)


@pytest.fixture
def settings(session):
    """Turned, on white."""
    return replace(session.settings, pose=Pose(25, 0, 0), background="White")


def test_every_kind_is_in_the_menu_and_has_a_file_name():
    assert [kind for kind, *_ in MENU] == list(KINDS) == list(FILE_NAMES)


@pytest.mark.parametrize(("kind", "mark"), [
    ("picture", b"Synthetic"), ("photo", b"Synthetic"), ("glb", b"synthetic"), ("depth", b"Synthetic"),
    ("normals", b"Synthetic"), ("albedo", b"Synthetic"), ("codes-json", b"synthetic"), ("session", b"synthetic"), ("turntable", b"synthetic"),
    ("turntable-mp4", b"synthetic"),
])
def test_the_metadata_of_every_file_says_that_it_is_synthetic(kind, mark, session, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(turntable, "FRAMES", 7)
    assert mark in export_file(kind, session, settings, False, tmp_path).read_bytes()


def test_the_watermark_is_on_the_render_where_it_is_wanted(session, settings, tmp_path):
    plain, marked = (np.asarray(Image.open(export_file("picture", session, settings, mark, tmp_path)), int)
                     for mark in (False, True))
    assert (plain[:470] == marked[:470]).all() and (plain != marked).any()
    assert np.array_equal(plain, render_face(session, settings, 512))


def test_the_whole_photo_shows_the_face_as_it_is_set(session, settings, tmp_path):
    image = np.asarray(Image.open(export_file("photo", session, settings, False, tmp_path)), int)
    changed = np.abs(image - session.photo).max(2)
    assert image.shape == session.photo.shape and (changed > 20).mean() > 0.05 and not changed[:4].any()


def test_a_new_photo_is_not_exported_with_the_controls_of_the_earlier_one(session, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    new, event = open_example(1), SimpleNamespace(kind="session", watermark=True)
    for posed, expected in ((session, new.settings), (new, settings)):
        *_, done = ExportMenu.save(None, new, None, 7, *astuple(SwapStrength()), posed, event, *settings.values)
        assert read_session_file(done["file"]["url"].partition("=")[2])[0].settings == expected


def test_a_session_file_restores_pose_light_and_swap(session, settings, tmp_path):
    swap = Swap(SwapStrength(1.2, 0.3, OTHER, DECODED), 7, open_example(1))
    *_, path = export_steps("session", session, settings, True, tmp_path, swap=swap)
    again, lent, same_weights = read_session_file(path)
    assert (again.settings, again.example, again.refined, same_weights) == (settings, 0, False, True)
    assert (lent.strength, lent.seed, lent.donor.example) == (swap.strength, 7, 1)
    assert np.array_equal(render_face(again, settings, 256), render_face(session, settings, 256))
    first, second = (Pair(one, other.donor, 7).render(swap.strength, 128) for one, other in
                     ((session, swap), (again, lent)))
    assert np.array_equal(first, second)


@pytest.mark.parametrize("detail", ["Photo", DECODED])
def test_a_swapped_face_is_exported_as_it_is_shown(detail, session, tmp_path):
    swap = Swap(SwapStrength(1.2, 0.3, detail=detail), 0, open_example(4))
    swapped, pair = swap.apply(session), Pair(session, swap.donor)
    assert np.array_equal(render_face(swapped, session.settings, 512), pair.render(swap.strength, 512))
    depth, original = (np.asarray(Image.open(export_file("depth", one, session.settings, True, tmp_path)), int)
                       for one in (swapped, session))
    assert (depth != original).any()


@pytest.mark.parametrize("values", [None, [1], {"depth": "nan", "albedo": 9, "expression": [], "seed": "x"}])
def test_invalid_values_in_a_session_file_fall_back_to_defaults(values):
    assert Swap.from_saved(values, None) == Swap()


def test_a_link_restores_pose_and_light_and_ignores_invalid_values():
    linked = open_link({"example": "3", "yaw": "30", "ambient": "nan", "pitch": "1e9", "background": "<b>"})
    assert linked.example == 2
    estimated = Settings.of(linked.factors)
    assert linked.settings == replace(estimated, pose=replace(estimated.pose, yaw=30))
    assert open_link({"example": "²"}).example == 0
