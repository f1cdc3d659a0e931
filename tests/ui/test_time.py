"""The Time tab in the real app: a film's timeline, the face that follows it, consent, and the camera."""

import pytest

from core.export.provenance import CONSENT
from tests.ui.images import changed, pixels, source

pytestmark = pytest.mark.timeout(300)
FACE = "#time-hero img.face"


@pytest.fixture(scope="module")
def film_page(open_page):
    """A page with the example film."""
    with open_page() as page:
        page.get_by_role("tab", name="Time").click()
        page.wait_for_selector("#time-example")
        page.locator("#time-example").click()
        page.wait_for_selector("#timeline .plots[data-ready]")
        yield page


@pytest.fixture
def page(film_page):
    """The tab with the example film; an earlier test may have left it."""
    film_page.get_by_role("tab", name="Time").click()
    film_page.locator("#timeline .strip").wait_for()
    return film_page


def at(page, part: float) -> None:
    """Put the cursor at a part of the film."""
    box = page.locator("#timeline .strip").bounding_box()
    page.mouse.click(box["x"] + part * box["width"], box["y"] + 10)


def test_the_timeline_plots_the_film_and_the_face_follows_the_cursor(page):
    lines = page.evaluate("""[...document.querySelectorAll('#timeline .plot')].map((plot) => plot.data.length)""")
    assert lines == [5, 3, 2, 1] and page.locator("#timeline .strip img").count() == 12
    earlier = source(page, FACE)
    at(page, 0.28)
    face = changed(page, FACE, earlier)
    assert pixels(face).shape == (256, 256, 3)
    page.locator("#timeline .strip").press("ArrowRight")
    changed(page, FACE, face)


def test_a_film_of_the_chosen_span_waits_for_consent_once(page):
    at(page, 0.2)
    page.locator("#timeline .begin").click()
    at(page, 0.24)
    page.locator("#timeline .end").click()
    page.wait_for_function("document.querySelector('#timeline .bar output').innerText.includes('to export')")
    page.locator("#time-mp4").click()
    page.get_by_text(CONSENT).wait_for()
    with page.expect_download() as first:
        page.locator("#time-agree").click()
    with page.expect_download() as second:
        page.locator("#time-gif").click()
    assert [one.value.suggested_filename for one in (first, second)] == ["driven.mp4", "driven.gif"]
    assert b"synthetic" in first.value.path().read_bytes()
    assert not page.get_by_text(CONSENT).is_visible()


def test_the_camera_drives_the_face_and_stops_with_the_tab(page):
    earlier = source(page, FACE)
    page.locator("#time-hero .camera").click()
    face = changed(page, FACE, earlier)
    changed(page, FACE, face)
    with page.expect_download() as saved:
        page.locator("#time-hero .snapshot").click()
    assert saved.value.suggested_filename == "latentface.png"
    page.get_by_role("tab", name="About").click()
    page.wait_for_function("!document.querySelector('#time-hero video').srcObject")
