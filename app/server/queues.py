"""Who waits for whom: what follows a visitor's hand never waits behind other visitors' long work.

Handlers of one queue wait for each other, and there visitors take turns; the rest have a queue each, as gradio gives
them. While something waits in one of the queues named here, nothing that is younger than `PATIENCE` is begun in those
after it.
"""

from __future__ import annotations

import time
from collections import Counter

import gradio as gr
from fastapi import HTTPException
from gradio.queueing import Event, Queue
from gradio.utils import LRUCache

QUEUES = {
    "hand": (2, ["PoseLight.redraw", "PoseLight.finish", "SwapTab.redraw", "SwapTab.finish", "MapTab.point",
                 "Source.move_crop"]),
    "photo": (2, ["Source.open_first", "Source.open_example", "Source.open_photo", "Source.choose_face",
                  "Source.crop_by_hand", "Inspect.show", "Inspect.refine_face", "Inspect.keep", "Export.open_session",
                  "MapTab.open_face", "SwapTab.open", "SwapTab.follow", "SwapTab.open_donor", "Grid.add_photos",
                  "MapTab.show", "analyze", "render", "frontalize", "swap", "nearest"]),
    "afterwards": (1, ["PoseLight.show", "Inspect.show_mesh", "SwapTab.fill"]),
    "file": (1, ["Export.save", "MapTab.write_faces", "export"]),
}
"""The most urgent queue first: how many of its handlers run at once, and which they are. What is looked at only later
has one worker."""
PATIENCE = 10.0
"""Seconds after which a request no longer waits for more urgent ones."""
POLL = 0.005
"""Seconds between two looks at the queues while nothing can begin; gradio's own thousand a second cost more than a
redraw gains by them."""
OTHERS = 2
"""How many run at once of each handler that is not named there."""
MOST, OWN = 300, 40
"""Requests that may wait, of all visitors and of one; a page asks for up to seven things at once."""
FULL = "Too many visitors are waiting just now: try again in a minute."
ENOUGH = f"{OWN} of your requests are waiting already: ask for more when some of them are answered."


class Messages(LRUCache):
    """Messages to pages. A page that is loaded again breaks off several streams, and gradio throws its messages away
    with each of them: with the second one there are none left."""

    def __delitem__(self, page: str) -> None:
        if page in self:
            super().__delitem__(page)


class FairQueue(Queue):
    """Gradio's queues, in which nobody waits behind all that somebody else has asked for."""

    def __init__(self, **options):
        super().__init__(**options)
        self.pending_messages_per_session = Messages(self.pending_messages_per_session.max_size)
        self.sleep_when_free = self.progress_update_sleep_when_free = POLL

    async def push(self, body, request, username):
        """Take a request; whether it was taken, its number or a sentence, and a word for it.

        Raises:
            HTTPException: too many wait. The page shows this sentence; for gradio's own refusal it has other words.
        """
        waiting = [event for one in self.event_queue_per_concurrency_id.values() for event in one.queue]
        if len(waiting) >= MOST:
            raise HTTPException(429, FULL)
        if [_visitor(event) for event in waiting].count(body.session_hash or request.client.host) >= OWN:
            raise HTTPException(429, ENOUGH)
        taken = await super().push(body, request, username)
        for one in self.event_queue_per_concurrency_id.values():
            one.queue[:] = in_turns(one.queue)
        return taken

    def get_events(self) -> tuple[list[Event], bool, str] | None:
        """What is begun next, as gradio asks for it: requests, whether they are a batch, and their queue."""
        queues, late = self.event_queue_per_concurrency_id, time.monotonic() - PATIENCE
        named = [name for name in QUEUES if name in queues and queues[name].queue]
        others = [name for name in queues.keys() - QUEUES.keys() if queues[name].queue]
        for name in others + named:
            one = queues[name]
            may = name not in named[1:] or one.queue[0].enqueue_time < late
            if may and one.current_concurrency < one.concurrency_limit:
                return [one.queue.pop(0)], False, name
        return None


def in_turns(waiting: list[Event]) -> list[Event]:
    """Everybody's first request, then everybody's second, and so on; else first come, first served."""
    seen, turns = Counter(), []
    for event in waiting:
        turns.append(seen[_visitor(event)])
        seen[_visitor(event)] += 1
    return [waiting[index] for index in sorted(range(len(waiting)), key=turns.__getitem__)]


def _visitor(event: Event) -> str:
    """The page or program that asks, or the address of one that does not say so and gets a new name each time."""
    return event.request.client.host if event.session_hash == event._id else event.session_hash


def share(demo: gr.Blocks) -> None:
    """Give the handlers of a page their queues. Raises KeyError where one of those named is not on the page."""
    demo._queue = FairQueue(live_updates=True, concurrency_count=demo.max_threads, update_intervals=1, max_size=None,
                            blocks=demo, default_concurrency_limit=OTHERS)
    queues = {handler: (name, limit) for name, (limit, handlers) in QUEUES.items() for handler in handlers}
    found = set()
    for function in demo.fns.values():
        handler = getattr(function.fn, "__qualname__", None)
        if handler in queues:
            function.concurrency_id, function.concurrency_limit = queues[handler]
            found.add(handler)
    if missing := queues.keys() - found:
        raise KeyError(f"no such handlers: {', '.join(sorted(missing))}")
