"""The API tab: what the public endpoints take and give, with examples."""

from __future__ import annotations

import gradio as gr

from app import api
from app.tabs.shared_state import Page
from app.widgets.texts import read_text


class Api:
    """Text, and the endpoints themselves."""

    def __init__(self, page: Page):
        with gr.Column(elem_id="api-text"):
            gr.Markdown(read_text("api"))
        api.connect()
