"""What a visitor sees and does on the Swap tab, in the real app with the real weights, and its endpoint."""

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from tests.ui.conftest import EXAMPLES, PHONE
from tests.ui.images import changed, pixels, settled, shows, source
from tests.ui.studio import LIVE, slider, unfold, url_has

pytestmark = pytest.mark.timeout(300)
LAST = "#swap-interpolation figure:last-child img"


def opened(page):
    """The page, with another face's expression and the interpolation shown."""
    first = settled(page, LIVE, "")
    unfold(page, "identity", "background")
    page.locator("#swap-donors button").nth(4).click()
    settled(page, LIVE, first)
    page.get_by_role("tab", name="Interpolation").click()
    page.wait_for_selector("#swap-interpolation .steps img")
    return page


@pytest.fixture(scope="module")
def desktop(open_page):
    """One page for this module's tests, which leave it as usable as they found it."""
    with open_page() as page:
        yield opened(page)


def test_the_interpolation_starts_at_the_face_and_ends_at_the_donors_expression(desktop):
    own, other = (pixels(one.get_attribute("src")) for one in desktop.locator("#swap-pair img").all())
    assert np.abs(own - other).mean() > 5
    steps = [pixels(one.get_attribute("src")) for one in desktop.locator("#swap-interpolation img").all()]
    assert len(steps) == 7 and np.abs(steps[0] - steps[-1]).mean() > 0.5


def test_the_strength_changes_the_render_and_restores_it(desktop):
    start, slider = source(desktop, LIVE), desktop.locator("#swap-albedo input[type=range]")
    slider.fill("1.5")
    more = settled(desktop, LIVE, start)
    slider.fill("1")
    assert settled(desktop, LIVE, more) == start


def test_decoded_detail_offers_depth_and_the_interpolation_of_identities(desktop):
    start, depth, what = source(desktop, LIVE), desktop.locator("#swap-depth"), desktop.locator("#swap-what")
    assert desktop.locator("#swap-albedo").inner_text().startswith("Strength") and not depth.is_visible()
    desktop.get_by_role("tab", name="Interpolation").click()  # the only pane that is filled is the open one
    assert what.inner_text().split() == ["Interpolate", "Expression"]
    earlier = source(desktop, LAST)
    desktop.locator("#detail").get_by_text("Decoded").click()
    decoded = settled(desktop, LIVE, start)
    depth.wait_for()
    assert desktop.locator("#swap-albedo").inner_text().startswith("Albedo")
    earlier = changed(desktop, LAST, earlier)
    what.get_by_text("Both").click()
    changed(desktop, LAST, earlier)
    desktop.locator("#detail").get_by_text("Photo").click()
    assert settled(desktop, LIVE, decoded) == start
    depth.wait_for(state="hidden")


def test_another_donor_swapped_roles_and_the_neutral_face(desktop):
    start, other = source(desktop, LIVE), "#swap-pair figure:last-child img"
    donor = source(desktop, other)
    desktop.locator("#swap-donors button").nth(6).click()
    second = changed(desktop, other, donor)
    with_second = settled(desktop, LIVE, start)
    desktop.locator("#swap-roles").click()
    own = "#swap-pair figure:first-child img"
    desktop.wait_for_function("([own, src]) => document.querySelector(own).src === src", arg=[own, second])
    exchanged = settled(desktop, LIVE, with_second)
    desktop.locator("#swap-source").get_by_text("Neutral").click()
    neutral = settled(desktop, LIVE, exchanged)
    desktop.locator("#swap-source").get_by_text("From another face").click()
    settled(desktop, LIVE, neutral)


def test_saved_renders_say_that_they_are_synthetic(desktop):
    saved = []
    for watermark in (False, True):
        desktop.locator("#render .watermark").set_checked(watermark)
        with desktop.expect_download() as download:
            desktop.locator("#render .save").click()
        saved.append(Image.open(download.value.path()))
    assert all(image.text["Description"].startswith("Synthetic") for image in saved)
    plain, marked = (np.asarray(image, float)[-40:, :120] for image in saved)
    assert np.abs(plain - marked).max() > 50


