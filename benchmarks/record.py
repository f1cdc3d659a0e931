"""A recording of the app at work, as a GIF for the README.

    python -m benchmarks.record [--out assets/readme.gif]

Starts the app and drives a browser: another example is analyzed, turned, lit, made to smile, given another expression,
and found on the map. Every screenshot waits until the page is drawn, so that the recording looks the same on any
machine.
Needs Chromium (packages-dev.txt) and requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from benchmarks.visitors import running_app
from core.export.turntable import NOTE
from core.files import prepare_folder, writing

OUT = Path(__file__).parents[1] / "assets" / "readme.gif"
WIDTH, HEIGHT = 1280, 820
"""Pixels of the browser's window; the recording has half the size."""
MOST_BYTES = 2 * 2**20
COLORS = 255
"""Palette that all frames of a tab share: with one each, colors would flicker."""
HOLD, STEP = 1400, 110
"""Duration of a frame at rest and of one in a movement, milliseconds."""
SUBJECT, DONOR = 3, 6
"""Examples that give the face and the expression."""
FLAGS = ("--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
         "--disable-dev-shm-usage")
TIMEOUT = 180_000
"""Timeout, milliseconds."""


class Recorder:
    """A page, and screenshots of it."""

    def __init__(self, page):
        self.page = page
        self.scenes: list[list[Image.Image]] = [[]]
        """Frames by tab."""
        self.milliseconds: list[int] = []

    def take(self, milliseconds: int = STEP) -> None:
        """Take a screenshot."""
        shot = Image.open(io.BytesIO(self.page.screenshot(animations="disabled"))).convert("RGB")
        self.scenes[-1].append(shot.reduce(2))
        self.milliseconds.append(milliseconds)

    def rest(self) -> None:
        """Take a longer frame, once no request is running."""
        self.page.wait_for_function("""() => [...document.querySelectorAll('[data-testid=status-tracker] *')].every(
            (one) => !one.checkVisibility({opacityProperty: true, visibilityProperty: true}))""")
        self.take(HOLD)

    def open_tab(self, name: str, drawn: str) -> None:
        """Open another tab and wait until it is drawn."""
        self.page.get_by_role("tab", name=name).first.click()
        self.page.wait_for_selector(drawn)
        self.scenes.append([])
        self.page.mouse.move(0, 0)
        self.rest()

    def changing(self, image: str, act: Callable[[], object]) -> None:
        """Do something and wait until an image on the page changes; of live renders, until it is no draft."""
        before = self.page.locator(image).get_attribute("src")
        act()
        self.page.wait_for_function("""([selector, before]) => { const image = document.querySelector(selector);
            return image.src !== before && image.complete
                && (image.naturalWidth === 512 || !image.matches('.live')); }""",
                                    arg=[image, before])

    def slide(self, slider: str, image: str, values: list[float]) -> None:
        """Move a slider from value to value."""
        control = self.page.locator(f"#{slider} input[type=range]")
        for value in values:
            if control.input_value() != f"{value:g}":
                self.changing(image, lambda value=value: control.fill(f"{value:g}"))
            self.take()

    def write(self, path: Path, overwrite: bool) -> None:
        """Write all frames as an endless GIF whose comment says that its faces are synthetic."""
        first, *rest = (frame for scene in self.scenes for frame in _with_palette(scene))
        with writing(path, overwrite) as part:
            first.save(part, "GIF", save_all=True, append_images=rest, duration=self.milliseconds, loop=0,
                       comment=NOTE.encode())


def _with_palette(scene: list[Image.Image]) -> list[Image.Image]:
    few = scene[::4]
    sheet = Image.new("RGB", (few[0].width, few[0].height * len(few)))
    for index, frame in enumerate(few):
        sheet.paste(frame, (0, few[0].height * index))
    palette = sheet.quantize(COLORS, Image.Quantize.MEDIANCUT)
    return [frame.quantize(palette=palette) for frame in scene]


def play(recorder: Recorder) -> None:
    """The recording, from the first screen to the map."""
    page = recorder.page
    page.wait_for_selector("#equation .photo img")
    recorder.rest()
    example = page.locator("#examples button").nth(SUBJECT)
    example.hover()
    recorder.changing("#equation .albedo img", example.click)
    recorder.rest()

    live = "#render .live"
    recorder.slide("yaw", live, [0, -12, -24, -36, -24, -12, 0, 12, 24, 36, 24, 12])
    page.locator("#light-header .fold").click()
    recorder.slide("ambient", live, [0.35])
    recorder.slide("diffuse", live, [0.75])
    recorder.slide("across", live, [-60, -40, -20, 0, 20, 40, 60])
    recorder.milliseconds[-1] = HOLD

    smile = page.locator('.sliders label[data-name="smile"] input')
    for amount in (0.25, 0.5, 0.75, 1, 0):
        recorder.changing(live, lambda amount=amount: smile.fill(f"{amount:g}"))
        recorder.take()
    recorder.changing(live, page.locator("#swap-donors button").nth(DONOR).click)
    recorder.rest()
    recorder.slide("swap-albedo", live, [1.25, 1.5])
    recorder.milliseconds[-1] = HOLD

    recorder.open_tab("Latent map", "#map .plot[data-ready]")
    box = page.locator("#map .plot").bounding_box()
    for part in (0.06, 0.1, 0.14, 0.18, 0.22, 0.26):
        place = box["x"] + part * box["width"], box["y"] + 0.6 * box["height"]
        recorder.changing("#map-preview img", lambda place=place: page.mouse.move(*place))
        recorder.take(3 * STEP)
    recorder.milliseconds[-1] = HOLD


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="A recording of the app at work, as a GIF.")
    parser.add_argument("--out", type=Path, default=OUT, help="file to write (default: assets/readme.gif)")
    parser.add_argument("--overwrite", action="store_true", help="also replace a file that LatentFace did not write")
    options = parser.parse_args()
    out, overwrite = options.out, options.overwrite or options.out == OUT
    prepare_folder(out.parent, [out.name], overwrite)
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder) / "log.txt") as app, \
            sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(TIMEOUT)
        page.goto(f"{app.url}/?__theme=light", wait_until="domcontentloaded")
        recorder = Recorder(page)
        play(recorder)
        recorder.write(out, overwrite)
        browser.close()
    size, seconds = out.stat().st_size, sum(recorder.milliseconds) / 1000
    print(f"{out}: {len(recorder.milliseconds)} frames, {seconds:.0f} s, {size / 2**20:.1f} MB")
    if size > MOST_BYTES:
        parser.exit(1, "That is more than a README should load: take fewer frames.\n")


if __name__ == "__main__":
    main()
