"""What a reload of the page restores."""

import pytest

from tests.ui.conftest import EXAMPLES
from tests.ui.images import holds, settled, shows
from tests.ui.studio import LIVE, slider, url_has

pytestmark = pytest.mark.timeout(300)
SET = "example=4&refined=1&yaw=33&donor=3&albedo=1.3&edits=smile:0.5"


def test_a_reload_restores_the_example_all_edits_and_the_tab_but_not_a_visitors_photo(open_page):
    with open_page(link=SET) as page:
        page.wait_for_selector("#swap-donors button:nth-child(3)[aria-pressed=true]")
        first = settled(page, LIVE, "")
        page.get_by_role("tab", name="About").click()
        url_has(page, "tab=about", *SET.split("&"))
        page.reload(wait_until="domcontentloaded")
        page.get_by_text("It identifies nobody").wait_for()
        page.get_by_role("tab", name="Studio").click()
        shows(page, LIVE, first)
        page.wait_for_selector("#swap-donors button:nth-child(3)[aria-pressed=true]")
        for control, value in (("#yaw", "33"), ("#swap-albedo", "1.3")):
            holds(page, f"{control} input[type=range]", value)
        assert slider(page, "smile").input_value() == "0.5"
        assert page.locator("#refine input").is_checked()
        page.locator("#photo-input input[type=file]").set_input_files(EXAMPLES / "045_neutral.jpg")
        url_has(page, "photo=own")
        page.reload(wait_until="domcontentloaded")
        page.get_by_text("not kept when the page is reloaded").wait_for()
        page.wait_for_selector("#render .live[src*=jpeg]")


def test_links_of_version_0_1_open_in_the_studio(open_page):
    with open_page(link="example=3&yaw=-25&donor=5&depth=1.3&albedo=0.4&tab=swap") as page:
        page.wait_for_selector("#swap-donors button:nth-child(5)[aria-pressed=true]")
        for control, value in (("#yaw", "-25"), ("#swap-albedo", "0.4"), ("#swap-depth", "1.3")):
            holds(page, f"{control} input[type=range]", value)
