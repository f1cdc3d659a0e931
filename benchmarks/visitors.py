"""The app in a process of its own, and visitors without a browser who send requests as its page does."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "assets" / "examples").glob("*.jpg"))
START_SECONDS = 180
"""Longest time until the app answers."""
UPLOADED = {"meta": {"_type": "gradio.FileData"}}


@dataclass
class RunningApp:
    """A running app."""

    process: subprocess.Popen
    url: str
    log: Path
    """Its output."""


@contextlib.contextmanager
def running_app(log: Path, before: Sequence[str] = (), **environment: str) -> Iterator[RunningApp]:
    """Start the app on a free port, and stop it at the end as a service would.

    Args:
        log: file for its output.
        before: a command that runs the app's command line, for example as another user.
        environment: variables.

    Raises:
        RuntimeError: it does not start; the error holds its output.
    """
    port = free_port()
    with open(log, "w") as stream:
        process = subprocess.Popen([*before, sys.executable, "app.py", "--port", str(port)], cwd=ROOT,
                                   stdout=stream, stderr=subprocess.STDOUT,
                                   env=os.environ | {"PYTHONUNBUFFERED": "1"} | environment)
    app = RunningApp(process, f"http://127.0.0.1:{port}", log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(app.url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The app did not start: {log.read_text()}")
            time.sleep(0.1)
        yield app
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()  # does nothing where it has ended


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _answers(url: str) -> bool:
    with contextlib.suppress(OSError):
        return urllib.request.urlopen(f"{url}/config", timeout=5).status == 200
    return False


class Refused(Exception):
    """The app refused a request: the message that a visitor reads, or None."""


def message_of(refusal: httpx.Response) -> str:
    """Message of an answer that is no success."""
    with contextlib.suppress(ValueError, LookupError, TypeError):
        detail = refusal.json()["detail"]
        return detail if isinstance(detail, str) else detail[0]["msg"]
    return refusal.text


class Visitor:
    """One page of the app without a browser: its session and its requests."""

    def __init__(self, client: httpx.AsyncClient, config: dict):
        self.client, self.url = client, str(client.base_url)
        self.session = uuid.uuid4().hex[:11]
        self.shown = {one["id"]: one["props"].get("value") for one in config["components"]}
        """Initial values of the page's components, by number."""
        self.handlers = {}
        for one in config["dependencies"]:
            self.handlers.setdefault(one["api_name"], one)
        self.messages: list[str] = []
        """Messages that came beside an answer."""

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, url: str, count: int = 1):
        """Some visitors of one URL."""
        async with httpx.AsyncClient(base_url=url, timeout=300, limits=httpx.Limits(max_connections=None)) as client:
            config = (await client.get("/config")).json()
            yield [cls(client, config) for _ in range(count)]

    def values(self, name: str) -> list:
        """Inputs of a handler while no control was moved."""
        return [self.shown[number] for number in self.handlers[name]["inputs"]]

    def followers(self, name: str) -> list[str]:
        """Handlers that the page calls when the first output of another one changes."""
        changed = [self.handlers[name]["outputs"][0], "change"]
        return [one for one, handler in self.handlers.items() if changed in handler["targets"]]

    async def upload(self, name: str, content: bytes) -> dict:
        """Upload a file; returns the value for a handler. Raises Refused where it is not accepted."""
        answer = await self.client.post("/gradio_api/upload", files={"files": (name, content)})
        if answer.status_code != 200:
            raise Refused(message_of(answer))
        return {"path": answer.json()[0], **UPLOADED}

    async def ask(self, name: str, *data, event: dict | None = None) -> dict:
        """Call a handler as the page does, and wait for its answer. Raises Refused."""
        return (await self.together({name: data}, event))[name][0]

    async def join(self, name: str, data: Sequence, event: dict | None = None) -> str:
        """Call a handler without waiting for its answer; returns the event's id. Raises Refused."""
        handler = self.handlers[name]
        request = {"fn_index": handler["id"], "session_hash": self.session, "data": list(data), "event_data": event,
                "trigger_id": handler["targets"][0][0] if handler["targets"] else None}
        joined = await self.client.post("/gradio_api/queue/join", content=json.dumps(request),
                                        headers={"content-type": "application/json"})
        if joined.status_code != 200:
            raise Refused(message_of(joined))
        return joined.json()["event_id"]

    async def together(self, requests: dict[str, Sequence], event: dict | None = None) -> dict[str, tuple[dict, float]]:
        """Call several handlers at once; the answer of each, and the seconds until it came. Raises Refused."""
        begin, answers = time.perf_counter(), {}
        waiting = {await self.join(name, data, event): name for name, data in requests.items()}
        async with self.client.stream("GET", "/gradio_api/queue/data",
                                      params={"session_hash": self.session}) as stream:
            async for line in stream.aiter_lines():
                message = json.loads(line.removeprefix("data:")) if line.startswith("data:") else {}
                if message.get("msg") == "log":
                    self.messages.append(message["log"])
                if message.get("msg") == "process_completed" and message.get("event_id") in waiting:
                    if not message["success"]:
                        raise Refused(message["output"].get("error"))
                    answers[waiting.pop(message["event_id"])] = message["output"], time.perf_counter() - begin
                    if not waiting:
                        return answers
        raise Refused(None)
