"""A live camera: the page sends one frame, and the next one when that was analyzed."""

from __future__ import annotations

import base64
import binascii

import gradio as gr

from app.widgets.assets import read_script
from core.errors import ImageUnreadable

TEMPLATE = """<button type="button" aria-pressed="false">Live camera</button><video muted playsinline hidden></video>
<button type="button" class="keep" hidden>Keep this face</button><output aria-live="polite"></output>"""


def camera() -> gr.HTML:
    """The component.

    Its event `frame` sends a frame and its `number`; the page sends the next one once `count` is that number. Its event
    `keep` sends a frame that is opened as a photo. See `frame_bytes`. Its event `stopped` asks for the page's face,
    which the frames have replaced; another value of `face` stops the camera, so that the page shows one face only. Its
    property `message` is shown beside the video.
    """
    return gr.HTML(html_template=TEMPLATE, value="", count=0, face="", message="", elem_id="camera",
                   apply_default_css=False, js_on_load=read_script("camera"))


def frame_bytes(event: gr.EventData) -> bytes:
    """The image file in an event's data URL. Raises ImageUnreadable."""
    try:
        return base64.b64decode(str(event.frame).partition(",")[2], validate=True)
    except (AttributeError, KeyError, binascii.Error) as error:
        raise ImageUnreadable("The camera sent no image. Try again, or choose a photo.") from error
