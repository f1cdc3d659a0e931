"""The real app in a process of its own, and a browser that watches where the page goes."""

import contextlib
import re

import pytest
from PIL import Image

from benchmarks.visitors import ROOT, running_app

EXAMPLES = ROOT / "assets" / "examples"
FLAGS = """--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader --disable-quic --no-first-run
--disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage
--use-fake-device-for-media-stream --use-fake-ui-for-media-stream""".split()
DESKTOP, PHONE = {"width": 1400, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def app_url(tmp_path_factory):
    """Address of the app with the bundled weights."""
    with running_app(tmp_path_factory.mktemp("app") / "log.txt") as app:
        yield app.url
    said = app.log.read_text()
    assert "Traceback" not in said, said


@pytest.fixture(scope="session")
def browser(chromium_path, tmp_path_factory):
    """Chromium, whose camera always sees the second example."""
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
    def open_page(viewport=DESKTOP, theme="light", link="", url=app_url, motion="reduce"):
        context = browser.new_context(viewport=viewport, accept_downloads=True, permissions=["camera"],
                                      reduced_motion=motion)
        context.set_default_timeout(60_000)
        try:
            page = context.new_page()
            strays, errors = [], []
            page.on("request", lambda request: strays.append(request.url)
                    if not re.match(rf"{url}/|data:|blob:", request.url) else None)
            page.on("websocket", lambda opened: strays.append(opened.url))
            page.on("pageerror", lambda error: errors.append(str(error)))
            page.goto(f"{url}/?__theme={theme}&{link}", wait_until="domcontentloaded")
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
