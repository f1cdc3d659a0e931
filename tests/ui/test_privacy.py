"""Visitors' photos stay on this machine, and all files are written to one folder that is cleaned up.

The app runs with a witness inside that notes every file it opens to write and every address it connects to; the
system's own list of its connections is watched beside it, for what is not Python.
"""

import ipaddress
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.visitors import running_app
from tests.ui.conftest import EXAMPLES
from tests.ui.images import changed, source

pytestmark = pytest.mark.timeout(600)
WITNESS = """
import os, sys
notes = os.open(os.environ["WITNESS_NOTES"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
def witness(event, arguments):
    if event == "open" and isinstance(arguments[0], str) and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        os.write(notes, f"write {os.path.abspath(arguments[0])}\\n".encode())
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        os.write(notes, f"reach {arguments[1][0]}\\n".encode())
sys.addaudithook(witness)
"""
OWN = ("/dev/", "/proc/")
"""No files, though they are opened like some."""


def environment(folder: Path) -> dict[str, str]:
    """For a process with a witness inside, its home and the place for its temporary files."""
    for name in ("home", "temp", "witness"):
        (folder / name).mkdir()
    (folder / "witness" / "sitecustomize.py").write_text(WITNESS)
    return {"HOME": str(folder / "home"), "TMPDIR": str(folder / "temp"), "PYTHONPATH": str(folder / "witness"),
            "PYTHONDONTWRITEBYTECODE": "1", "WITNESS_NOTES": str(folder / "notes.txt")}


def noted(folder: Path, what: str) -> set[str]:
    """What the witness saw the process write or reach."""
    lines = (folder / "notes.txt").read_text().splitlines()
    return {line.partition(" ")[2] for line in lines if line.startswith(what)}


def is_elsewhere(address: str) -> bool:
    """Whether this is no address of this machine alone."""
    return not ipaddress.ip_address(address).is_loopback


def connected(process: psutil.Process) -> set[str]:
    """Addresses elsewhere that a process holds connections to, by the system's list."""
    held = (one.raddr.ip for one in process.net_connections("inet") if one.raddr)
    return {address for address in held if is_elsewhere(address)}


def test_the_witnesses_see_what_a_process_does(tmp_path):
    program = """import socket
open("stray.txt", "w")
socket.socket(type=socket.SOCK_DGRAM).connect_ex(("192.0.2.1", 9))"""
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, env=os.environ | environment(tmp_path), check=True)
    assert noted(tmp_path, "write") == {str(tmp_path / "stray.txt")} and noted(tmp_path, "reach") == {"192.0.2.1"}
    with socket.socket(type=socket.SOCK_DGRAM) as stray:
        if stray.connect_ex(("192.0.2.1", 9)) == 0:  # where there is any network
            assert connected(psutil.Process()) == {"192.0.2.1"}


def test_nothing_leaves_the_machine_or_the_folder_and_the_folder_is_emptied(open_page, tmp_path):
    found, done = set(), threading.Event()
    surroundings = environment(tmp_path)

    def watch(pid: int) -> None:
        app = psutil.Process(pid)
        while not done.is_set():
            found.update(connected(app))
            time.sleep(0.02)

    with running_app(tmp_path / "log.txt", **surroundings) as app:
        watching = threading.Thread(target=watch, args=[app.process.pid])
        watching.start()
        try:
            with open_page(url=app.url) as page:
                use(page)
            folder, = (tmp_path / "temp").iterdir()
            assert any(path.is_file() for path in folder.rglob("*"))
        finally:
            done.set()
            watching.join()
    assert not found and not {address for address in noted(tmp_path, "reach") if is_elsewhere(address)}
    written = [path for path in noted(tmp_path, "write") if not path.startswith((str(folder), *OWN))]
    strays = [path for path in written if "__pycache__" not in path]  # compiled programs hold nothing of visitors
    assert all(Path(path).parent == folder.parent for path in strays) and len(strays) < 2  # Python tries it out, once
    assert not any(folder.parent.iterdir()) and not any((tmp_path / "home").iterdir())


def use(page) -> None:
    """Analyse a photo, swap its expression, look at the map, export."""
    albedo = source(page, "#equation .albedo img")
    page.locator("#photo-input input[type=file]").set_input_files(EXAMPLES / "045_neutral.jpg")
    changed(page, "#equation .albedo img", albedo)
    page.locator("#swap-donors button").nth(4).click()
    page.wait_for_selector("#swap-donors button:nth-child(5)[aria-pressed=true]")
    page.get_by_role("tab", name="Latent map").click()
    page.wait_for_selector("#map .plot[data-ready]")
    page.locator("#export summary").click()
    with page.expect_download() as download:
        page.locator('#export [data-kind="codes-json"]').click()
    assert download.value.failure() is None
