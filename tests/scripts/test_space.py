"""The folder of a Hugging Face Space: what is in it, and that it starts as Spaces starts it."""

import fnmatch
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
import yaml

from benchmarks.visitors import free_port
from core.errors import OutputExists
from scripts.space import ROOT, build_space, main
from tests.users import AS_ANOTHER_USER, NEEDS_ANOTHER_USER, open_folder

SETTINGS = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file",
            "suggested_hardware", "license", "short_description", "tags"}
"""Those of the settings that Spaces documents (hub/spaces-config-reference) that a Space of this kind uses."""
COLOURS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
SPACES_USER = [part.replace("54321", "1000") for part in AS_ANOTHER_USER]
"""Spaces runs every app as this user."""
SPACES_VARIABLES = {"SPACE_ID": "somebody/latentface", "SPACE_HOST": "somebody-latentface.hf.space",
                    "SPACE_AUTHOR_NAME": "somebody", "SPACE_REPO_NAME": "latentface", "SPACE_TITLE": "LatentFace",
                    "SPACE_CREATOR_USER_ID": "0", "SYSTEM": "spaces", "CPU_CORES": "2", "MEMORY": "16Gi",
                    "ACCELERATOR": "none", "GRADIO_ALLOW_FLAGGING": "never", "GRADIO_NUM_PORTS": "1",
                    "GRADIO_SERVER_NAME": "0.0.0.0", "GRADIO_THEME": "huggingface", "PYTHONUNBUFFERED": "1"}
WITHOUT_SPACES = "RuntimeError: `spaces` package is required"
"""Gradio's reloader, which a Space in development uses, says so where that package of Spaces is not installed."""
START_SECONDS = 300


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """The folder."""
    folder = tmp_path_factory.mktemp("spaces") / "space"
    assert main(["--out", str(folder)]) == 0
    return folder


def files(folder: Path) -> list[Path]:
    """Paths in a folder, relative to it."""
    return [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]


def sources(package: str) -> list[str]:
    """Texts of the modules of a package."""
    return [path.read_text(encoding="utf-8") for path in sorted((ROOT / package).rglob("*.py"))]


def test_the_space_holds_the_app_and_the_weights_and_nothing_else(space):
    found = {str(path) for path in files(space)}
    assert {path.split("/")[0] for path in found} == {
        ".gitattributes", "LICENSE", "README.md", "THIRD_PARTY.md", "app", "app.py", "assets", "core", "docs",
        "packages.txt", "requirements.txt"}
    assert not [path for path in found if "__pycache__" in path or ".latentface" in path or "textures/" in path]
    assert sum((space / path).stat().st_size for path in found) < 60e6


def test_every_asset_that_the_app_reads_is_there(space):
    texts = "\n".join(sources("core") + sources("app"))
    named = set(re.findall(r'ASSETS((?: / "[\w.]+")+)', texts))
    assert len(named) >= 4
    assert not [name for name in named if not (space / "assets" / name.replace('"', "").replace(" ", "")[1:]).exists()]


def test_binary_files_are_kept_in_large_file_storage(space):
    patterns = [line.split()[0] for line in (space / ".gitattributes").read_text().splitlines()
                if line.endswith("filter=lfs diff=lfs merge=lfs -text")]
    for path in files(space):
        large = any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns)
        assert large == (b"\0" in (space / path).read_bytes()), path


def test_the_settings_are_those_that_spaces_documents(space):
    settings = yaml.safe_load((space / "README.md").read_text(encoding="utf-8").split("---\n")[1])
    assert settings.keys() == SETTINGS
    assert settings["sdk"] == "gradio" and (space / settings["app_file"]).is_file()
    assert {settings["colorFrom"], settings["colorTo"]} <= COLOURS and len(settings["short_description"]) <= 60
    assert settings["suggested_hardware"] == "cpu-basic" and settings["python_version"] == "3.11"
    assert f"gradio=={settings['sdk_version']}" in (space / "requirements.txt").read_text().splitlines()


def test_the_requirements_take_the_cpu_build_of_torch(space):
    first, *others = (space / "requirements.txt").read_text().splitlines()
    assert first.startswith("--extra-index-url") and first.endswith("/cpu")
    assert others == (ROOT / "requirements.txt").read_text().splitlines()


def test_links_of_the_readme_lead_to_files_of_the_space(space):
    links = re.findall(r"\]\((?!https?:)([^)\s]+)\)", (space / "README.md").read_text(encoding="utf-8"))
    assert links and not [link for link in links if not (space / link).exists()]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputExists, match="not empty"):
        build_space(tmp_path)
    assert main(["--out", str(tmp_path)]) == 2 and "choose another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.timeout(600)
@NEEDS_ANOTHER_USER
def test_the_space_starts_as_spaces_starts_it():
    with open_folder() as root:
        home, port = root / "home", free_port()
        home.mkdir()
        build_space(home / "app")
        (home / ".cache").mkdir()
        os.chown(home / ".cache", 1000, 1000)  # the home belongs to somebody else: only the cache can be written
        before = files(home)
        environment = {name: os.environ[name] for name in ("PATH", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
        environment |= SPACES_VARIABLES | {"HOME": str(home), "GRADIO_SERVER_PORT": str(port)}
        log = root / "log.txt"
        with open(log, "w") as stream:
            app = subprocess.Popen([*SPACES_USER, sys.executable, "app.py"], cwd=home / "app", env=environment,
                                   stdout=stream, stderr=subprocess.STDOUT)
        try:
            endpoints = json.loads(read_when_ready(f"http://127.0.0.1:{port}/gradio_api/info", app, log))
            page = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).read()
            found = analyze(f"http://127.0.0.1:{port}", home / "app" / "assets" / "examples" / "045_neutral.jpg")
        finally:
            app.terminate()
            app.wait(60)
        said = log.read_text()
        assert "/analyze" in endpoints["named_endpoints"] and b"LatentFace" in page
        assert -10 < found["pose"]["yaw"] < 10 and not found["warnings"]
        assert said.count("Traceback") == said.count(WITHOUT_SPACES) <= 1 and "Warning" not in said
        assert [path for path in files(home) if path.parts[0] != ".cache"] == before


def read_when_ready(url: str, app: subprocess.Popen, log: Path) -> bytes:
    """What an address gives once the app answers."""
    deadline = time.monotonic() + START_SECONDS
    while app.poll() is None and time.monotonic() < deadline:
        try:
            return urllib.request.urlopen(url, timeout=30).read()
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"the app did not start: {log.read_text()}")


def analyze(url: str, photo: Path) -> dict:
    """What the endpoint /analyze finds in a photo."""
    from gradio_client import Client, handle_file

    client = Client(url, verbose=False)
    return client.predict(handle_file(photo), api_name="/analyze")
