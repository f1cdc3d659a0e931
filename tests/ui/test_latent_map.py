"""The Latent map tab in the real app: choosing, decoding, the lasso, the keyboard, and a visitor's own photos."""

import csv
import io
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.ui.conftest import EXAMPLES, PHONE
from tests.ui.images import changed, pixels, source

pytestmark = pytest.mark.timeout(240)
PREVIEW = "#map-preview img"
PLACE = """([k, i]) => {
  const plot = document.querySelector('#map .plot'), box = plot.getBoundingClientRect(), suffix = k ? k + 1 : '';
  const [x, y] = [plot._fullLayout['xaxis' + suffix], plot._fullLayout['yaxis' + suffix]];
  return [box.left + x._offset + x.l2p(plot.data[k].x[i]), box.top + y._offset + y.l2p(plot.data[k].y[i])];
}"""


@pytest.fixture(scope="module")
def page(open_page):
    """The tab, opened once."""
    with open_page() as page:
        page.get_by_role("tab", name="Latent map").click()
        page.wait_for_selector("#map .plot[data-ready]")
        yield page


def upload(page, folder) -> None:
    """Choose a folder as a visitor does."""
    with page.expect_file_chooser() as chooser:
        page.locator("#map-folder").click()
    chooser.value.set_files(str(folder))


def about(page) -> str:
    return page.locator("#map-about").inner_text()


def test_three_layouts_show_the_same_faces_and_mark_the_current_one(page):
    counts = page.evaluate("document.querySelector('#map .plot').data.map((trace) => trace.x.length)")
    assert len(counts) == 3 and len(set(counts)) == 1 and counts[0] == 204
    ink = page.evaluate("""() => { const c = document.querySelector('#map .stage > canvas');
      const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let orange = 0, any = 0;
      for (let i = 0; i < d.length; i += 4) {
        any += d[i + 3] > 0; orange += d[i] === 217 && d[i + 1] === 119 && d[i + 2] === 6; }
      return [orange, any / (d.length / 4)]; }""")
    assert ink[0] > 100 and ink[1] > 0.1
    page.wait_for_function("document.querySelectorAll('#map-near button[data-index]').length === 18")
    assert "CC BY 4.0" in page.locator("#work").inner_text()


def test_the_face_at_the_pointer_is_decoded(page):
    box, earlier, faces = page.locator("#map .plot").bounding_box(), source(page, PREVIEW), []
    captions = (0.1, "identity at this position"), (0.5, "expression at this position"), (0.85, "whole code")
    for across, words in captions:
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * 0.6)
        page.locator("#map-preview").get_by_text(words).wait_for()
        earlier = changed(page, PREVIEW, earlier)
        faces.append(pixels(earlier))
    assert all(face.std() > 15 for face in faces)
    assert np.abs(faces[0] - faces[1]).mean() > 1 and np.abs(faces[1] - faces[2]).mean() > 1


def test_a_click_chooses_a_face_and_a_neighbour_of_it_another(page):
    page.mouse.click(*page.evaluate(PLACE, [2, 20]))
    page.wait_for_selector("#map-about dl")
    first = about(page)
    assert "smile" in first and page.locator("#map-subject").is_enabled()
    page.locator("#map-near button").first.click()
    page.wait_for_function("(text) => document.querySelector('#map-about').innerText !== text", arg=first)


def test_a_chosen_face_is_shown_everywhere_even_if_requested_at_once(page):
    page.mouse.click(*page.evaluate(PLACE, [2, 30]))
    page.wait_for_selector("#map-about dl")
    photo = page.locator("#photo image").get_attribute("href")
    near = pixels(page.evaluate("""() => { const button = document.querySelectorAll('#map-near button[data-index]')[2];
      button.click();
      document.querySelector('#map-subject').click();
      return button.querySelector('img').src; }"""))
    page.wait_for_function("(href) => document.querySelector('#photo image').getAttribute('href') !== href", arg=photo)
    shown = Image.fromarray(pixels(page.locator("#photo image").get_attribute("href")).astype("uint8"))
    assert np.abs(np.asarray(shown.resize(near.shape[:2]), float) - near).mean() < 5
    page.get_by_text("The orange ring marks").wait_for()


def test_faces_in_the_lasso_are_exported(page):
    page.get_by_role("button", name="Lasso").click()
    box = page.evaluate("""() => { const p = document.querySelector('#map .plot'), b = p.getBoundingClientRect(),
      { xaxis: x, yaxis: y } = p._fullLayout;
      return [b.left + x._offset, b.top + y._offset, x._length, y._length]; }""")
    corners = [(0.02, 0.02), (0.98, 0.02), (0.98, 0.6), (0.02, 0.6), (0.02, 0.02)]
    corners = [(box[0] + box[2] * x, box[1] + box[3] * y) for x, y in corners]
    page.mouse.move(*corners[0])
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=4)
    page.mouse.up()
    button = page.locator("#map-export")
    page.wait_for_function("() => /Export \\d+ faces/.test(document.querySelector('#map-export').innerText)")
    count = int(button.inner_text().split()[1])
    with page.expect_download() as download:
        button.click()
    with zipfile.ZipFile(download.value.path()) as file:
        rows = list(csv.DictReader(io.StringIO(file.read("faces.csv").decode())))
    assert len(rows) == count and all(float(row["identity_y"]) > -0.4 for row in rows)
    page.get_by_role("button", name="Show all").click()
    page.get_by_text("Export all").wait_for()
    page.get_by_role("button", name="Move", exact=True).click()


