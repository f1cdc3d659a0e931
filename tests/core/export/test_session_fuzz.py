"""Session files that anybody may have written: any is loaded or refused with a sentence, and works once loaded."""

import functools
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, safe_open, save_file

from core.config import ModelConfig
from core.errors import SessionUnreadable
from core.export.report import report
from core.export.session_file import SavedSession, read_session, write_session
from core.faces import Crop, face_from_crop
from core.model.autoencoder import Autoencoder
from core.pipeline import LatentFace

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(
    [10**400, 1e308, -1, 0, 0.0, 2, "1", "nan", "\ud800"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4)
                      | st.dictionaries(st.text(max_size=5), inner, max_size=3), max_leaves=5)
TENSORS = st.builds(lambda shape, kind, value: torch.full(shape, value, dtype=torch.float32).to(kind),
                    st.lists(st.sampled_from([0, 1, 3, 64, 65]), max_size=3),
                    st.sampled_from([torch.float32, torch.float16, torch.uint8, torch.bool, torch.int64]),
                    st.sampled_from([0.0, 0.5, 1.0, -1.0, 1e30, float("nan"), float("inf")]))
FUZZED = settings(max_examples=100, deadline=None, derandomize=True, database=None,
                  suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """A session file with one face."""
    photo = np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8)
    faces = [face_from_crop(photo, Crop((40.0, 45.0), 40.0, 0.1))]
    saved = SavedSession(photo, faces, 0, "1234", {"yaw": 12.0})
    path = tmp_path_factory.mktemp("session") / "face.latentface"
    write_session(saved, path)
    return path


@functools.cache
def untrained() -> LatentFace:
    """A model with random weights."""
    return LatentFace(Autoencoder(ModelConfig()))


def load(path: Path, again: Path) -> None:
    """Read a file; what is loaded can be described and written."""
    try:
        saved = read_session(path)
    except SessionUnreadable as error:
        assert str(error).endswith("choose one that was exported here.")
        return
    json.dumps(report(untrained().analyze([saved.faces[saved.index]]), saved.faces[saved.index]))
    write_session(saved, again, overwrite=True)


def places(values) -> list[tuple]:
    """Paths of keys to every value of a JSON document."""
    inner = values.items() if isinstance(values, dict) else enumerate(values) if isinstance(values, list) else ()
    return [(), *((key, *rest) for key, value in inner for rest in places(value))]


def replaced(values, place: tuple, new):
    """A copy of a JSON document with the value at one place replaced."""
    if not place:
        return new
    copy = values.copy()
    copy[place[0]] = replaced(values[place[0]], place[1:], new)
    return copy


@settings(FUZZED, max_examples=500)
@given(data=st.data())
def test_a_session_with_any_value_is_loaded_or_refused(data, path, tmp_path):
    arrays = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    values = json.loads(metadata["session"])
    place = data.draw(st.sampled_from(places(values)))
    text = json.dumps(replaced(values, place, data.draw(VALUES)))
    save_file(arrays, tmp_path / "any", metadata | {"session": text})
    load(tmp_path / "any", tmp_path / "again")


@FUZZED
@given(data=st.data())
def test_a_session_with_any_array_is_loaded_or_refused(data, path, tmp_path):
    arrays = load_file(path)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    arrays[data.draw(st.sampled_from(sorted(arrays)))] = data.draw(TENSORS)
    save_file(arrays, tmp_path / "any", metadata)
    load(tmp_path / "any", tmp_path / "again")


@FUZZED
@given(data=st.data())
def test_a_session_with_any_damage_is_loaded_or_refused(data, path, tmp_path):
    content = bytearray(path.read_bytes())
    begin = data.draw(st.integers(0, 4000) | st.integers(0, len(content)))
    content[begin:begin + data.draw(st.integers(0, 20))] = data.draw(st.binary(max_size=20))
    (tmp_path / "any").write_bytes(content[:data.draw(st.just(len(content)) | st.integers(0, len(content)))])
    load(tmp_path / "any", tmp_path / "again")


@FUZZED
@given(content=st.binary(max_size=200))
def test_any_file_is_refused(content, tmp_path):
    (tmp_path / "any").write_bytes(content)
    with pytest.raises(SessionUnreadable):
        read_session(tmp_path / "any")
