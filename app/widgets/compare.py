"""Two pictures of one place, one uncovered over the other by dragging."""

from __future__ import annotations

import gradio as gr

from app.widgets.texts import read_script

COMPARE = """<div class="compare"><img class="over" alt=""><img class="under" alt="">
<input type="range" min="0" max="100" value="0" aria-label="How much of the other picture is uncovered"></div>"""
"""HTML of the two; their scripts fill it."""
TEMPLATE = """<div class="compare"><img class="over" src="${value}" alt="Reconstruction">
<img class="under" src="${photo}" alt="Photo">
<input type="range" min="0" max="100" value="50" aria-label="How much of the photo is uncovered">
<span>Photo</span><span>Reconstruction</span></div>"""


def compare() -> gr.HTML:
    """The component: its value is the data address of the reconstruction, its `photo` that of the photo."""
    return gr.HTML(html_template=TEMPLATE, value="", photo="", elem_id="compare", apply_default_css=False,
                   js_on_load=read_script("compare"))
