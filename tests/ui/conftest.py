"""The real app in a process of its own, and a browser that watches where the page goes."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "assets" / "examples"
START_SECONDS = 180
FLAGS = """--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage
--use-fake-device-for-media-stream --use-fake-ui-for-media-stream""".split()
DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def app_url(tmp_path_factory):
    """Address of the app with the bundled weights."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("app") / "log.txt"
    with open(log, "w") as stream:
        process = subprocess.Popen([sys.executable, "app.py", "--port", str(port)], cwd=ROOT, stdout=stream,
                                   stderr=subprocess.STDOUT, env=os.environ | {"PYTHONUNBUFFERED": "1"})
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(url):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(30)
    said = log.read_text()
    # Gradio says at length that it refuses a path, which one test asks it to do.
    assert said.count("Traceback") == said.count("gradio.exceptions.InvalidPathError: "), said


def _answers(url):
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"{url}/config", timeout=5).status == 200


@pytest.fixture(scope="session")
def browser(chromium_path, tmp_path_factory):
    """Chromium, whose camera sees the second example for ever."""
    from playwright.sync_api import sync_playwright

    film = tmp_path_factory.mktemp("camera") / "face.mjpeg"
    Image.open(sorted(EXAMPLES.glob("*.jpg"))[1]).resize((480, 480)).save(film, "JPEG")
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={film}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, headless=True, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def open_page(browser, app_url):
    """A function that opens the app and waits for its first screen; the page may go nowhere else."""

    @contextlib.contextmanager
    def open_page(viewport=DESKTOP, theme="light", link=""):
        context = browser.new_context(viewport=viewport, accept_downloads=True, permissions=["camera"])
        context.set_default_timeout(60_000)
        try:
            page = context.new_page()
            strays, errors = [], []
            page.on("request", lambda request: strays.append(request.url)
                    if not re.match(rf"{app_url}/|data:|blob:", request.url) else None)
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"{app_url}/?__theme={theme}&{link}", wait_until="domcontentloaded")
            page.wait_for_selector("#equation .photo img")
            yield page
        finally:
            context.close()  # a page left open would go on drawing in 3-D
        assert not strays
        assert not errors

    return open_page


@pytest.fixture(scope="module")
def desktop(open_page):
    """One page for a module's tests, which leave it as usable as they found it."""
    with open_page() as page:
        yield page