def focused(page) -> str:
    """Name of the focused element, whose focus ring must be visible."""
    name, ring, width, inside = page.evaluate("""() => {
      const one = document.activeElement, style = getComputedStyle(one), box = one.getBoundingClientRect();
      return [one.ariaLabel || one.innerText || one.className, style.outlineStyle, box.width,
              box.left >= 0 && box.right <= innerWidth]; }""")
    assert ring == "solid" and 10 < width < 500 and inside, name
    return name


def test_renders_are_added_and_a_value_becomes_the_axis(page):
    count = "document.querySelector('#map .plot').data[0].x.length"
    page.get_by_label("With renders").check()
    page.wait_for_function(f"{count} === 524")
    page.get_by_label("Axis across").select_option("red lips")
    places = "document.querySelector('#map .plot').data.slice(0, 2).map((trace) => trace.x[7])"
    page.wait_for_function(f"(([first, second]) => first === second)({places})")
    page.get_by_label("Axis across").select_option("layout")
    page.get_by_label("With renders").uncheck()
    page.wait_for_function(f"{count} === 204")


def test_the_keyboard_alone_reaches_and_does_everything(page):
    page.get_by_role("tab", name="Latent map").focus()
    page.keyboard.press("Tab")
    stops = []
    while not stops or stops[-1] != "Whole code":
        stops.append(focused(page).split(":")[0])
        page.keyboard.press("Tab")
    page.keyboard.press("Shift+Tab")
    assert stops == ["Time", "API", "About", "Color by", "Axis across", "Move", "Lasso", "Show all", "Full screen",
                     "show-thumbnails", "Identity", "Expression", "Whole code"]
    for key in ("ArrowDown", "Space", "ArrowUp", "ArrowUp", "Space"):  # faster than the answers
        page.keyboard.press(key)
    page.get_by_text("Export 2 faces").wait_for()
    page.locator("#map-preview").get_by_text("whole code").wait_for()
    range_ = "document.querySelector('#map .plot')._fullLayout.xaxis3.range"
    page.keyboard.press("+")
    page.wait_for_function(f"(() => {{ const [low, high] = {range_}; return high - low < 2; }})()")
    for _ in range(2):
        page.keyboard.press("Tab")
    assert focused(page) == "Show this face"
    for _ in range(2):
        page.keyboard.press("Tab")
    assert focused(page) == "Export 2 faces"
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    with zipfile.ZipFile(download.value.path()) as file:
        rows = list(csv.DictReader(io.StringIO(file.read("faces.csv").decode())))
    assert len(rows) == 2
    page.locator("#map-about").get_by_role("heading", name=rows[-1]["name"], exact=True).wait_for()
    page.keyboard.press("Tab")
    assert focused(page) == "Map my own folder"
    with page.expect_file_chooser():
        page.locator("#map-folder").press("Enter")
    page.locator("#map .whole").press("Enter")
    page.get_by_text("Export all").wait_for()


def test_the_keyboard_alone_opens_photos_sessions_and_the_menu(page):
    for name in ("#photo-input button.upload-container", "#open-session"):
        with page.expect_file_chooser():
            page.locator(name).press("Enter")
    page.keyboard.press("Tab")
    assert focused(page) == "Export"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert focused(page).startswith("Render")
    page.keyboard.press("Escape")
    assert focused(page) == "Export" and not page.locator("#export .sheet").is_visible()


def test_too_few_photos_are_refused_and_the_gallery_stays(page, tmp_path):
    for path in sorted(EXAMPLES.glob("*.jpg"))[:2]:
        shutil.copy(path, tmp_path)
    (tmp_path / "notes.txt").write_text("no photo")
    upload(page, tmp_path)
    page.get_by_text("a map needs at least 12").first.wait_for()
    assert page.get_by_text("Invalid file type").count() == 0
    page.wait_for_selector("#map-cancel", state="hidden")
    assert page.evaluate("document.querySelector('#map .plot').data[0].x.length") == 204


def test_mapping_a_folder_can_be_cancelled(page, tmp_path):
    for number in range(100):  # enough work to cancel
        shutil.copy(sorted(EXAMPLES.glob("*.jpg"))[0], tmp_path / f"{number}.jpg")
    upload(page, tmp_path)
    page.get_by_text("of 100 photos").wait_for()
    page.locator("#map-cancel").click()
    page.wait_for_selector("#map-cancel", state="hidden")
    page.wait_for_function("document.querySelector('#map-progress').innerText === ''")
    assert page.locator("#map-folder").is_enabled()


def test_a_phone_shows_the_layouts_below_each_other(open_page):
    with open_page(PHONE) as page:
        page.get_by_role("tab", name="Latent map").click()
        page.wait_for_selector("#map .plot[data-ready]")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        box = page.locator("#map .plot").bounding_box()
        assert box["height"] > 2.5 * box["width"]
