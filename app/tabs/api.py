"""The API tab: the public endpoints, with examples."""

from __future__ import annotations

import gradio as gr

from app import api
from app.widgets.assets import read_text


class Api:
    """Text, and the endpoints themselves."""

    def __init__(self):
        with gr.Column(elem_id="api-text"):
            gr.Markdown(read_text("api"))
        api.connect()
