"""Photos, the equation and the other panes on the factors, in the real app with the real weights."""

import io
import json
import re
import urllib.request

import numpy as np
import pytest
from PIL import Image

from tests.ui.conftest import EXAMPLES, PHONE
from tests.ui.images import as_jpeg, changed, pixels, settled, shows, source

pytestmark = pytest.mark.timeout(180)
TILES = ["albedo", "shading", "canonical", "reconstruction", "photo", "depth", "normals", "light", "error",
         "confidence"]


@pytest.fixture
def fresh(open_page):
    """A page that no other test uses: what they opened might still arrive."""
    with open_page() as page:
        yield page


def upload(page, name: str, content: bytes) -> None:
    """Choose a file as a visitor does."""
    page.locator("#photo-input input[type=file]").set_input_files(
        {"name": name, "mimeType": "image/jpeg", "buffer": content})


def example(number: int) -> bytes:
    return sorted(EXAMPLES.glob("*.jpg"))[number].read_bytes()


def earlier_stays(page) -> None:
    """The earlier result is still shown."""
    assert page.locator("#equation .tile img").count() == len(TILES)
    assert page.locator("#readout").inner_text()


def test_no_image_is_broken_before_a_face_is_shown(app_url):
    config = json.load(urllib.request.urlopen(f"{app_url}/config"))
    shown = [one["props"] for one in config["components"] if one["type"] == "html"]
    sources = [(one | one["props"])[name] for one in shown
               for name in re.findall(r'src="\$\{(\w+)\}"', one["html_template"])]
    assert len(sources) > 3 and all(str(one).startswith("data:image/") for one in sources)


def test_the_first_screen_shows_an_analyzed_face(desktop):
    for key in TILES:
        assert pixels(source(desktop, f"#equation .{key} img")).std() > 1, key
    operators = desktop.locator("#equation .main .operator").all_inner_texts()
    assert [operator[0] for operator in operators] == ["×", "=", "→", "≈"]
    assert "Yaw" in desktop.locator("#readout").inner_text()


def test_an_upload_changes_the_equation(desktop):
    albedo = source(desktop, "#equation .albedo img")
    upload(desktop, "photo.jpg", example(1))
    changed(desktop, "#equation .albedo img", albedo)


def test_the_pointer_shows_values_in_all_tiles_of_its_frame(desktop):
    desktop.locator("#equation .depth img").hover()
    desktop.wait_for_selector("#equation .tile[data-at]")
    marked = desktop.locator("#equation .tile[data-at]").evaluate_all("tiles => tiles.map(tile => tile.dataset.key)")
    assert set(marked) == {"albedo", "shading", "canonical", "depth", "normals"}
    depth = desktop.locator("#equation .depth").evaluate("tile => tile.style.getPropertyValue('--at')")
    assert 0.9 < float(depth.strip('"')) < 1.1
    desktop.mouse.move(0, 0)
    assert desktop.locator("#equation .tile[data-at]").count() == 0


def test_a_tile_enlarges_compares_steps_and_closes(desktop):
    desktop.locator("#equation .depth button").click()
    large = desktop.locator("#enlarged")
    large.wait_for()
    assert large.locator("h3").inner_text() == "Depth"
    assert large.locator(".compare").bounding_box()["width"] >= 512
    large.locator("input").fill("50")
    assert large.locator(".under").get_attribute("src") == source(desktop, "#equation .canonical img")
    assert "50%" in large.locator(".under").evaluate("image => getComputedStyle(image).clipPath")
    desktop.keyboard.press("Escape")
    large.wait_for(state="hidden")
    desktop.get_by_text("What am I seeing?").click()
    titles = []
    for _ in TILES:
        titles.append(large.locator("h3").inner_text())
        assert len(large.locator("p").inner_text()) > 20
        large.locator(".later").click()
    assert titles[:3] == ["Albedo", "Shading", "Canonical face"] and len(set(titles)) == len(TILES)
    large.locator(".close").click()
    large.wait_for(state="hidden")


def test_a_text_file_named_jpg_is_refused_with_a_message(desktop):
    upload(desktop, "photo.jpg", b"This is a text and not a photo. " * 20)
    desktop.get_by_text("not a photo that can be read").first.wait_for()
    desktop.locator("#photo-input img").wait_for(state="detached")  # another photo can be dropped
    earlier_stays(desktop)


