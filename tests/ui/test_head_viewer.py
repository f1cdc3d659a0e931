"""The 3-D view of the page: the exported GLB in three.js."""

import io

import numpy as np
import pytest
from PIL import Image

SHOWN = "#head-viewer canvas[data-shown$={}]"


def view(page) -> np.ndarray:
    """(n, n, 3) the middle of what the canvas shows, once it rests."""
    page.locator("#head-viewer canvas").scroll_into_view_if_needed()
    before = None
    for _ in range(40):
        shot = page.locator("#head-viewer canvas").screenshot()
        if shot == before:
            whole = np.asarray(Image.open(io.BytesIO(shot)).convert("RGB"), float)
            size = min(whole.shape[:2])
            top, left = ((length - size) // 2 for length in whole.shape[:2])
            return whole[top:top + size, left:left + size]
        before = shot
        page.wait_for_timeout(200)
    raise AssertionError("the view does not come to rest")


@pytest.fixture(scope="module")
def viewer(desktop):
    desktop.get_by_role("tab", name="3-D").click()
    desktop.locator("#head-viewer canvas").scroll_into_view_if_needed()
    desktop.wait_for_selector(SHOWN.format("head"))
    return desktop


def test_an_expression_moves_the_mouth_and_leaves_the_forehead(viewer):
    before = view(viewer)
    viewer.locator("#head-viewer summary").click()
    viewer.locator("#head-viewer input[name=jawOpen]").fill("0.8")
    change = np.abs(view(viewer) - before).max(-1)
    height, width = change.shape
    middle = slice(width // 3, -width // 3)
    assert (change[height // 2:height * 3 // 4, middle] > 16).mean() > 0.03
    assert (change[:height // 4] > 16).mean() < 0.001
    viewer.locator("#head-viewer .own").click()
    assert (np.abs(view(viewer) - before).max(-1) > 16).mean() < 0.001


def test_the_head_stands_before_the_pages_background(viewer):
    shot = view(viewer)
    wanted = viewer.locator("#head-viewer .stage").evaluate("stage => getComputedStyle(stage).backgroundColor")
    color = [float(number) for number in wanted[wanted.index("(") + 1:-1].split(",")[:3]]
    assert np.abs(shot[12:60, 12:60] - color).max() <= 2
    assert (np.abs(shot - color).max(-1) > 16).mean() > 0.2


def test_normals_are_shown_in_their_colors(viewer):
    viewer.locator("#head-viewer button[value=normals]").click()
    height, width, _ = (shot := view(viewer)).shape
    forehead = shot[height // 4:height * 3 // 10, width * 9 // 20:width * 11 // 20].mean((0, 1))
    assert forehead[2] > 200  # towards the camera is blue
    viewer.locator("#head-viewer button[value=unlit]").click()


def test_the_depth_map_is_the_second_choice(viewer):
    viewer.locator("#head-viewer .surface").select_option("depth")
    viewer.wait_for_selector(SHOWN.format("depth"))
    assert viewer.locator("#head-viewer .expression").is_hidden()
    shot = view(viewer)
    assert (np.abs(shot - shot[2, 2]).max(-1) > 16).mean() > 0.3
    viewer.locator("#head-viewer .surface").select_option("head")
    viewer.wait_for_selector(SHOWN.format("head"))
