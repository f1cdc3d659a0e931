"""State that the parts of the page share."""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr

from app.widgets.url_state import url_state


@dataclass(frozen=True)
class SharedState:
    """States that any tab may read, follow (`.change`) and set (as an output of a handler)."""

    session: gr.State = field(default_factory=gr.State)
    """The `app.session.session.Session` whose face is shown everywhere."""
    donor: gr.State = field(default_factory=gr.State)
    """The `Session` whose expression is used, or None."""
    url: gr.HTML = field(default_factory=url_state)
    """Parameters in the page's URL."""
