"""Frame rates of the latent map and of the live camera.

    python -m benchmarks.browser [--seconds 10]

Starts the app and a browser on this machine. The bundled map, its faces repeated until there are 10,000, is dragged and
zoomed by the wheel; then a camera that sees a moving face is analyzed in the studio. Counted are the frames that
the browser draws with the map elsewhere, and analyzed camera frames once they are shown.
Needs Chromium (packages-dev.txt) and requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image, ImageChops

from app.widgets.latent_map import drawing
from benchmarks.record import FLAGS, HEIGHT, TIMEOUT, WIDTH
from benchmarks.visitors import EXAMPLES, running_app
from core.latent_map.map import LatentMap
from core.model.code_ops import Kind

POINTS, SPREAD = 10_000, 0.05
"""Faces of the map, and distance of a repeated one from its original; the whole map is 2 wide."""
SIDE, FRAMES, SWAY = 480, 90, 30
"""The camera's video: pixels, frames, and by how many pixels the face moves."""
WARM = 3
"""Seconds before the measurement."""
RATE = 60
"""Pointer movements per second."""
REACH, TURN = 60, 0.12
"""The pointer drags in a circle: radius in pixels, and radians per movement."""
NOTCH, NOTCHES = 60, 24
"""The wheel: pixels per movement, and movements before it turns back; thumbnails are then large enough to show."""
PLACE = """(() => { const { xaxis, yaxis } = document.querySelector('#map .plot')._fullLayout;
  return String([...xaxis.range, ...yaxis.range]); })()"""
"""Visible range of the first layout."""
COUNT = """() => { const seen = window.seen = [], watched = () => %s; let last = watched();
  window.watching = true;
  const look = (now) => { const next = watched(); if (next !== last) { last = next; seen.push(now); }
    if (window.watching) requestAnimationFrame(look); };
  requestAnimationFrame(look); }"""
"""Record the times of frames that show something else."""


def film(path: Path) -> None:
    """Write a video of a moving face for the browser's camera."""
    face = Image.open(EXAMPLES[1]).convert("RGB").resize((SIDE, SIDE))
    with open(path, "wb") as file:
        for number in range(FRAMES):
            moved = ImageChops.offset(face, round(SWAY * math.sin(2 * math.pi * number / FRAMES)), 0)
            moved.save(file, "JPEG", quality=90)


def large_map() -> dict:
    """Drawing of the bundled map with each of its faces repeated."""
    shown, random = LatentMap.read(), np.random.default_rng(0)
    rows = np.arange(POINTS) % len(shown)
    positions: dict[Kind, np.ndarray] = {
        kind: (places[rows] + random.normal(0, SPREAD, (POINTS, 2))).astype(np.float32)
        for kind, places in shown.positions.items()}
    columns = {name: column[rows] for name, column in shown.columns.items()}
    return drawing(LatentMap(shown.names[rows], shown.codes[torch.from_numpy(rows)], positions, columns,
                             [shown.thumbnails[row] for row in rows], shown.weights))


class FrameCounter:
    """Counts how often a page shows something else."""

    def __init__(self, page, seconds: float):
        self.page, self.seconds = page, seconds

    def count(self, name: str, watched: str, move=None) -> None:
        """Print how often a JavaScript expression's value changes, and the processor time, while the pointer moves."""
        self._go_on(move, WARM)
        self.page.evaluate(COUNT % watched)
        before = processor_seconds()
        self._go_on(move, self.seconds)
        spent = processor_seconds() - before
        seen = self.page.evaluate("() => { window.watching = false; return window.seen; }")
        waits = [after - before for before, after in itertools.pairwise(seen)]
        slow = statistics.quantiles(waits, n=20)[-1]
        print(f"{name:44} {1000 / statistics.mean(waits):8.1f} {slow:10.0f} ms {1000 * spent / len(seen):10.0f} ms",
              flush=True)

    def _go_on(self, move, seconds: float) -> None:
        until = time.perf_counter() + seconds
        if not move:
            self.page.wait_for_timeout(1000 * seconds)
        while (begin := time.perf_counter()) < until:
            move()
            time.sleep(max(0, begin + 1 / RATE - time.perf_counter()))


def processor_seconds() -> float:
    """Processor time of the app and the browser so far."""
    used = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:2])
    return used


def open_map(page, drawn: dict) -> None:
    """Open the map's tab with another map than the app's."""
    page.evaluate("""(drawn) => { const parse = JSON.parse;
        JSON.parse = (...all) => { const message = parse(...all);
            for (const update of message?.output?.data ?? []) if (update?.value?.kinds) update.value = drawn;
            return message; }; }""", drawn)
    page.get_by_role("tab", name="Latent map").click()
    page.wait_for_selector("#map .plot[data-ready]")


def measure_map(watched: FrameCounter) -> None:
    """The map dragged, dragged close up, and zoomed, with and without thumbnails."""
    mouse, box = watched.page.mouse, watched.page.locator("#map .plot").bounding_box()
    middle = box["x"] + box["width"] / 6, box["y"] + box["height"] / 2

    def drag():
        turn = next(steps) * TURN
        mouse.move(middle[0] + REACH * math.sin(turn), middle[1] + REACH * (1 - math.cos(turn)))

    def zoom():
        mouse.wheel(0, NOTCH if next(steps) // NOTCHES % 2 else -NOTCH)

    for thumbnails in (True, False):
        watched.page.locator("#map .show-thumbnails").set_checked(thumbnails)
        words = "with thumbnails" if thumbnails else "points alone"
        for near in (False, True):
            steps = itertools.count()
            mouse.move(*middle)
            if near:
                for _ in range(NOTCHES):
                    mouse.wheel(0, -NOTCH)
                watched.page.wait_for_timeout(1000)
            mouse.down()
            watched.count(f"map, {words}: dragged{' close up' if near else ''}", PLACE, drag)
            mouse.up()
        watched.page.locator("#map .whole").click()
        mouse.move(*middle)
        steps = itertools.count()
        watched.count(f"map, {words}: zoomed", PLACE, zoom)
        watched.page.locator("#map .whole").click()


def measure_camera(watched: FrameCounter) -> None:
    """Analyzed camera frames."""
    watched.page.get_by_role("tab", name="Studio").click()
    watched.page.locator("#camera button").first.click()
    watched.count("camera: analyzed frames", "document.querySelector('#equation .albedo img').src")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Frame rates of the latent map and of the live camera.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0, help="duration of each measurement")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as work, running_app(Path(work) / "log.txt") as app, \
            sync_playwright() as playwright:
        film(Path(work) / "film.mjpeg")
        flags = [*FLAGS, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
                 f"--use-file-for-fake-video-capture={work}/film.mjpeg"]
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=flags)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, permissions=["camera"])
        page.set_default_timeout(TIMEOUT)
        page.goto(app.url, wait_until="domcontentloaded")
        page.wait_for_selector("#equation .photo img")
        open_map(page, large_map())
        watched = FrameCounter(page, options.seconds)
        print(f"{POINTS:,} faces on the map".ljust(44) + "  a second    95 % within   processor", flush=True)
        measure_map(watched)
        measure_camera(watched)
        browser.close()


if __name__ == "__main__":
    main()
