"""The live render: updated with every control, turned by dragging, compared with the photo, saved as PNG."""

from __future__ import annotations

import gradio as gr

from app.widgets.assets import read_script
from app.widgets.images import EMPTY

TOOLS = """<div class="tools"><label>Before / after
<input type="range" class="wipe" min="0" max="100" value="0" title="Drag to show the photo over the render"></label>
<label class="mark"><input type="checkbox" class="watermark" checked>Watermark</label>
<button type="button" class="save">Save PNG</button></div>"""
"""Below every live render."""
TEMPLATE = """
<div class="frame" tabindex="0" role="application" aria-label="The face: drag it, or press the arrow keys, to turn it">
<img class="live" src="${value}" alt="The face in the chosen pose and light" draggable="false">
<img class="photo" src="${photo}" alt="" draggable="false"></div>
""" + TOOLS


def live_render() -> gr.HTML:
    """The component; its value is the render's data URL.

    Further properties: `draft`, whether the page requests a larger render by the event `finish` once the controls rest;
    `photo`, the aligned photo; `estimated`, the value of each slider for the photo; `saved`, a lossless image to be
    downloaded, which the event `save` (watermark) requests.
    """
    return gr.HTML(html_template=TEMPLATE, value=EMPTY, draft=False, photo=EMPTY, estimated={}, saved="",
                   elem_id="render", js_on_load=read_script("events", "download", "live_render", "render"),
                   apply_default_css=False)
