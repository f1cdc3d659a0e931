"""Request queues: interactive requests never wait behind other visitors' long work.

Handlers of one queue share its workers, and visitors take turns in it. A handler that no queue here names has a queue
of its own, as in gradio. While a request waits in one of the named queues, no request younger than
`STARVATION_SECONDS` starts in the queues after it.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import gradio as gr
from fastapi import HTTPException, Request
from gradio.queueing import Event, Queue
from gradio.utils import LRUCache

QUEUES = {
    "interactive": (2, ["Studio.redraw", "Studio.undo", "Studio.redo", "Studio.reset", "Studio.surprise",
                         "Studio.blend_identity", "Studio.show_influence", "MapTab.point", "PhotoPanel.move_crop",
                        "TimeTab.scrub"]),
    "analysis": (2, ["PhotoPanel.open_first", "PhotoPanel.open_example", "PhotoPanel.open_photo",
                     "PhotoPanel.choose_face", "PhotoPanel.crop_by_hand", "Studio.show", "Inspect.show_factors",
                     "Inspect.refine_face", "Inspect.keep_frame", "ExportMenu.open_session", "MapTab.open_face",
                     "Studio.open_donor", "Studio.exchange", "SwapPanes.open", "SwapPanes.follow", "Grid.open",
                     "Grid.add_photos", "MapTab.show", "MapTab.open_map", "ComparePhotos.open_other",
                     "ComparePhotos.show", "TimeTab.open", "TimeTab.follow", "analyze", "render",
                     "frontalize", "swap", "nearest"]),
    "background": (1, ["Inspect.show_surface", "SwapPanes.fill", "Studio.play_tour"]),
    "export": (1, ["ExportMenu.save", "MapTab.write_faces", "export"]),
}
"""Workers and handlers of each queue, the most urgent queue first. Hidden parts of the page need only one worker."""
STARVATION_SECONDS = 10.0
"""A request that has waited this long no longer waits for more urgent ones."""
POLL_SECONDS = 0.005
"""Interval between two looks at the queues while nothing can start. Gradio's default, 1 ms, costs more processor time
than it saves per redraw."""
OTHER_WORKERS = 2
"""Workers of each handler that no queue names."""
MAX_WAITING, MAX_WAITING_PER_VISITOR = 300, 40
"""Requests that may wait, in total and for one visitor; a page sends at most seven at once."""
FULL = "Too many visitors are waiting at the moment. Try again in a minute."
TOO_MANY = f"{MAX_WAITING_PER_VISITOR} of your requests are already waiting. Wait until some of them are answered."


class Messages(LRUCache):
    """Messages to pages, which may be deleted twice.

    A page that is reloaded closes several streams, and gradio deletes its messages with each of them.
    """

    def __delitem__(self, page: str) -> None:
        if page in self:
            super().__delitem__(page)


class FairQueue(Queue):
    """Gradio's queues with priorities and with round robin between visitors."""

    def __init__(self, **options: Any):
        super().__init__(**options)
        self.pending_messages_per_session = Messages(self.pending_messages_per_session.max_size)
        self.sleep_when_free = self.progress_update_sleep_when_free = POLL_SECONDS

    async def push(self, body, request, username):
        """Add a request; returns whether it was accepted, its number or a message, and a state, as gradio expects.

        Raises:
            HTTPException: too many requests wait. The page shows this message; it would reword gradio's own refusal.
        """
        waiting = [event for queue in self.event_queue_per_concurrency_id.values() for event in queue.queue]
        if len(waiting) >= MAX_WAITING:
            raise HTTPException(429, FULL)
        visitor = body.session_hash or _address(request)
        if [_visitor(event) for event in waiting].count(visitor) >= MAX_WAITING_PER_VISITOR:
            raise HTTPException(429, TOO_MANY)
        accepted = await super().push(body, request, username)
        for queue in self.event_queue_per_concurrency_id.values():
            queue.queue[:] = round_robin(queue.queue)
        return accepted

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """The next requests to start, as gradio asks for them: the requests, whether they are a batch, their queue."""
        queues, overdue = self.event_queue_per_concurrency_id, time.monotonic() - STARVATION_SECONDS
        named = [name for name in QUEUES if name in queues and queues[name].queue]
        others = [name for name in queues.keys() - QUEUES.keys() if queues[name].queue]
        for name in others + named:
            queue = queues[name]
            allowed = name not in named[1:] or queue.queue[0].enqueue_time < overdue
            if allowed and (queue.concurrency_limit is None or queue.current_concurrency < queue.concurrency_limit):
                return [queue.queue.pop(0)], False, name
        return None


def round_robin(waiting: list[Event]) -> list[Event]:
    """Order requests so that visitors take turns; within one visitor's requests the order stays."""
    seen, turns = Counter(), []
    for event in waiting:
        turns.append(seen[_visitor(event)])
        seen[_visitor(event)] += 1
    return [waiting[index] for index in sorted(range(len(waiting)), key=turns.__getitem__)]


def _visitor(event: Event) -> str:
    """The session of a page or program. One without a session gets a new name per request; its address is used."""
    return _address(event.request) if event.session_hash == event._id else event.session_hash


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def install(demo: gr.Blocks) -> None:
    """Assign the handlers of a page to their queues. Raises KeyError where a named handler is not on the page."""
    demo._queue = FairQueue(live_updates=True, concurrency_count=demo.max_threads, update_intervals=1, max_size=None,
                            blocks=demo, default_concurrency_limit=OTHER_WORKERS)
    queues = {handler: (name, limit) for name, (limit, handlers) in QUEUES.items() for handler in handlers}
    found = set()
    for function in demo.fns.values():
        handler = getattr(function.fn, "__qualname__", None)
        if handler in queues:
            function.concurrency_id, function.concurrency_limit = queues[handler]
            found.add(handler)
    if missing := queues.keys() - found:
        raise KeyError(f"no such handlers: {', '.join(sorted(missing))}")
