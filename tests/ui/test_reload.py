"""What is still there when the page is loaded again."""

import pytest

from tests.ui.conftest import EXAMPLES

pytestmark = pytest.mark.timeout(300)
YAW, DEPTH = "#yaw input[type=range]", "#swap-depth input[type=range]"


def address_says(page, *words: str) -> None:
    """Wait until the address holds these words."""
    page.wait_for_function("words => words.every((word) => location.search.includes(word))", arg=words)


def test_example_pose_swap_and_tab_come_back_and_an_own_photo_is_said_to_be_forgotten(open_page):
    with open_page(link="example=4&yaw=33&donor=3&depth=1.3") as page:
        page.get_by_role("tab", name="Swap").click()
        address_says(page, "tab=swap", "example=4", "yaw=33", "donor=3", "depth=1.3")
        page.reload(wait_until="domcontentloaded")
        page.wait_for_selector("#swap-picture .live[src*=jpeg]")
        page.wait_for_selector("#swap-donors button:nth-child(3)[aria-pressed=true]")
        assert page.locator(DEPTH).input_value() == "1.3"
        page.get_by_role("tab", name="Pose").click()
        page.wait_for_function("yaw => document.querySelector(yaw)?.value === '33'", arg=YAW)
        page.locator("#photo-input input[type=file]").set_input_files(EXAMPLES / "045_neutral.jpg")
        address_says(page, "tab=pose", "photo=own")
        page.reload(wait_until="domcontentloaded")
        page.get_by_text("not kept when the page is loaded again").wait_for()
        page.wait_for_selector("#picture .live[src*=jpeg]")
