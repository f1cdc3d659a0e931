"""A recording of the app at work, as a GIF for the README.

    python -m benchmarks.record [--out assets/readme.gif]

Starts the app and leads a browser through it: another example is analysed, turned, lit, given another expression, and
found on the map. Every picture waits until the page has drawn, so the recording looks the same on any machine.
Needs Chromium (packages-dev.txt) and requirements-dev.txt.
"""

from __future__ import annotations

import argparse
import io
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from benchmarks.visitors import running_app
from core.export.turntable import NOTE

OUT = Path(__file__).parents[1] / "assets" / "readme.gif"
WIDTH, HEIGHT = 1280, 820
"""Pixels of the browser's window; the recording has half of them."""
MOST_BYTES = 4 * 2**20
COLOURS = 255
"""Of the palette that all pictures of a tab share: with one each, colours would flicker."""
HOLD, STEP = 1400, 110
"""Milliseconds that a picture stays: one to look at, and one of a movement."""
SUBJECT, DONOR = 3, 1
"""Examples that are shown, and that lend their expression."""
FLAGS = ("--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
         "--disable-dev-shm-usage")
PATIENCE = 180_000
"""Milliseconds after which the page is given up."""


class Recorder:
    """A page, and the pictures that were taken of it."""

    def __init__(self, page):
        self.page = page
        self.scenes: list[list[Image.Image]] = [[]]
        """By tab."""
        self.milliseconds: list[int] = []

    def take(self, milliseconds: int = STEP) -> None:
        """A picture of the page as it is."""
        shot = Image.open(io.BytesIO(self.page.screenshot(animations="disabled"))).convert("RGB")
        self.scenes[-1].append(shot.reduce(2))
        self.milliseconds.append(milliseconds)

    def rest(self) -> None:
        """A picture to look at, once nothing on the page is being worked on."""
        self.page.wait_for_function("""() => [...document.querySelectorAll('[data-testid=status-tracker] *')].every(
            (one) => !one.checkVisibility({opacityProperty: true, visibilityProperty: true}))""")
        self.take(HOLD)

    def open_tab(self, name: str, drawn: str) -> None:
        """Another tab, once it has been drawn."""
        self.page.get_by_role("tab", name=name).first.click()
        self.page.wait_for_selector(drawn)
        self.scenes.append([])
        self.page.mouse.move(0, 0)
        self.rest()

    def changing(self, picture: str, act) -> None:
        """Do something, and wait until a picture on the page is another one; live ones come small first."""
        before = self.page.locator(picture).get_attribute("src")
        act()
        self.page.wait_for_function("""([selector, before]) => { const picture = document.querySelector(selector);
            return picture.src !== before && picture.complete
                && (picture.naturalWidth === 512 || !picture.matches('.live')); }""",
                                    arg=[picture, before])

    def slide(self, slider: str, picture: str, values: list[float]) -> None:
        """Move a slider from value to value."""
        control = self.page.locator(f"#{slider} input[type=range]")
        for value in values:
            if control.input_value() != f"{value:g}":
                self.changing(picture, lambda value=value: control.fill(f"{value:g}"))
            self.take()

    def write(self, path: Path) -> None:
        """All pictures as an endless GIF whose comment says that faces in it are synthetic."""
        first, *rest = (picture for scene in self.scenes for picture in _with_palette(scene))
        first.save(path, "GIF", save_all=True, append_images=rest, duration=self.milliseconds, loop=0,
                   comment=NOTE.encode())


def _with_palette(scene: list[Image.Image]) -> list[Image.Image]:
    few = scene[::4]
    sheet = Image.new("RGB", (few[0].width, few[0].height * len(few)))
    for index, picture in enumerate(few):
        sheet.paste(picture, (0, few[0].height * index))
    palette = sheet.quantize(COLOURS, Image.Quantize.MEDIANCUT)
    return [picture.quantize(palette=palette) for picture in scene]


def play(recorder: Recorder) -> None:
    """What is shown, from the first screen to the map."""
    page = recorder.page
    page.wait_for_selector("#equation .photo img")
    recorder.rest()
    example = page.locator("#examples button").nth(SUBJECT)
    example.hover()
    recorder.changing("#equation .albedo img", example.click)
    recorder.rest()

    live = "#picture .live"
    recorder.open_tab("Pose & light", f"{live}[src*=jpeg]")
    recorder.slide("yaw", live, [0, -12, -24, -36, -24, -12, 0, 12, 24, 36, 24, 12])
    recorder.slide("ambient", live, [0.35])
    recorder.slide("diffuse", live, [0.75])
    recorder.slide("across", live, [-60, -40, -20, 0, 20, 40, 60])
    recorder.milliseconds[-1] = HOLD

    live = "#swap-picture .live"
    recorder.open_tab("Swap", "#swap-way .steps img")
    recorder.changing(live, page.locator("#swap-donors button").nth(DONOR).click)
    recorder.rest()
    for amount in (1.25, 1.5):
        recorder.slide("swap-depth", live, [amount])
        recorder.slide("swap-albedo", live, [amount])
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
    out = parser.parse_args().out
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, running_app(Path(folder) / "log.txt") as app, \
            sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(PATIENCE)
        page.goto(f"{app.url}/?__theme=light", wait_until="domcontentloaded")
        recorder = Recorder(page)
        play(recorder)
        recorder.write(out)
        browser.close()
    size, seconds = out.stat().st_size, sum(recorder.milliseconds) / 1000
    print(f"{out}: {len(recorder.milliseconds)} pictures, {seconds:.0f} s, {size / 2**20:.1f} MB")
    if size > MOST_BYTES:
        parser.exit(1, "That is more than a README should load: take fewer pictures.\n")


if __name__ == "__main__":
    main()
