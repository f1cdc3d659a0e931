"""Command line and page of the app, without a browser."""

import os
import re
import subprocess
import sys
from pathlib import Path

from app import main

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
