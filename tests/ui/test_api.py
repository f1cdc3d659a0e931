"""The public endpoints: the page's examples run as written, and wrong arguments are named."""

import json
import re
import shutil
import subprocess
import sys

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.ui.conftest import EXAMPLES, ROOT

pytestmark = pytest.mark.timeout(300)
PHOTO = EXAMPLES / "045_neutral.jpg"


def block(language: str, app_url: str) -> str:
    """The page's example in a language, sent to the app of this test."""
    text = (ROOT / "app" / "text" / "api.md").read_text(encoding="utf-8")
    return re.search(rf"```{language}\n(.*?)```", text, re.S)[1].replace("http://127.0.0.1:7860", app_url)


@pytest.fixture(scope="module")
def client(app_url):
    """A client, as programs use it."""
    return Client(app_url, verbose=False)


@pytest.mark.parametrize("language", ["python", "sh"])
def test_the_examples_run_as_written(language, app_url, tmp_path):
    shutil.copy(PHOTO, tmp_path / "photo.jpg")
    shutil.copy(PHOTO, tmp_path / "other.jpg")
    program = {"python": [sys.executable, "-c"], "sh": ["bash", "-c"]}[language]
    done = subprocess.run([*program, block(language, app_url)], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if language == "sh":
        answer = re.search(r"event: complete\ndata: (.*)", done.stdout)[1]
        assert json.loads(answer)[0]["synthetic"] is True
    else:
        assert "'yaw'" in done.stdout and ".glb" in done.stdout


def test_a_render_is_what_was_asked_for_and_marked(client):
    path = client.predict(handle_file(PHOTO), yaw=20, size=128, background="Clear", api_name="/render")
    image = Image.open(path)
    assert image.size == (128, 128) and image.mode == "RGBA" and image.text["Synthetic"].startswith("true")


@pytest.mark.parametrize(("call", "message"), [
    ({"yaw": 200, "api_name": "/render"}, "yaw must be a number from -60 to 60"),
    ({"stamp": 1, "api_name": "/export"}, "stamp must be true or false"),
    ({"size": 100_000, "api_name": "/render"}, "64 to 1024"),
    ({"kind": "../x", "api_name": "/export"}, "kind must be one of"),
    ({"face": 9, "api_name": "/analyze"}, "no face 9"),
])
def test_wrong_arguments_are_answered_with_a_message(client, call, message):
    with pytest.raises(AppError, match=message):
        client.predict(handle_file(PHOTO), **call)


def answered(app_url: str, body: bytes, endpoint: str = "analyze") -> tuple[int, str]:
    """Status and message of a raw request, and of the event that it leads to where it is accepted."""
    call = f"{app_url}/gradio_api/call/{endpoint}"
    with httpx.Client(timeout=60, trust_env=False) as client:
        joined = client.post(call, content=body, headers={"content-type": "application/json"})
        if joined.status_code != 200:
            return joined.status_code, joined.text
        return 200, client.get(f"{call}/{joined.json()['event_id']}").text


@pytest.mark.parametrize("body", [
    b"", b"null", b"[]", b"{", b"\xff", b'{"data": 1}', b'{"data": {"photo": 1}}', b"{}", b'{"data": null}',
    b'{"data": ["x"], "session_hash": 1}', b'{"data": ' + b"[" * 2000 + b"]" * 2000 + b"}",
], ids=lambda body: repr(body[:20]))
def test_a_malformed_request_is_refused(body, app_url):
    status, message = answered(app_url, body)
    assert status < 500 and "Traceback" not in message and (status != 200 or "event: error" in message)


@pytest.mark.parametrize(("endpoint", "data"), [
    ("analyze", []), ("analyze", [1]), ("analyze", ["/etc/passwd"]), ("analyze", [None, 1]), ("analyze", [[[]]]),
    ("analyze", [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]), ("analyze", [{"path": {}}]),
    ("analyze", [{"path": "a\0b"}]), ("analyze", [{"path": "\ud800"}]), ("analyze", [{"url": "http://192.0.2.1/"}]),
    ("swap", [1, {"a": 1}, "x", [], None, True]), ("render", [{}] * 14), ("export", [None, "x" * 10_000]),
    ("nearest", [0, -1, 1e308]),
])
def test_a_hostile_argument_is_refused_with_a_sentence(endpoint, data, app_url):
    status, message = answered(app_url, json.dumps({"data": data}).encode(), endpoint)
    assert status < 500 and "Traceback" not in message
    assert status != 200 or re.search(r"event: error\ndata: .*\.\"", message), message
