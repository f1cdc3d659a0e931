"""The live picture: drawn again at every move of a control, turned by dragging, compared with the photo, saved."""

from __future__ import annotations

import gradio as gr

from app.widgets.images import EMPTY
from app.widgets.texts import read_script

TOOLS = """<div class="tools">
<label>Photo<input type="range" class="wipe" min="0" max="100" value="0" title="Uncover the photo"></label>
<label class="mark"><input type="checkbox" class="stamp" checked>Write “synthetic”</label>
<button type="button" class="save">Save PNG</button></div>"""
"""Below every live picture."""
TEMPLATE = """
<div class="frame" tabindex="0" role="application" aria-label="The face: drag it, or press the arrow keys, to turn it">
<img class="live" src="${value}" alt="The face in the chosen pose and light" draggable="false">
<img class="photo" src="${photo}" alt="" draggable="false"></div>
""" + TOOLS


def picture() -> gr.HTML:
    """The component: its value is the picture's data address.

    Further properties: `draft`, whether more pixels are to be asked for by `finish` once the controls rest; `photo`,
    the aligned photo; `own`, what each slider shows for the photo.
    It asks for a lossless picture by `save` (stamp), and hands over to the visitor what is then put into `saved`.
    """
    return gr.HTML(html_template=TEMPLATE, value=EMPTY, draft=False, photo=EMPTY, own={}, saved="", elem_id="picture",
                   js_on_load=read_script("tell", "hand_over", "live", "picture"), apply_default_css=False)
