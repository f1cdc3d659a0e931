"""The About tab: what this is, its limits, ethics, measured results and credits."""

from __future__ import annotations

import gradio as gr

from app.session.session import examples
from app.widgets.assets import read_document, read_text


class About:
    """Text only."""

    def __init__(self):
        credit = f"{examples()[0].credit}: {', '.join(example.path.name for example in examples())}."
        with gr.Column(elem_id="about-text"):
            gr.Markdown(read_text("about") + credit)
            with gr.Accordion("Measured results", open=False):
                gr.Markdown(read_document("docs/results"))
            with gr.Accordion("Third-party components and licences", open=False):
                gr.Markdown(read_document("THIRD_PARTY"))
