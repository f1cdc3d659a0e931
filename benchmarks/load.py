"""Response times of the app with many visitors at once.

    python -m benchmarks.load [--visitors 20] [--minutes 2] [--analyses 500] [--greedy 30]
    python -m benchmarks.load --minutes 0 --analyses 0 --greedy 0 --soak 10

Starts the app and waits until it is warm. Then each visitor opens the page and drags: one redraw after the other with
up to 0.4 s in between, and another photo after every tenth, with all requests that the page then sends; the next drag
starts once all are answered. An analysis counts from the upload until the factors are shown. Then one visitor analyzes
photos one after the other, and the memory of the app is measured. Last, one visitor requests many analyses at once, and
another a single one just after.

With --soak, all visitors do random things for so many minutes: they open photos and examples, choose donors, refine,
redraw and export. The log must hold no traceback, and what a visitor is shown must be what any other one is shown for
the same photo.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import statistics
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from benchmarks.visitors import EXAMPLES, Refused, RunningApp, Visitor, running_app

BEGIN = time.perf_counter()
DRAGS = 10
"""Redraws between two photos."""
TARGETS = {"redraw": 0.5, "analyze": 3.0}
"""Target for the 95th percentile, seconds."""


async def redraw(visitor: Visitor) -> float:
    """Seconds until the render has another pose."""
    values = visitor.values("redraw")
    values[6:9] = random.randint(-40, 40), random.randint(-20, 20), 0
    return (await visitor.together({"redraw": values}))["redraw"][1]


async def followed(visitor: Visitor, name: str) -> float:
    """Seconds until the factors of an opened face are shown; returns when the whole page is updated."""
    answers = await visitor.together({one: visitor.values(one) for one in visitor.followers(name)})
    return answers["show_factors"][1]


async def analyze(visitor: Visitor, photo: Path) -> float:
    """Seconds from the upload until the factors are shown; returns when the whole page is updated."""
    begin = time.perf_counter()
    await visitor.ask("open_photo", await visitor.upload(photo.name, photo.read_bytes()))
    opened = time.perf_counter() - begin
    return opened + await followed(visitor, "open_photo")


async def visit(visitor: Visitor, until: float, seconds: dict[str, list[float]]) -> None:
    """One visitor: redraws, and another photo after every `DRAGS`."""
    await visitor.ask("open_first")
    await followed(visitor, "open_first")
    while time.perf_counter() < until:
        for _ in range(DRAGS):
            seconds["redraw"].append(await redraw(visitor))
            await asyncio.sleep(random.uniform(0, 0.4))
        seconds["analyze"].append(await analyze(visitor, random.choice(EXAMPLES)))


async def warm_up(url: str) -> None:
    """Use everything once; print how long the first screen took."""
    async with Visitor.at(url) as (visitor,):
        await visitor.ask("open_first")
        await followed(visitor, "open_first")
        print(f"first screen {time.perf_counter() - BEGIN:6.1f} s after the start", flush=True)
        await analyze(visitor, EXAMPLES[0])
        await redraw(visitor)


async def measure_load(url: str, count: int, minutes: float) -> None:
    """Print response times of redraws and analyses."""
    seconds: dict[str, list[float]] = {name: [] for name in TARGETS}
    async with Visitor.at(url, count) as visitors:
        until = time.perf_counter() + minutes * 60
        await asyncio.gather(*(visit(visitor, until, seconds) for visitor in visitors))
    print(f"{count} visitors      calls     median        p95     target")
    for name, target in TARGETS.items():
        middle, slow = statistics.median(seconds[name]), statistics.quantiles(seconds[name], n=20)[-1]
        print(f"{name:12} {len(seconds[name]):8d} {middle:8.2f} s {slow:8.2f} s {target:8.2f} s", flush=True)


async def measure_memory(app: RunningApp, count: int) -> None:
    """Print the app's memory early and late."""
    held, process = [], psutil.Process(app.process.pid)
    async with Visitor.at(app.url) as (visitor,):
        await visitor.ask("open_first")
        for number in range(count):
            await analyze(visitor, EXAMPLES[number % len(EXAMPLES)])
            held.append(process.memory_info().rss / 2**20)
    tenth = max(1, count // 10)
    early, late = statistics.median(held[tenth:2 * tenth] or held), statistics.median(held[-tenth:])
    print(f"{'memory':12} {count:8d} analyses: {early:.0f} MB in the second tenth, {late:.0f} MB in the last, "
          f"{late / early - 1:+.1%} (target ± 5 %)")


def shown_face(answer: list) -> list:
    """What an answer of `show_factors` says of the face: tiles, values under the pointer, numbers, refined, warnings.

    Left out is what differs for one photo: the mask in the style, whose PNG holds the time (it is made of the depth,
    which the values hold), and addresses of gradio's own objects beside `props`.
    """
    equation, *rest = answer[:4]
    return [re.sub(r"<style>.*?</style>", "", equation["value"], flags=re.DOTALL), equation["props"]["values"], *rest]


class Soak:
    """Visitors who do random things."""

    def __init__(self) -> None:
        self.actions, self.refused, self.crossed = Counter(), Counter(), 0
        self.shown: dict[str, list] = {}
        """By photo, what its first visitor was shown."""

    async def visit(self, visitor: Visitor, until: float) -> None:
        """One visitor: random actions with short pauses, one after the other."""
        await visitor.ask("open_first")
        await followed(visitor, "open_first")
        actions = [self.open_photo, self.open_photo, self.open_example, self.choose_donor, self.refine, self.redraw,
                   self.redraw, self.redraw, self.export]
        while time.perf_counter() < until:
            action = random.choice(actions)
            try:
                await action(visitor)
                self.actions[action.__name__] += 1
            except Refused as refusal:
                self.refused[str(refusal)] += 1
            await asyncio.sleep(random.uniform(0, 1))

    async def open_photo(self, visitor: Visitor) -> None:
        photo = random.choice(EXAMPLES)
        await visitor.ask("open_photo", await visitor.upload(photo.name, photo.read_bytes()))
        await self._follow(visitor, "open_photo", photo.name)

    async def open_example(self, visitor: Visitor) -> None:
        index = random.randrange(len(EXAMPLES))
        await visitor.ask("open_example", event={"index": index})
        await self._follow(visitor, "open_example", f"example {index}")

    async def _follow(self, visitor: Visitor, name: str, photo: str) -> None:
        answers = await visitor.together({one: visitor.values(one) for one in visitor.followers(name)})
        shown = shown_face(answers["show_factors"][0]["data"])
        self.crossed += self.shown.setdefault(photo, shown) != shown

    async def choose_donor(self, visitor: Visitor) -> None:
        donor = {"index": random.randrange(len(EXAMPLES))}
        await visitor.ask("choose_donor", *visitor.values("choose_donor"), event=donor)

    async def refine(self, visitor: Visitor) -> None:
        await visitor.ask("refine_face", None, True)
        await followed(visitor, "refine_face")

    async def redraw(self, visitor: Visitor) -> None:
        await redraw(visitor)

    async def export(self, visitor: Visitor) -> None:
        await visitor.ask("save", *visitor.values("save"), event={"kind": "albedo", "watermark": True})


async def measure_soak(app: RunningApp, count: int, minutes: float) -> None:
    """Print what happened, the memory over time, and how many answers were another visitor's."""
    soak, held, process = Soak(), [], psutil.Process(app.process.pid)

    async def watch(until: float) -> None:
        while time.perf_counter() < until:
            held.append(process.memory_info().rss / 2**20)
            await asyncio.sleep(1)

    async with Visitor.at(app.url, count) as visitors:
        until = time.perf_counter() + minutes * 60
        await asyncio.gather(watch(until), *(soak.visit(visitor, until) for visitor in visitors))
    quarter = max(1, len(held) // 4)
    early, late = statistics.median(held[quarter:2 * quarter] or held), statistics.median(held[-quarter:])
    print(f"{'soak':12} {soak.actions.total():8d} actions in {minutes:g} min: {dict(soak.actions)}; refused: "
          f"{dict(soak.refused)}; crossed: {soak.crossed}; tracebacks: {app.log.read_text().count('Traceback')}; "
          f"{early:.0f} MB in the second quarter, {late:.0f} MB in the last, {late / early - 1:+.1%}", flush=True)


async def measure_fairness(url: str, count: int) -> None:
    """Print how long one analysis takes behind many of another visitor."""
    async with Visitor.at(url, 2) as (greedy, modest):
        photo = await modest.upload(EXAMPLES[0].name, EXAMPLES[0].read_bytes())
        alone = (await modest.together({"analyze": [photo, 1]}))["analyze"][1]
        for _ in range(count):
            await greedy.join("analyze", [photo, 1])
        behind = (await modest.together({"analyze": [photo, 1]}))["analyze"][1]
    print(f"{'fairness':12} {count:8d} analyses of another visitor waiting: one analysis takes {behind:.2f} s, "
          f"{alone:.2f} s without them")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Response times of the app with many visitors at once.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--visitors", type=int, default=20, help="at once")
    parser.add_argument("--minutes", type=float, default=2.0, help="duration")
    parser.add_argument("--analyses", type=int, default=500, help="photos in a row for the memory test")
    parser.add_argument("--soak", type=float, default=0.0, help="minutes of random actions")
    parser.add_argument("--greedy", type=int, default=30, help="analyses requested at once by one visitor")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, running_app(Path(work) / "log.txt") as app:
        asyncio.run(warm_up(app.url))
        if options.visitors and options.minutes:
            asyncio.run(measure_load(app.url, options.visitors, options.minutes))
        if options.analyses:
            asyncio.run(measure_memory(app, options.analyses))
        if options.greedy:
            asyncio.run(measure_fairness(app.url, options.greedy))
        if options.soak:
            asyncio.run(measure_soak(app, options.visitors, options.soak))


if __name__ == "__main__":
    main()
