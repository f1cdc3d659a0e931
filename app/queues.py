"""Who waits for whom: what follows a visitor's hand never waits behind other visitors' long work.

Handlers of one queue wait for each other, and there visitors take turns; the rest have a queue each, as gradio gives
them.
"""

from __future__ import annotations

from collections import Counter

import gradio as gr
from fastapi import HTTPException
from gradio.queueing import Event, Queue
from gradio.utils import LRUCache

QUEUES = {
    "hand": (4, ["PoseLight.redraw", "PoseLight.finish", "SwapTab.redraw", "SwapTab.finish", "MapTab.point",
                 "Source.move_crop"]),
    "photo": (2, ["Source.open_first", "Source.open_example", "Source.open_photo", "Source.choose_face",
                  "Source.crop_by_hand", "Inspect.show", "Inspect.refine_face", "Inspect.keep", "Export.open_session",
                  "MapTab.open_face", "SwapTab.open", "SwapTab.follow", "SwapTab.open_donor", "Grid.add_photos",
                  "MapTab.show", "analyze", "render", "frontalize", "swap", "nearest"]),
    "afterwards": (1, ["PoseLight.show", "Inspect.show_mesh", "SwapTab.fill"]),
    "file": (1, ["Export.save", "MapTab.write_faces", "export"]),
}
"""How many of each queue's handlers run at once, and which they are. What is looked at only later has one worker."""
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
