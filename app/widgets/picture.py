"""The live picture: drawn again at every move of a slider, turned by dragging, compared with the photo, saved."""

from __future__ import annotations

import gradio as gr

from app.widgets.texts import read_script

TEMPLATE = """
<div class="frame"><img class="live" src="${value}" alt="The face in the chosen pose and light" draggable="false">
<img class="photo" src="${photo}" alt="" draggable="false"></div>
<div class="tools"><label>Compare<input type="range" class="wipe" min="0" max="100" value="0"></label>
<button type="button" class="save">Save PNG</button></div>"""
EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def picture() -> gr.HTML:
    """The component: its value is the picture's data address, its `photo` that of the aligned photo.

    It asks for a lossless picture by `save`, and hands over to the visitor what is then put into `saved`.
    """
    return gr.HTML(html_template=TEMPLATE, value=EMPTY, photo=EMPTY, saved="", elem_id="picture",
                   js_on_load=read_script("picture"), apply_default_css=False)
