"""Every kind of export from one analyzed example, and session files that restore their state."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from app.session.export import FILE_NAMES, KINDS, export_file, read_session_file
from app.session.session import (
    from_saved_session,
    link_parameters,
    open_example,
    open_link,
    render_face,
    to_saved_session,
)
from app.session.settings import Controls
from app.tabs.export_menu import MENU, ExportMenu
from app.tabs.studio import Studio
from core.edits import DECODED, EditedFace, Edits, LightSettings, Pose
from core.export import turntable


@pytest.fixture(scope="module")
def session():
    """The first example."""
    return open_example(0)


TURNED = Edits(pose=Pose(25, 0, 0), background="White")


@pytest.fixture(scope="module")
def stack():
    """Everything that can be edited at once."""
    return Edits({"smile": 0.8, "skin brightness": -1.5}, False, open_example(2), 0.3, open_example(1), 1.2, 0.3,
                 Pose(25, -5, 3), LightSettings(30, 10, 0.4, 0.6), background="Black", seed=7)


def test_every_kind_is_in_the_menu_and_has_a_file_name():
    assert [kind for kind, *_ in MENU] == list(KINDS) == list(FILE_NAMES)


@pytest.mark.parametrize(("kind", "mark"), [
    ("picture", b"Synthetic"), ("photo", b"Synthetic"), ("glb", b"synthetic"), ("depth", b"Synthetic"),
    ("normals", b"Synthetic"), ("albedo", b"Synthetic"), ("codes-json", b"synthetic"), ("session", b"synthetic"),
    ("turntable", b"synthetic"), ("turntable-mp4", b"synthetic"),
])
def test_the_metadata_of_every_file_says_that_it_is_synthetic(kind, mark, session, tmp_path, monkeypatch):
    monkeypatch.setattr(turntable, "FRAMES", 7)
    assert mark in export_file(kind, session, TURNED, False, tmp_path).read_bytes()


def test_the_watermark_is_on_the_render_where_it_is_wanted(session, tmp_path):
    plain, marked = (np.asarray(Image.open(export_file("picture", session, TURNED, mark, tmp_path)), int)
                     for mark in (False, True))
    assert (plain[:470] == marked[:470]).all() and (plain != marked).any()
    assert np.array_equal(plain, render_face(session, TURNED, 512))


def test_the_whole_photo_shows_the_face_as_it_is_set(session, tmp_path):
    image = np.asarray(Image.open(export_file("photo", session, TURNED, False, tmp_path)), int)
    changed = np.abs(image - session.photo).max(2)
    assert image.shape == session.photo.shape and (changed > 20).mean() > 0.05 and not changed[:4].any()


def test_a_new_photo_is_not_exported_with_the_controls_of_the_earlier_one(session, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    new, event = open_example(1), SimpleNamespace(kind="session", watermark=True)
    menu = SimpleNamespace(studio=SimpleNamespace(edits_of=lambda *stack: Studio.edits_of(None, *stack)))
    for shown, expected in ((session, Edits()), (new, TURNED)):
        controls = Controls.of(TURNED, shown.factors, set())
        stack = (shown, None), EditedFace(None, shown.textured), None, None, *controls.values
        *_, done = ExportMenu.save(menu, new, event, *stack)
        assert read_session_file(done["file"]["url"].partition("=")[2])[0].initial == expected


def test_a_session_file_restores_all_edits(session, stack, tmp_path):
    again, same_weights = read_session_file(export_file("session", session, stack, True, tmp_path))
    donors = again.initial.expression_from, again.initial.identity_from
    assert (again.example, again.refined, same_weights) == (0, False, True)
    assert [one.example for one in donors] == [1, 2]
    assert replace(again.initial, expression_from=stack.expression_from, identity_from=stack.identity_from) == stack
    assert np.array_equal(render_face(again, again.initial, 256), render_face(session, stack, 256))


def test_session_files_of_version_0_1_open(session):
    saved = to_saved_session(session, replace(TURNED, expression_from=open_example(1)))
    old = {name: saved.settings[name] for name in ("yaw", "pitch", "roll", "across", "above", "ambient", "diffuse",
                                                   "detail", "background", "example", "refined")}
    old |= {"swap": {"depth": 1.3, "albedo": None, "expression": None, "detail": DECODED, "seed": 7}}
    edits = from_saved_session(replace(saved, settings=old)).initial
    assert (edits.pose, edits.background, edits.depth, edits.strength) == (TURNED.pose, "White", 1.3, 1)
    assert (edits.seed, edits.detail, edits.expression_from.example) == (7, "Photo", 1)


@pytest.mark.parametrize("detail", ["Photo", DECODED])
def test_an_edited_face_is_exported_as_it_is_shown(detail, session, stack, tmp_path):
    edits = replace(stack, detail=detail)
    render = np.asarray(Image.open(export_file("picture", session, edits, False, tmp_path)))
    assert np.array_equal(render, render_face(session, edits, 512))
    depth, original = (np.asarray(Image.open(export_file("depth", session, one, True, tmp_path)), int)
                       for one in (edits, Edits(pose=edits.pose)))
    assert depth.shape != original.shape or (depth != original).any()  # without the fine stage the map is smaller


def test_a_link_restores_all_edits_of_an_example(session, stack):
    link = {name: str(value) for name, value in link_parameters(session, stack).items() if value is not None}
    assert open_link(link).initial == stack
    assert set(link_parameters(session, Edits()).values()) == {None, 1}  # the number of the example


def test_a_link_restores_pose_and_light_and_ignores_invalid_values():
    linked = open_link({"example": "3", "yaw": "30", "ambient": "nan", "pitch": "1e9", "background": "<b>"})
    assert linked.example == 2
    assert linked.initial == Edits(pose=replace(Pose.of(linked.factors.view), yaw=30))
    assert open_link({"donor": "5", "depth": "1.3", "albedo": "0.4", "tab": "swap"}).initial == Edits(
        expression_from=open_example(4), depth=1.3, strength=0.4)
    assert open_link({"example": "²"}).example == 0
