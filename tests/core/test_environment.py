"""The model runs for users who can write neither the installation nor a home, and with closed streams."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from core import environment
from tests.users import AS_ANOTHER_USER, NEEDS_ANOTHER_USER, open_folder

ROOT = Path(__file__).parents[2]
REPORT = """
import json, numba, numpy, sys, core.pipeline, training.rig.rasterizer
{call}
print(json.dumps([numba.config.CACHE_DIR, sys.modules["core.geometry.rasterizer"].COMPILED["cache"]]))
"""


def run_as_another_user(program: str, **variables: str) -> list:
    """The JSON that a program prints which can read everything and write only temporary files."""
    surroundings = {name: value for name, value in os.environ.items() if name not in ("HOME", "XDG_CACHE_HOME")}
    done = subprocess.run([*AS_ANOTHER_USER, sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True,
                          env=surroundings | {"PYTHONDONTWRITEBYTECODE": "1"} | variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@NEEDS_ANOTHER_USER
@pytest.mark.parametrize(("home", "call"), [
    ({}, "training.rig.rasterizer.vertex_normals(numpy.eye(3), numpy.array([[0, 1, 2]]))"),
    ({"HOME": "/root"}, ""),
    ({"HOME": "/nonexistent"}, ""),
], ids=["no home", "another's home", "a missing home"])
def test_compiled_code_is_stored_in_a_private_folder_of_a_user_without_a_home(home, call):
    program = REPORT.format(call=call)
    with open_folder() as temporary:
        folder, cached = run_as_another_user(program, TMPDIR=str(temporary), **home)
        assert cached and Path(folder).parent.parent == temporary
        assert Path(folder).parent.stat().st_mode & 0o777 == 0o700
        assert any(Path(folder).rglob("*.nbi")) == bool(call)


@pytest.fixture
def no_home(monkeypatch, tmp_path):
    """A process whose home cannot be written, and the folder of its temporary files."""
    monkeypatch.setenv("XDG_CACHE_HOME", "~/.cache")  # what a home is called where there is none
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("NUMBA_CACHE_DIR", "MPLCONFIGDIR"):
        monkeypatch.setenv(name, "")  # so that the test's end restores what the check sets
        monkeypatch.delenv(name)
    monkeypatch.setattr("numba.core.config.CACHE_DIR", "")
    return tmp_path


def test_caches_of_a_user_with_a_home_stay_where_they_are(no_home, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home" / ".cache"))
    assert environment.prepare_caches() and not any(tmp_path.iterdir()) and "NUMBA_CACHE_DIR" not in os.environ


def test_a_cache_folder_that_the_user_chose_is_kept(no_home, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(no_home / "chosen"))
    assert environment.prepare_caches() and os.environ["NUMBA_CACHE_DIR"] == str(no_home / "chosen")


def test_code_that_somebody_else_could_have_written_is_not_run(no_home):
    folder = no_home / f"latentface-cache-{os.getuid()}"
    folder.mkdir()
    folder.chmod(0o777)
    assert environment.prepare_caches() is False and "NUMBA_CACHE_DIR" not in os.environ


def test_nothing_is_stored_where_no_folder_can_be_written(no_home, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(no_home / "missing"))
    assert environment.prepare_caches() is False


def test_files_that_are_opened_later_do_not_become_closed_streams(tmp_path):
    program = """import os, sys
from core.environment import open_streams
for number in range(3):
    os.close(number)
sys.stdin = sys.stdout = sys.stderr = None
open_streams()
photo = open("photo.png", "w")
os.write(2, b"a message of a library")
print("a result", file=sys.stdout)
sys.exit(photo.fileno() > 2 and sys.stdin.read() == "")"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.returncode == 1 and (tmp_path / "photo.png").read_text() == ""
