"""A row of thumbnails to choose from."""

from __future__ import annotations

import gradio as gr
import numpy as np

from app.widgets.images import jpeg_url
from app.widgets.texts import read_script

TEMPLATE = """<div class="thumbnails">{{#each value}}
<button type="button" data-index="{{@index}}" title="{{this.title}}" aria-pressed="{{this.pressed}}">
<img src="{{this.src}}" alt="{{this.title}}"></button>{{/each}}</div>"""
SIDE = 112


def strip(elem_id: str, items: list[dict] | None = None, visible: bool = True) -> gr.HTML:
    """The component; `select` tells the index of the thumbnail that was clicked."""
    return gr.HTML(value=items or [], html_template=TEMPLATE, js_on_load=read_script("tell", "strip"), elem_id=elem_id,
                   elem_classes="strip", apply_default_css=False, visible=visible)


def item(array: np.ndarray, title: str, pressed: bool = False) -> dict:
    """One thumbnail of (H, W, 3) uint8."""
    return {"src": jpeg_url(array, SIDE), "title": title, "pressed": "true" if pressed else "false"}
