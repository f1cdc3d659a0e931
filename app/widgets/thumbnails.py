"""A row of thumbnails to choose from."""

from __future__ import annotations

import gradio as gr
import numpy as np

from app.widgets.assets import read_script
from app.widgets.images import jpeg_url

TEMPLATE = """<div class="thumbnail-grid">{{#each value}}
<button type="button" data-index="{{@index}}" title="{{this.title}}" aria-pressed="{{this.pressed}}">
<img src="{{this.src}}" alt="{{this.title}}"></button>{{/each}}</div>"""
SIDE = 112
"""Pixels."""


def thumbnails(elem_id: str, items: list[dict] | None = None, visible: bool = True) -> gr.HTML:
    """The component; its event `select` has the index of the thumbnail that was clicked."""
    return gr.HTML(value=items or [], html_template=TEMPLATE, js_on_load=read_script("events", "thumbnails"),
                   elem_id=elem_id, elem_classes="thumbnails", apply_default_css=False, visible=visible)


def thumbnail(array: np.ndarray, title: str, pressed: bool = False) -> dict:
    """One thumbnail of (H, W, 3) uint8."""
    return {"src": jpeg_url(array, SIDE), "title": title, "pressed": "true" if pressed else "false"}