def test_a_file_that_is_no_photo_is_refused_and_the_render_stays(desktop):
    start = source(desktop, LIVE)
    with desktop.expect_file_chooser() as chooser:
        desktop.locator("#swap-upload").click()
    chooser.value.set_files({"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"This is a text. " * 40})
    desktop.get_by_text("not a photo that can be read").first.wait_for()
    assert source(desktop, LIVE) == start


def test_the_grid_is_drawn_and_a_cell_opens_its_two_faces(desktop):
    desktop.get_by_role("tab", name="Grid").click()
    for extra in (2, 3):  # two faces are quick
        desktop.locator("#swap-faces button").nth(extra).click()
        desktop.wait_for_selector(f"#swap-faces button:nth-child({extra + 1})[aria-pressed=false]")
    desktop.locator("#swap-draw").click()
    desktop.wait_for_function("document.querySelectorAll('#swap-grid button').length === 4")
    earlier = source(desktop, "#swap-pair figure:first-child img")
    desktop.locator("#swap-grid button").nth(2).click()
    changed(desktop, "#swap-pair figure:first-child img", earlier)


def test_denoising_steps_and_uncertainty_change_with_the_seed(desktop):
    desktop.get_by_role("tab", name="Denoising").click()
    desktop.wait_for_selector("#swap-uncertainty img")
    assert desktop.locator("#swap-steps img").count() == 5 and desktop.locator("#swap-uncertainty img").count() == 3
    first = source(desktop, "#swap-steps figure:first-child img")
    desktop.locator("#swap-seed input[type=number]").fill("7")
    changed(desktop, "#swap-steps figure:first-child img", first)


def test_named_edits_a_donor_and_another_identity_add_up_and_are_undone_one_by_one(open_page):
    with open_page(link="example=4") as page:
        shown = [settled(page, LIVE, "")]
        unfold(page, "identity")
        slider(page, "smile").fill("1")
        shown.append(settled(page, LIVE, shown[-1]))
        mouth = [pixels(one)[300:420, 120:390] for one in shown]
        assert np.abs(mouth[1] - mouth[0]).mean() > 2  # the hero smiles
        page.locator("#swap-donors button").nth(4).click()
        shown.append(settled(page, LIVE, shown[-1]))
        page.locator("#identity-donors button").nth(6).click()
        shown.append(settled(page, LIVE, shown[-1]))
        url_has(page, "edits=smile:1", "donor=5", "identity=7")
        assert len(set(shown)) == 4
        for expected in shown[-2::-1]:
            page.keyboard.press("Control+z")
            shows(page, LIVE, expected)
        assert slider(page, "smile").input_value() == "0"
        page.keyboard.press("Control+Shift+z")
        shows(page, LIVE, shown[1])
        page.locator("#reset-expression").click()
        shows(page, LIVE, shown[0])
        page.locator("#surprise").click()
        url_has(page, "edits=")


def test_the_influence_of_a_slider_is_shown_while_the_pointer_is_on_it(desktop):
    slider(desktop, "smile").hover()
    desktop.wait_for_selector("#render.pointed, .pointed .influence", state="attached")
    desktop.mouse.move(0, 0)
    desktop.wait_for_selector(".pointed .influence", state="detached")


def test_a_search_shows_sliders_beyond_the_first(desktop):
    assert not slider(desktop, "cheeks puffed").is_visible()
    search = desktop.locator("#expressions input[type=search]")
    search.fill("cheeks p")
    slider(desktop, "cheeks puffed").wait_for()
    assert not slider(desktop, "smile").is_visible()
    search.fill("")


def test_a_phone_shows_it_without_scrolling_sideways(open_page):
    with open_page(PHONE, "dark") as page:
        assert opened(page).evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_the_endpoint_gives_a_marked_render_or_a_message(app_url):
    client = Client(app_url, verbose=False)
    photo, donor = (handle_file(EXAMPLES / name) for name in ("045_neutral.jpg", "061_smiling.jpg"))
    image = Image.open(client.predict(photo, donor, size=128, api_name="/swap"))
    assert image.size == (128, 128) and image.text["Synthetic"].startswith("true")
    with pytest.raises(AppError, match="from 0 to 1.5"):
        client.predict(photo, donor, depth=9, api_name="/swap")
