"""What the parts of the page share."""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr

from app.widgets.address import address


@dataclass(frozen=True)
class Page:
    """States that any tab may read, follow (`.change`) and set (as an output of a handler)."""

    session: gr.State = field(default_factory=gr.State)
    """The `app.session.session.Session` whose face is shown everywhere."""
    donor: gr.State = field(default_factory=gr.State)
    """The `Session` that lends its expression, or None."""
    address: gr.HTML = field(default_factory=address)
    """What of the page its address brings back."""
