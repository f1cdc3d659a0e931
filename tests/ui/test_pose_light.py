"""The live render of the studio, its pose and its light, in the real app with the real weights."""

import numpy as np
import pytest
from PIL import Image

from tests.ui.images import changed, holds, pixels, settled, shows, source
from tests.ui.studio import unfold

pytestmark = pytest.mark.timeout(180)


def opened(page):
    """The page, its face drawn and its sections open."""
    page.wait_for_selector("#render .live[src*=jpeg]")
    unfold(page, "light", "background")
    return page


@pytest.fixture(scope="module")
def desktop(open_page):
    """One page for most of this module's tests."""
    with open_page() as page:
        yield opened(page)


@pytest.fixture
def fresh(open_page):
    """A page whose controls nobody has moved."""
    with open_page() as page:
        yield opened(page)


def test_a_slider_turns_the_face_and_buttons_frontalize_and_reset_it(fresh):
    start, yaw = source(fresh, "#render .live"), fresh.locator("#yaw input[type=range]")
    found = yaw.input_value()
    yaw.fill("35")
    turned = settled(fresh, "#render .live", start)
    assert np.abs(pixels(turned) - pixels(start)).mean() > 5
    fresh.locator("#frontalize").click()
    front = settled(fresh, "#render .live", turned)
    holds(fresh, "#yaw input[type=range]", "0")
    assert np.abs(pixels(front) - pixels(turned)).mean() > 5
    fresh.locator("#reset-pose").click()
    assert settled(fresh, "#render .live", front) == start
    holds(fresh, "#yaw input[type=range]", found)


def test_dragging_turns_the_face(desktop):
    earlier = source(desktop, "#render .live")
    yaw = float(desktop.locator("#yaw input[type=range]").input_value())
    frame = desktop.locator("#render .frame")
    frame.scroll_into_view_if_needed()
    box = frame.bounding_box()
    desktop.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    desktop.mouse.down()
    desktop.mouse.move(box["x"] + box["width"] * 0.75, box["y"] + box["height"] * 0.5, steps=4)
    desktop.mouse.up()
    settled(desktop, "#render .live", earlier)
    assert float(desktop.locator("#yaw input[type=range]").input_value()) < yaw - 15  # the nose follows the hand


