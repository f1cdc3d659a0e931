"""Files are written whole or not at all, and the user's own are never written over."""

import contextlib
import json
import os

import numpy as np
import pytest
import torch
from PIL import Image

from core.config import ModelConfig
from core.errors import ArgumentInvalid, OutputExists, OutputUnwritable
from core.export.mesh import face_mesh, write_glb, write_obj
from core.export.session_file import SavedSession, write_session
from core.export.turntable import write_gif, write_mp4
from core.faces import Crop, face_from_crop
from core.files import MANIFEST, prepare_folder, remove_written, write_bytes, writing
from core.model.autoencoder import Autoencoder
from core.model.weights import save_weights
from tests.core.latent_map.maps import small_map
from tests.disks import LATIN, full_disk


@pytest.fixture(scope="module")
def writers():
    """Functions of a path (and `overwrite`) that write a file of more than a kilobyte each."""
    photo = np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    face, config = face_from_crop(photo, Crop((45.0, 45.0), 60.0)), ModelConfig(width=8, pose_width=8)
    network = Autoencoder(config)
    saved = SavedSession(photo, [face], 0, "", {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("core.export.mesh.GRID", 64)
        mesh = face_mesh(torch.ones(64, 64), torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0)))
    frames = [Image.fromarray(photo), Image.fromarray(255 - photo)]
    return {"glb": lambda *given: write_glb(mesh, *given), "obj": lambda *given: write_obj(mesh, *given),
            "session": lambda *given: write_session(saved, *given), "gif": lambda *given: write_gif(frames, *given),
            "mp4": lambda *given: write_mp4(frames, *given), "map": small_map().write,
            "faces of a map": lambda *given: small_map().export([3, 5], *given),
            "weights": lambda path, *given: save_weights(path, network.state_dict(), config, {}, *given),
            "bytes": lambda path, *given: write_bytes(path, bytes(2000), *given)}


WRITERS = ["glb", "obj", "session", "gif", "mp4", "map", "faces of a map", "weights", "bytes"]


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_replaces_its_own_file_and_no_other(name, writers, tmp_path):
    write, path = writers[name], tmp_path / LATIN / "result"  # the name is taken as given, without an ending
    path.parent.mkdir()
    write(path)
    write(path)
    assert {one.name for one in path.parent.iterdir()} == {"result", MANIFEST} and path.stat().st_size > 1000
    path.write_text("changed by its owner")
    with pytest.raises(OutputExists, match="overwrite"):
        write(path)
    assert path.read_text() == "changed by its owner"
    write(path, True)
    write(path)
    assert path.stat().st_size > 1000


@pytest.mark.parametrize("name", WRITERS)
def test_every_writer_leaves_nothing_half_written_on_a_full_disk(name, writers, tmp_path):
    path = tmp_path / "result"
    with pytest.raises(OutputUnwritable, match="choose another folder"), full_disk():
        writers[name](path)
    assert not any(tmp_path.iterdir())
    path.write_text("older")
    with pytest.raises(OutputUnwritable), full_disk():
        writers[name](path, True)
    assert [one.name for one in tmp_path.iterdir()] == ["result"] and path.read_text() == "older"


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, ValueError])
def test_any_failure_leaves_the_older_file(error, tmp_path):
    write_bytes(tmp_path / "result", b"older")
    with pytest.raises(error), writing(tmp_path / "result") as part:
        part.write_bytes(b"half")
        raise error
    assert (tmp_path / "result").read_bytes() == b"older" and len(list(tmp_path.iterdir())) == 2


def test_files_that_are_written_together_appear_together(tmp_path):
    with pytest.raises(OutputUnwritable), contextlib.ExitStack() as files:
        for name in ("first", "second"):
            files.enter_context(writing(tmp_path / name)).write_bytes(bytes(100))
        with full_disk():
            files.enter_context(writing(tmp_path / "third")).write_bytes(bytes(1000))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "sentence"), [
    ("folder", "is a folder"), ("pipe", "no ordinary file"), ("n" * 300, "too long"), ("none/file", "another folder"),
    ("file/in", "another folder")])
def test_a_path_that_is_no_file_ends_with_a_sentence(name, sentence, tmp_path):
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for overwrite in (False, True):
        with pytest.raises(OutputUnwritable, match=sentence):
            write_bytes(tmp_path / name, b"", overwrite)


def test_a_folder_is_checked_before_any_work(tmp_path):
    prepare_folder(tmp_path / "new" / "folder", ["a", "b"])
    (tmp_path / "new" / "folder" / "b").touch()
    with pytest.raises(OutputExists, match="folder/b"):
        prepare_folder(tmp_path / "new" / "folder", ["a", "b"])
    prepare_folder(tmp_path / "new" / "folder", ["a", "b"], overwrite=True)
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["b"]
    (tmp_path / "file").touch()
    with pytest.raises(OutputUnwritable):
        prepare_folder(tmp_path / "file")


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "far").mkdir()
    write_bytes(tmp_path / "far" / "file", b"old")
    (tmp_path / "link").symlink_to(tmp_path / "far" / "file")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "far" / "file").read_bytes() == b"new"


def test_a_new_file_has_the_usual_permissions(tmp_path):
    write_bytes(tmp_path / "ours", b"")
    (tmp_path / "theirs").touch()
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff{", b'{"file": 3}'], ids=["empty", "list", "bytes", "number"])
def test_a_damaged_manifest_lists_nothing(content, tmp_path):
    write_bytes(tmp_path / "file", b"1")
    (tmp_path / MANIFEST).write_bytes(content)
    with pytest.raises(OutputExists):
        write_bytes(tmp_path / "file", b"2")
    write_bytes(tmp_path / "other", b"2")
    assert "other" in json.loads((tmp_path / MANIFEST).read_text())


def test_only_what_was_written_is_removed(tmp_path):
    for name in ("kept", "emptied"):
        (tmp_path / name).mkdir()
        write_bytes(tmp_path / name / "a", b"1")
        write_bytes(tmp_path / name / "b", b"2")
    (tmp_path / "kept" / "b").write_text("changed by its owner")
    (tmp_path / "kept" / "notes.txt").touch()
    for name in ("kept", "emptied"):
        remove_written(tmp_path / name)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")} == {"kept", "kept/b", "kept/notes.txt"}


@pytest.mark.parametrize("frames", [
    [], [Image.new("RGB", (63, 64))], [Image.new("RGB", (64, 64)), Image.new("RGB", (64, 66))],
    [Image.new("RGBA", (64, 64))]], ids=["none", "odd", "two sizes", "transparent"])
def test_frames_that_make_no_video_are_refused(frames, tmp_path):
    with pytest.raises(ArgumentInvalid, match="frames"):
        write_mp4(frames, tmp_path / "turn.mp4")
    assert not any(tmp_path.iterdir())
