"""How the app answers when many visitors come at once.

    python -m benchmarks.load [--visitors 20] [--minutes 1] [--analyses 500]

Starts the app. Each visitor opens the page, then drags: one redraw after the other, another photo after every tenth,
as a browser would ask for them. Then photos are analysed one after the other, and the memory of the app is watched.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import subprocess
import sys
import time
import uuid
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
PHOTOS = sorted((ROOT / "assets" / "examples").glob("*.jpg"))
PAGE = 4096
"""Bytes of a page of memory in /proc."""


class Visitor:
    """One page of the app, without a browser: its session, and its two kinds of wishes."""

    def __init__(self, client: httpx.AsyncClient, handlers: dict[str, dict]):
        self.client, self.handlers = client, handlers
        self.session = uuid.uuid4().hex[:11]

    async def open(self) -> float:
        """Seconds until the first example is there."""
        return await self._ask("open_first", [])

    async def redraw(self) -> float:
        """Seconds until the picture has another pose."""
        pose = [random.randint(-40, 40), random.randint(-20, 20), 0]
        return await self._ask("redraw", [None, *pose, 0, 0, 0.6, 0.4, "Photo", "Photo"])

    async def analyze(self, photo: Path) -> float:
        """Seconds from the upload to the factors."""
        begin = time.perf_counter()
        files = {"files": (photo.name, photo.read_bytes(), "image/jpeg")}
        path = (await self.client.post("/gradio_api/upload", files=files)).json()[0]
        await self._ask("open_photo", [{"path": path, "meta": {"_type": "gradio.FileData"}}])
        await self._ask("show", [None])
        return time.perf_counter() - begin

    async def _ask(self, name: str, data: list) -> float:
        """Call a handler as the page does, and wait for its answer."""
        begin = time.perf_counter()
        query = {"fn_index": self.handlers[name]["id"], "session_hash": self.session, "data": data,
                 "trigger_id": self.handlers[name]["targets"][0][0]}
        (await self.client.post("/gradio_api/queue/join", json=query)).raise_for_status()
        async with self.client.stream("GET", "/gradio_api/queue/data",
                                      params={"session_hash": self.session}) as answer:
            async for line in answer.aiter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "process_completed":
                    if not message["success"]:
                        raise RuntimeError(f"{name}: {message['output']}")
                    return time.perf_counter() - begin
        raise RuntimeError(f"{name}: no answer")


async def visit(visitor: Visitor, until: float, redraws: list[float], analyses: list[float]) -> None:
    """One visitor: mostly dragging, now and then another photo."""
    await visitor.open()
    while time.perf_counter() < until:
        for _ in range(10):
            redraws.append(await visitor.redraw())
            await asyncio.sleep(random.uniform(0, 0.4))
        analyses.append(await visitor.analyze(random.choice(PHOTOS)))


def megabytes(process: subprocess.Popen) -> float:
    """Memory that the app holds."""
    return int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * PAGE / 2**20


def told(name: str, seconds: list[float]) -> str:
    """One line: how many, and how long they took."""
    middle, slow = statistics.median(seconds), statistics.quantiles(seconds, n=20)[-1]
    return f"{name:12} {len(seconds):6d} calls   median {middle * 1000:6.0f} ms   p95 {slow * 1000:6.0f} ms"


async def measure(process: subprocess.Popen, url: str, options: argparse.Namespace) -> None:
    """Both parts, printed as they are known."""
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=httpx.Limits(max_connections=200)) as client:
        dependencies = (await client.get("/config")).json()["dependencies"]
        handlers = {}
        for one in dependencies:
            handlers.setdefault(one["api_name"], one)
        redraws, analyses = [], []
        until = time.perf_counter() + options.minutes * 60
        await asyncio.gather(*(visit(Visitor(client, handlers), until, redraws, analyses)
                               for _ in range(options.visitors)))
        print(f"{options.visitors} visitors at once")
        print(told("redraw", redraws), told("analyze", analyses), sep="\n")
        visitor = Visitor(client, handlers)
        await visitor.open()
        memory = []
        for number in range(options.analyses):
            await visitor.analyze(PHOTOS[number % len(PHOTOS)])
            memory.append(megabytes(process))
        if memory:
            print(f"memory       {len(memory):6d} analyses   {memory[len(memory) // 10]:.0f} MB after a tenth, "
                  f"{memory[-1]:.0f} MB at the end")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="How the app answers when many visitors come at once.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--visitors", type=int, default=20, help="at once")
    parser.add_argument("--minutes", type=float, default=1.0, help="for which they stay")
    parser.add_argument("--analyses", type=int, default=500, help="photos one after the other, for the memory")
    parser.add_argument("--port", type=int, default=7899, help="for the app")
    options = parser.parse_args()
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "app.py", "--port", str(options.port)], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)
    try:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        print(f"start        {time.perf_counter() - begin:6.1f} s")
        asyncio.run(measure(process, url, options))
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
