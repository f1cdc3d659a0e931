"""Command line and page of the app, without a browser."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from app import main
from app.server.address import AddressUnavailable, require_free
from benchmarks.visitors import free_port, running_app
from tests.users import AS_ANOTHER_USER, NEEDS_ANOTHER_USER, open_folder

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


def test_the_address_comes_from_the_variables_of_every_gradio_app(monkeypatch):
    monkeypatch.setenv("GRADIO_SERVER_NAME", "[::1]")
    monkeypatch.setenv("GRADIO_SERVER_PORT", "7999")
    options = main._parser().parse_args([])
    assert (options.host, options.port) == ("::1", 7999)


@pytest.mark.parametrize("port", ["0", "99999", "-1", "http", "²"])
def test_an_impossible_port_is_named(port, monkeypatch, capsys):
    monkeypatch.setenv("GRADIO_SERVER_PORT", port)
    for arguments in ([], ["--port", port]):
        with pytest.raises(SystemExit):
            main._parser().parse_args(arguments)
        assert "from 1 to 65535" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "localhost"])
def test_a_port_that_is_taken_is_refused_at_once(host):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(AddressUnavailable, match=f"{host}:{port} .*in use.*choose another"):
            require_free(host, port)
    require_free(host, port)


@pytest.mark.parametrize("host", ["192.0.2.1", "no such name", "a..b"])
def test_an_address_of_another_machine_is_refused(host):
    with pytest.raises(AddressUnavailable, match="cannot listen on"):
        require_free(host, 7860)


def test_a_missing_file_of_the_app_is_named(monkeypatch, capsys):
    monkeypatch.setattr(main, "serve", lambda *_: (ROOT / "app" / "static" / "none.css").read_text())
    monkeypatch.setattr(main.offline, "stay_offline", lambda host: None)  # this process goes on
    monkeypatch.setattr(main.os, "environ", dict(os.environ))
    monkeypatch.setattr(main.tempfile, "tempdir", None)
    with pytest.raises(SystemExit):
        main.main(["--port", str(free_port())])
    assert "cannot start: " in (said := capsys.readouterr().err) and "none.css: No such file" in said


def test_the_app_starts_with_proxies_and_without_standard_streams(tmp_path):
    proxies = dict.fromkeys(("ALL_PROXY", "HTTP_PROXY", "http_proxy", "https_proxy"), "socks5://127.0.0.1:9")
    with running_app(tmp_path / "log.txt", before=["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh"], **proxies):
        pass


@NEEDS_ANOTHER_USER
def test_the_app_starts_for_a_user_who_has_no_home_and_cannot_write_the_installation(tmp_path):
    with open_folder() as temporary:
        home = {"HOME": "/nonexistent", "TMPDIR": str(temporary), "PYTHONDONTWRITEBYTECODE": "1"}
        with running_app(tmp_path / "log.txt", before=AS_ANOTHER_USER, **home) as app:
            assert any(temporary.glob("latentface-*"))
        assert "Traceback" not in app.log.read_text()