def test_dragging_the_ball_moves_the_light(desktop):
    earlier, ball = source(desktop, "#render .live"), source(desktop, "#ball img")
    box = desktop.locator("#ball img").bounding_box()
    desktop.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.5)
    settled(desktop, "#render .live", earlier)
    lit = pixels(changed(desktop, "#ball img", ball)).mean(-1)
    assert float(desktop.locator("#across input[type=range]").input_value()) < -20
    middle = slice(lit.shape[0] // 3, -lit.shape[0] // 3)
    assert lit[middle, 15:40].mean() > lit[middle, -40:-15].mean() + 10  # lit from the left


def test_a_clear_background_is_transparent_and_saved_without_loss(desktop):
    earlier = source(desktop, "#render .live")
    desktop.locator("#background").get_by_text("Clear").click()
    settled(desktop, "#render .live", earlier)
    with desktop.expect_download() as download:
        desktop.locator("#render .save").click()
    saved = Image.open(download.value.path())
    assert saved.mode == "RGBA" and saved.getextrema()[3][0] == 0
    assert "Synthetic" in saved.text["Description"]


def test_presets_set_pose_and_light(desktop):
    earlier = source(desktop, "#render .live")
    desktop.locator("#pose-presets").get_by_text("Right").click()
    turned = settled(desktop, "#render .live", earlier)
    holds(desktop, "#yaw input[type=range]", "-40")
    desktop.locator("#light-presets").get_by_text("Left").click()
    settled(desktop, "#render .live", turned)
    holds(desktop, "#across input[type=range]", "-60")


def test_a_preset_and_a_slider_at_once_are_both_shown(fresh, open_page):
    first = settled(fresh, "#render .live", "")
    fresh.evaluate("""() => {
      [...document.querySelectorAll('#light-presets button')].find((one) => one.innerText === 'Left').click();
      const yaw = document.querySelector('#yaw input[type=range]');
      yaw.value = 35;
      yaw.dispatchEvent(new Event('input', { bubbles: true })); }""")
    for name, value in {"yaw": "35", "across": "-60", "above": "10", "ambient": "0.35", "diffuse": "0.75"}.items():
        holds(fresh, f"#{name} input[type=range]", value)
    with open_page(link="example=1&yaw=35&across=-60&above=10&ambient=0.35&diffuse=0.75") as other:
        asked = settled(opened(other), "#render .live", first)
    shows(fresh, "#render .live", asked)


def test_an_answer_that_comes_late_does_not_stay(fresh):
    first = settled(fresh, "#render .live", "")
    late = []
    fresh.route("**/queue/join*", lambda route: late.append(route) if not late else route.continue_())
    yaw = fresh.locator("#yaw input[type=range]")
    yaw.fill("35")  # this request waits on its way
    holds(fresh, "#yaw input[type=number]", "35")
    photo = source(fresh, "#render .photo")
    fresh.locator("#examples button").nth(3).click()
    changed(fresh, "#render .photo", photo)  # a render of the earlier face may come first
    other = settled(fresh, "#render .live", first)
    late[0].continue_()
    changed(fresh, "#render .live", other)
    shows(fresh, "#render .live", other)
    fresh.unroute("**/queue/join*")


def test_refinement_keeps_a_chosen_pose(fresh):
    earlier = settled(fresh, "#render .live", "")
    fresh.locator("#yaw input[type=range]").fill("35")
    settled(fresh, "#render .live", earlier)
    fresh.locator("#refine input").check()
    fresh.wait_for_function("() => location.search.includes('refined=1')")
    assert "yaw=35" in fresh.url
    holds(fresh, "#yaw input[type=range]", "35")


def test_a_number_beyond_the_slider_counts_as_its_end(fresh):
    earlier = settled(fresh, "#render .live", "")
    fresh.locator("#yaw input[type=number]").fill("500")
    settled(fresh, "#render .live", earlier)
    fresh.wait_for_function("() => location.search.includes('yaw=60')")
    assert fresh.locator(".toast-body").count() == 0


def test_keys_turn_the_face_and_delete_resets_a_slider(desktop):
    earlier, roll = source(desktop, "#render .live"), desktop.locator("#roll input[type=range]")
    own = roll.input_value()
    roll.fill("15")
    tilted = settled(desktop, "#render .live", earlier)
    roll.press("Delete")
    settled(desktop, "#render .live", tilted)
    assert roll.input_value() == own
    yaw = float(desktop.locator("#yaw input[type=range]").input_value())
    desktop.locator("#render .frame").press("ArrowLeft")
    desktop.wait_for_function("yaw => +document.querySelector('#yaw input[type=range]').value === yaw + 5", arg=yaw)


def test_a_link_restores_pose_and_light(open_page):
    with open_page(link="example=4&yaw=33&across=-50") as page:
        holds(page, "#yaw input[type=range]", "33")
        holds(page, "#across input[type=range]", "-50")
        earlier = source(page, "#render .live")
        page.locator("#yaw input[type=range]").fill("12")
        settled(page, "#render .live", earlier)
        assert "example=4" in page.url and "yaw=12" in page.url


def test_the_first_visit_plays_a_turn_until_the_face_is_touched(open_page):
    with open_page(motion="no-preference") as page:
        page.get_by_text("make me smile").wait_for()
        page.wait_for_selector(".touring .tour", state="attached")
        live = source(page, "#render .live")
        page.locator("#render .frame").click()
        page.wait_for_selector(".touring", state="detached")
        assert source(page, "#render .live") == live and not page.get_by_text("make me smile").is_visible()


def test_holding_a_key_or_a_button_shows_the_photo(desktop):
    shown = "getComputedStyle(document.querySelector('#render .photo')).clipPath"
    hidden = desktop.evaluate(shown)
    desktop.locator("#render .frame").focus()
    for press, release in ((lambda: desktop.keyboard.down("b"), lambda: desktop.keyboard.up("b")),
                           (desktop.mouse.down, desktop.mouse.up)):
        desktop.locator("#render .before").hover()
        press()
        assert desktop.evaluate(shown) == "none"
        release()
        assert desktop.evaluate(shown) == hidden


def test_the_wheel_zooms_into_the_face(desktop):
    desktop.locator("#render .frame").hover()
    desktop.mouse.wheel(0, -300)
    size = "document.querySelector('#render .live').getBoundingClientRect().width > 1.5 * " \
           "document.querySelector('#render .frame').clientWidth"
    desktop.wait_for_function(size)
    desktop.mouse.wheel(0, 2000)
    desktop.wait_for_function(f"!({size})")
