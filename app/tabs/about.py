"""The About tab: what this is, its limits, its ethics, measured results and credits."""

from __future__ import annotations

import gradio as gr

from app.session.session import examples
from app.tabs.shared_state import Page
from app.widgets.texts import read_document, read_text


class About:
    """Text alone."""

    def __init__(self, page: Page):
        credit = f"{examples()[0].credit}: {', '.join(one.path.name for one in examples())}."
        with gr.Column(elem_id="about-text"):
            gr.Markdown(read_text("about") + credit)
            with gr.Accordion("Measured results", open=False):
                gr.Markdown(read_document("docs/results"))
            with gr.Accordion("What others made, and its licences", open=False):
                gr.Markdown(read_document("THIRD_PARTY"))
