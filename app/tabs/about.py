"""The About tab: what this is, its limits, its ethics and its credits."""

from __future__ import annotations

import gradio as gr

from app.page import Page
from app.state import examples
from app.widgets.texts import read_text


class About:
    """Text alone."""

    def __init__(self, page: Page):
        credit = f"{examples()[0].credit}: {', '.join(one.path.name for one in examples())}."
        with gr.Column(elem_id="about-text"):
            gr.Markdown(read_text("about") + credit)
