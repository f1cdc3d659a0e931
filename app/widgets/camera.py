"""A live camera: the page sends pictures, a new one for each that has been looked at."""

from __future__ import annotations

import base64
import binascii

import gradio as gr

from app.widgets.texts import read_script
from core.errors import ImageUnreadable

TEMPLATE = """<button type="button" aria-pressed="false">Live camera</button><video muted playsinline hidden></video>
<button type="button" class="keep" hidden>Keep this face</button><output aria-live="polite"></output>"""


def camera() -> gr.HTML:
    """The component. `look` sends a `picture` to be analysed at once, `keep` one to go on with; see `picture_bytes`.

    Pictures to look at have a `number`; setting `count` to it asks for the next one. `said` is a word on the last one.
    """
    return gr.HTML(html_template=TEMPLATE, value="", count=0, said="", elem_id="camera", apply_default_css=False,
                   js_on_load=read_script("camera"))


def picture_bytes(event: gr.EventData) -> bytes:
    """The file in the data address that came with an event. Raises ImageUnreadable."""
    try:
        return base64.b64decode(str(event.picture).partition(",")[2], validate=True)
    except (AttributeError, KeyError, binascii.Error) as error:
        raise ImageUnreadable("The camera sent no picture: try again, or choose a photo.") from error
