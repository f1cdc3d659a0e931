"""Options of event listeners, typed once for all tabs."""

from __future__ import annotations

from typing import Literal, TypedDict


class Private(TypedDict):
    """Not part of the public API."""

    api_visibility: Literal["public", "private", "undocumented"]


class Quiet(Private):
    """Without a progress display."""

    show_progress: Literal["full", "minimal", "hidden"]


class Live(Quiet):
    """For controls that move: while one request runs, only the latest of the others is kept."""

    trigger_mode: Literal["once", "multiple", "always_last"]


PRIVATE: Private = {"api_visibility": "private"}
QUIET: Quiet = {"api_visibility": "private", "show_progress": "hidden"}
LIVE: Live = {"api_visibility": "private", "show_progress": "hidden", "trigger_mode": "always_last"}
