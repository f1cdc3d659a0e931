"""Command line, page and errors of the app, without a browser."""

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest

from app import main
from app.server.errors import told
from core.errors import ImageTooSmall

ROOT = Path(__file__).parents[2]


def test_the_app_listens_on_this_machine_alone_unless_on_a_space(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert main._parser().parse_args([]).host == "127.0.0.1"
    monkeypatch.setenv("SPACE_ID", "somebody/latentface")
    assert main._parser().parse_args([]).host == "0.0.0.0"


def test_missing_weights_end_the_start_with_a_sentence(tmp_path):
    done = subprocess.run([sys.executable, "app.py", "--weights", str(tmp_path / "none.safetensors")], cwd=ROOT,
                          capture_output=True, text=True, env=os.environ)
    assert done.returncode == 1
    assert "There are no weights at" in done.stderr and "Traceback" not in done.stderr


def test_the_page_offers_the_endpoints_that_it_documents_and_no_others():
    demo = main.build_demo()
    text = (ROOT / "app" / "text" / "api.md").read_text(encoding="utf-8")
    offered = set(demo.get_api_info()["named_endpoints"])
    assert offered == set(re.findall(r"^\| `(/\w+)`", text, re.M)) >= {"/analyze", "/render", "/frontalize", "/export"}


def test_old_files_and_empty_folders_are_forgotten_and_new_files_kept(tmp_path):
    for path in (tmp_path / "old" / "photo.jpg", tmp_path / "part", tmp_path / "new" / "face.glb"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"face")
        os.utime(path, (0, 0))
    os.utime(tmp_path / "new" / "face.glb")
    main.forget(tmp_path, 600)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["face.glb"]
    main.forget(tmp_path, -600)  # ten minutes from now
    assert not any(tmp_path.iterdir())


def test_other_machines_are_neither_looked_up_nor_reached():
    program = """import socket
from app.server import offline
offline.stay_offline("127.0.0.1")
here = socket.create_server(("127.0.0.1", 0))
socket.create_connection(here.getsockname())
socket.getaddrinfo("localhost", 80)
datagram = socket.socket(type=socket.SOCK_DGRAM)
for reach in (lambda: socket.socket().connect(("192.0.2.1", 80)), lambda: socket.getaddrinfo("example.org", 80),
              lambda: datagram.connect(("192.0.2.1", 53)), lambda: datagram.sendto(b"?", ("192.0.2.1", 53))):
    try:
        reach()
    except PermissionError:
        print("refused")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == ["refused"] * 4, done.stderr


def test_errors_of_the_project_are_shown_as_they_are():
    @told
    def handler(text):
        raise ImageTooSmall(text)

    with pytest.raises(gr.Error, match="at least 16") as caught:
        handler("at least 16")
    assert not caught.value.print_exception


def test_other_errors_are_logged_and_become_a_sentence(caplog):
    @told
    def handler():
        raise ZeroDivisionError("secret path")

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error, match="earlier result") as caught:
        handler()
    assert "secret path" in caplog.text and "secret path" not in str(caught.value)
