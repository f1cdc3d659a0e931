"""Order of a page's answers: a late one never replaces what a newer request has set.

Requests of one page run at the same time, and a quick one may be answered before a slow one that was made earlier.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.context import LocalContext
from gradio.utils import LRUCache

MAX_PAGES = 1000
"""Pages whose order is remembered."""
FACE, DONOR = "face", "donor"
"""What requests set: the page's face, and the face whose expression is used."""

_numbers = itertools.count(1)
_answered: dict[tuple[str | None, str], int] = LRUCache(2 * MAX_PAGES)
"""By page and what was set: number of the newest request that was answered."""
_lock = threading.Lock()


def newest(*parts: str, edits: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorate a handler that sets parts of the page: a late answer of it is dropped.

    Requests are numbered as they start. An answer is dropped if a newer request for one of its parts was answered.

    Args:
        parts: what the handler sets, FACE or DONOR.
        edits: whether the handler changes what the page shows when it starts. Its answer is then dropped after any
            other one, and never outdates the answer to a request that is still running.
    """

    def decorate(handler: Callable[..., Any]) -> Callable[..., Any]:

        @functools.wraps(handler)
        def wrapper(*arguments: Any, **options: Any) -> Any:
            request = LocalContext.request.get(None)
            places = [(request and request.session_hash, part) for part in parts]
            with _lock:
                own = max(_answered.get(place, 0) for place in places) if edits else next(_numbers)
            answer = handler(*arguments, **options)
            with _lock:
                if any(_answered.get(place, 0) > own for place in places):
                    return gr.skip()
                for place in places:
                    _answered[place] = own
            return answer

        return wrapper

    return decorate
