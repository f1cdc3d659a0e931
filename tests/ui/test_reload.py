"""What a reload of the page restores."""

import pytest

from tests.ui.conftest import EXAMPLES

pytestmark = pytest.mark.timeout(300)
YAW, STRENGTH = "#yaw input[type=range]", "#swap-albedo input[type=range]"


def url_has(page, *words: str) -> None:
    """Wait until the URL holds these words."""
    page.wait_for_function("words => words.every((word) => location.search.includes(word))", arg=words)


def test_a_reload_restores_example_refinement_pose_swap_and_tab_but_not_a_visitors_photo(open_page):
    with open_page(link="example=4&refined=1&yaw=33&donor=3&albedo=1.3") as page:
        page.get_by_role("tab", name="Swap").click()
        url_has(page, "tab=swap", "example=4", "yaw=33", "donor=3", "albedo=1.3", "refined=1")
        page.reload(wait_until="domcontentloaded")
        page.wait_for_selector("#swap-render .live[src*=jpeg]")
        page.wait_for_selector("#swap-donors button:nth-child(3)[aria-pressed=true]")
        assert page.locator(STRENGTH).input_value() == "1.3"
        page.get_by_role("tab", name="Pose").click()
        page.wait_for_function("yaw => document.querySelector(yaw)?.value === '33'", arg=YAW)
        assert page.locator("#refine input").is_checked()
        page.locator("#photo-input input[type=file]").set_input_files(EXAMPLES / "045_neutral.jpg")
        url_has(page, "tab=pose", "photo=own")
        page.reload(wait_until="domcontentloaded")
        page.get_by_text("not kept when the page is reloaded").wait_for()
        page.wait_for_selector("#render .live[src*=jpeg]")
