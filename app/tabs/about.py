"""The About tab: what this is, its limits, its ethics and its credits."""

from __future__ import annotations

import gradio as gr

from app.state import examples
from app.widgets.texts import read_text


def build() -> None:
    """Lay the tab out."""
    credit = f"{examples()[0].credit}: {', '.join(one.path.name for one in examples())}."
    with gr.Column(elem_id="about"):
        gr.Markdown(read_text("about") + credit)
