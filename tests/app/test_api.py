"""Arguments of the HTTP endpoints: any JSON value is answered or refused with one sentence, at every endpoint alike."""

import inspect
from dataclasses import replace

import gradio as gr
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from app import api
from app.server.errors import FAILED
from app.session.session import open_example

NUMBERS = st.integers() | st.floats() | st.sampled_from([0, 1, 2, 64, 512.0, 1e400, 10**400, 2**31, True])
TEXTS = st.text() | st.sampled_from(["Photo", "photo", "depth", "glb\0", "../x", "1", "true", "\ud800", "a" * 5000])
JSON = st.recursive(st.none() | st.booleans() | NUMBERS | TEXTS,
                    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
                    max_leaves=5)
"""Values that a JSON document can hold, those included that only Python's reader accepts."""
PATHS = TEXTS | st.sampled_from(["/etc/passwd", "", ".", "..", "~", "a/" * 3000, "a" * 300])
FILES = JSON | st.fixed_dictionaries({"path": PATHS | JSON})
QUICK = {"render": {"size": 64}, "frontalize": {"size": 64}, "swap": {"size": 64, "detail": "Decoded"},
         "export": {"kind": "depth"}}
"""Arguments of calls that succeed, so that they take little time."""
FUZZED = settings(max_examples=60, deadline=None, derandomize=True, database=None,
                  suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def example():
    """An analyzed photo with one face."""
    return open_example(0)


@pytest.fixture
def photo(example, monkeypatch, tmp_path):
    """The value of an uploaded photo, whose analysis takes no time."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(api, "open_photo", lambda path: example)
    monkeypatch.setattr(api, "KINDS", ("depth",))  # the others take longer
    (tmp_path / "photo.jpg").touch()
    return {"path": str(tmp_path / "photo.jpg")}


def parameters(endpoint) -> list[str]:
    """Names of an endpoint's parameters."""
    return list(inspect.signature(endpoint).parameters)


def refusal(endpoint, uploaded, /, **given) -> str | None:
    """The sentence that a call is refused with; None where it is answered."""
    files = {name: uploaded for name in ("photo", "donor") if name in parameters(endpoint)}
    try:
        endpoint(**files | QUICK.get(endpoint.__name__, {}) | given)
    except gr.Error as error:
        return str(error.message)


@pytest.mark.parametrize("endpoint", api.ENDPOINTS, ids=lambda endpoint: endpoint.__name__)
@FUZZED
@given(data=st.data())
def test_any_argument_is_answered_or_refused_with_a_sentence(endpoint, photo, data):
    name = data.draw(st.sampled_from(parameters(endpoint)))
    sentence = refusal(endpoint, photo, **{name: data.draw(FILES if name in ("photo", "donor") else JSON)})
    if sentence is not None:
        assert sentence != FAILED and sentence.endswith(".") and len(sentence.splitlines()) == 1
        assert len(sentence) < 300 and sentence.isprintable()


WRONG = {"stamp": [1, 0, "true", "", None, [], 1.0], "size": [512.5, "512", None, True, 63, 1025, 1e9],
         "detail": ["bogus", "photo", 1, True, None], "face": [1.5, "1", True, None, 0, -1, 2, 10**30],
         "donor_face": [True, 2], "seed": [-1, 0.5, "0", True], "kind": ["", None, 1], "count": [0, 0.5, True, None],
         "depth": [-0.1, 1.6, "1", True, float("nan")], "albedo": [-0.1, 1.6, "1", True], "background": ["white", None],
         **{name: ["1", True, 91, float("nan"), []] for name in api.RANGES}}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_is_refused_alike_wherever_it_can_be_given(name, photo):
    endpoints = [endpoint for endpoint in api.ENDPOINTS if name in parameters(endpoint)]
    assert endpoints
    for value in WRONG[name]:
        sentences = {refusal(endpoint, photo, **{name: value}) for endpoint in endpoints}
        assert None not in sentences and all(name.partition("_")[2] or name in one for one in sentences)
        assert name == "kind" or len(sentences) == 1  # kinds are others at each endpoint


def test_whole_numbers_may_be_written_with_a_point(photo):
    assert {refusal(api.render, photo, size=64.0, face=1.0, yaw=10), refusal(api.nearest, photo, count=3.0)} == {None}


def test_stamp_means_the_same_at_every_endpoint(photo, example, monkeypatch):
    monkeypatch.setattr(api, "KINDS", ("picture",))
    calls = {api.render: {"size": 512}, api.frontalize: {"size": 512}, api.swap: {"size": 512, "donor": photo},
             api.export: {"kind": "picture"}}
    for endpoint, given_values in calls.items():
        plain, marked = (np.asarray(Image.open(endpoint(photo, stamp=stamp, **given_values).path), int)
                         for stamp in (False, True))
        assert (plain[:470] == marked[:470]).all() and (plain != marked).any()


def test_a_photo_without_a_face_is_named_by_every_endpoint(photo, example, monkeypatch):
    monkeypatch.setattr(api, "open_photo", lambda path: replace(example, faces=[], analyzed=None))
    assert {refusal(endpoint, photo) for endpoint in api.ENDPOINTS} == {
        "There is no face 1 in this photo: 0 were found, 1 is the largest."}
