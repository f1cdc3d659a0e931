"""Session files: what is written comes back exactly, and what others may write is refused with a sentence."""

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, safe_open, save_file

from core.errors import SessionUnreadable
from core.export.session_file import SavedSession, read_session, write_session
from core.faces import Crop, face_from_crop

SETTINGS = {"yaw": 12.0, "background": "White"}


@pytest.fixture(scope="module")
def saved() -> SavedSession:
    """A photo with two faces, the second of which is shown."""
    photo = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    faces = [face_from_crop(photo, Crop((40.0, 45.0), side, 0.1)) for side in (40.0, 60.5)]
    return SavedSession(photo, faces, 1, "1234", SETTINGS)


@pytest.fixture
def path(saved, tmp_path):
    """Its file."""
    write_session(saved, tmp_path / "face.latentface")
    return tmp_path / "face.latentface"


def test_a_session_reloads_exactly(saved, path):
    again = read_session(path)
    assert np.array_equal(again.photo, saved.photo)
    assert (again.settings, again.index, again.weights) == (SETTINGS, 1, "1234")
    for old, new in zip(saved.faces, again.faces, strict=True):
        assert torch.equal(old.full, new.full) and torch.equal(old.image, new.image)
        assert old.crop == new.crop and old.box == new.box


def test_a_session_of_an_earlier_version_is_read(path):
    rewritten(path, lambda arrays, about, metadata: (about.pop("weights"),
                                                   arrays.update(canon_depth=torch.ones(1, 64, 64))))
    assert read_session(path).weights == ""


def test_the_file_says_that_it_is_synthetic_and_keeps_nothing_of_the_photos_file(path):
    with safe_open(path, "pt") as file:
        assert "estimate" in file.metadata()["synthetic"]
        photo = file.get_tensor("photo").numpy().tobytes()
    assert b"Exif" not in photo and photo.startswith(b"\x89PNG")


def rewritten(path, change) -> None:
    """Write the file anew with its arrays and its text changed."""
    arrays = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    about = json.loads(metadata["session"])
    change(arrays, about, metadata)
    save_file(arrays, path, metadata | {"session": json.dumps(about)})


HOSTILE = {
    "not a number": lambda arrays, about, metadata: arrays["image1"].fill_(torch.nan),
    "another shape": lambda arrays, about, metadata: arrays.update(image1=torch.zeros(3, 64, 9)),
    "too bright": lambda arrays, about, metadata: arrays["image0"].fill_(1e30),
    "weights as a number": lambda arrays, about, metadata: about.update(weights=7),
    "no photo": lambda arrays, about, metadata: arrays.pop("photo"),
    "a text as photo": lambda arrays, about, metadata: arrays.update(photo=torch.zeros(99, dtype=torch.uint8)),
    "a face that is not there": lambda arrays, about, metadata: about.update(index=7),
    "a crop of words": lambda arrays, about, metadata: about["faces"][0].update(crop=["<b>", 0, 0, 0]),
    "endless crop": lambda arrays, about, metadata: about["faces"][0].update(crop=[1e999, 0, 1, 0]),
    "faces as a number": lambda arrays, about, metadata: about.update(faces=9),
    "settings as a list": lambda arrays, about, metadata: about.update(settings=[1]),
    "another format": lambda arrays, about, metadata: metadata.update(format="other"),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_foreign_sessions_are_refused(path, change):
    rewritten(path, change)
    with pytest.raises(SessionUnreadable, match="choose one that was exported here"):
        read_session(path)


@pytest.mark.parametrize("content", [b"", b"\xff" * 100, b"\x89PNG\r\n", b'{"a": 1}'],
                         ids=["empty", "endless header", "picture", "json"])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "face.latentface").write_bytes(content)
    with pytest.raises(SessionUnreadable):
        read_session(tmp_path / "face.latentface")


def test_a_cut_file_is_refused(path):
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(SessionUnreadable):
        read_session(path)


def test_a_large_photo_is_kept_smaller(saved, tmp_path, monkeypatch):
    monkeypatch.setattr("core.export.session_file.LOSSLESS_BYTES", 1000)
    write_session(saved, tmp_path / "face.latentface")
    again = read_session(tmp_path / "face.latentface")
    assert again.photo.shape == saved.photo.shape
    assert torch.equal(again.faces[1].full, saved.faces[1].full)