def test_a_photo_without_a_face_can_be_cropped_by_hand(desktop):
    noise = np.random.default_rng(0).integers(0, 255, (8, 8, 3), np.uint8)
    upload(desktop, "wall.jpg", as_jpeg(Image.fromarray(noise).resize((300, 200), Image.Resampling.BICUBIC)))
    desktop.get_by_text("No face was found").first.wait_for()
    earlier_stays(desktop)
    desktop.locator("#photo polygon.hand").wait_for(state="attached")
    albedo, preview = source(desktop, "#equation .albedo img"), source(desktop, "#crop-preview img")
    desktop.locator("#crop-x input[type=range]").fill("30")
    changed(desktop, "#crop-preview img", preview)
    desktop.locator("#use-crop").click()
    changed(desktop, "#equation .albedo img", albedo)
    desktop.locator("#warnings").get_by_text("Cropped by hand").wait_for()


def test_one_of_several_faces_can_be_chosen(desktop):
    faces = [Image.open(io.BytesIO(example(number))).resize((400, 400)) for number in (2, 3)]
    both = Image.new("RGB", (900, 450), (210, 210, 210))
    both.paste(faces[0].resize((450, 450)), (0, 0))
    both.paste(faces[1], (500, 50))
    albedo = source(desktop, "#equation .albedo img")
    upload(desktop, "two.jpg", as_jpeg(both))
    first = changed(desktop, "#equation .albedo img", albedo)
    assert desktop.locator("#faces button").count() == 2
    desktop.locator("#warnings").get_by_text("2 faces").wait_for()
    desktop.locator("#faces button").nth(1).click()
    changed(desktop, "#equation .albedo img", first)
    desktop.wait_for_selector("#faces button:nth-child(2)[aria-pressed=true]")


def test_an_example_is_opened_with_a_click(desktop):
    albedo = source(desktop, "#equation .albedo img")
    desktop.locator("#examples button").nth(6).click()
    changed(desktop, "#equation .albedo img", albedo)
    assert desktop.locator("#faces button:visible").count() == 0


def test_refinement_is_a_switch_whose_factors_are_rendered_too(fresh):
    live = settled(fresh, "#render .live", "")
    found, switch = source(fresh, "#equation .reconstruction img"), fresh.locator("#refine input")
    assert not switch.is_checked()
    switch.check()
    refined = changed(fresh, "#equation .reconstruction img", found)
    changed(fresh, "#render .live", live)
    photo = pixels(source(fresh, "#equation .photo img"))
    assert np.abs(pixels(refined) - photo).mean() < np.abs(pixels(found) - photo).mean()
    switch.uncheck()
    assert changed(fresh, "#equation .reconstruction img", refined) == found


def test_camera_frames_are_analyzed_and_one_is_kept(fresh):
    albedo, photo = source(fresh, "#equation .albedo img"), fresh.locator("#photo image").get_attribute("href")
    fresh.locator("#camera button").first.click()
    changed(fresh, "#equation .albedo img", albedo)
    assert fresh.locator("#camera output").inner_text() == ""
    for _ in range(3):  # frame after frame
        fresh.wait_for_event("request", lambda request: "queue/join" in request.url)
    fresh.locator("#camera .keep").click()
    fresh.wait_for_function("earlier => document.querySelector('#photo image').getAttribute('href') !== earlier",
                              arg=photo)
    assert fresh.locator("#camera video").evaluate("video => video.srcObject") is None


def start_camera(page) -> None:
    """Start the camera, and wait until it runs: late answers of an earlier run may still change the face until then."""
    page.locator("#camera button").first.click()
    page.get_by_role("button", name="Stop camera").wait_for()


def test_the_page_shows_one_face_while_the_camera_runs_and_after_it(open_page):
    with open_page() as page:
        button, albedo = page.locator("#camera button").first, "#equation .albedo img"
        own = source(page, albedo)
        for stop in (button, page.locator("#export summary")):
            start_camera(page)
            changed(page, albedo, own)
            assert not page.locator("#photo").is_visible() and page.locator("#enlarged").is_visible()
            stop.click()
            shows(page, albedo, own)
            page.locator("#photo").wait_for()
            page.locator("#enlarged").wait_for(state="hidden")
        page.locator("#export summary").click()
        start_camera(page)
        changed(page, albedo, own)
        upload(page, "photo.jpg", example(4))  # the fourth example, without a click
        page.get_by_role("button", name="Live camera").wait_for()
        with open_page(link="example=4") as other:
            shows(page, albedo, source(other, albedo))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_phone_shows_everything_without_scrolling_sideways(open_page, theme):
    with open_page(PHONE, theme) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        assert page.locator("#equation .tile img").count() == len(TILES)
        brightness = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3)")
        assert (np.mean([int(value) for value in brightness]) > 128) == (theme == "light")
        page.get_by_role("tab", name="About").click()
        page.get_by_text("It identifies nobody").wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
