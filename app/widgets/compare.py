"""Two images of one place, with a wipe between them."""

from __future__ import annotations

import gradio as gr

from app.widgets.assets import read_script
from app.widgets.images import EMPTY

COMPARE = """<div class="compare"><img class="over" alt=""><img class="under" alt="">
<input type="range" min="0" max="100" value="0" aria-label="Wipe between the two images"></div>"""
"""HTML of the two images, to be filled by a script."""
TEMPLATE = """<div class="compare"><img class="over" src="${value}" alt="Reconstruction">
<img class="under" src="${photo}" alt="Photo">
<input type="range" min="0" max="100" value="50" aria-label="Wipe between the photo and the reconstruction">
<span>Photo</span><span>Reconstruction</span></div>"""


def compare() -> gr.HTML:
    """The component: its value is the data URL of the reconstruction, its property `photo` that of the photo."""
    return gr.HTML(html_template=TEMPLATE, value=EMPTY, photo=EMPTY, elem_id="compare", apply_default_css=False,
                   js_on_load=read_script("compare"))
