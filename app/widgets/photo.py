"""The photo: where it comes in, where its faces are marked, and the square that is placed by hand."""

from __future__ import annotations

import math

import gradio as gr
import numpy as np

from app.session.session import Session
from app.widgets.images import jpeg_url, pixels
from app.widgets.texts import read_script
from core.faces import Crop, align

TEMPLATE = """<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="The photo with its faces marked">
<image href="${photo}" width="${width}" height="${height}"/><g>${value}</g></svg>"""
SIDE = 480
"""Pixels of the longer side of the photo on the page."""
CUT = 128
"""Pixels of the preview of what a square holds."""
START = Crop((0.5, 0.45), 0.6)
"""Square offered where no face was found, in parts of the photo's width, height and shorter side."""


def photo_input() -> gr.Image:
    """Upload, webcam and clipboard. Its value is the path of the file, unread.

    It empties itself after each photo, so that the next one can always be dropped.
    """
    component = gr.Image(sources=["upload", "webcam", "clipboard"], type="filepath", show_label=False, height=220,
                         label="Your photo", elem_id="photo-input", buttons=[], placeholder="Drop a photo here")
    # gradio would decode the file here, without limits; core.faces.load_image checks it first. An update of the component, which
    # gradio also makes where a handler leaves an output out, would bring its own back: it only ever becomes None.
    component.preprocess = lambda payload: payload and payload.path
    return component


def photo_view() -> gr.HTML:
    """The component; `select` tells the index of the face that was clicked."""
    return gr.HTML(value="", photo="", width=1, height=1, html_template=TEMPLATE, elem_id="photo",
                   js_on_load=read_script("tell", "strip"), apply_default_css=False)


def crop_sliders() -> list[gr.Slider]:
    """Centre from the left and from the top, size, roll."""
    return [
        gr.Slider(0, 100, 50, step=0.5, label="From left %", elem_id="crop-x", buttons=[]),
        gr.Slider(0, 100, 50, step=0.5, label="From top %", elem_id="crop-y", buttons=[]),
        gr.Slider(5, 150, 60, step=0.5, label="Size %", elem_id="crop-size", buttons=[]),
        gr.Slider(-180, 180, 0, step=1, label="Roll °", elem_id="crop-roll", buttons=[]),
    ]


def crop_of(photo: np.ndarray, x: float, y: float, size: float, roll: float) -> Crop:
    """The crop that the sliders stand for."""
    height, width = photo.shape[:2]
    return Crop((width * x / 100 - 0.5, height * y / 100 - 0.5), min(height, width) * size / 100, math.radians(roll))


def slider_values(session: Session) -> list[float]:
    """What the sliders show for the face that is shown, or for the start where there is none."""
    if not session.faces:
        return [100 * START.centre[0], 100 * START.centre[1], 100 * START.side, 0]
    height, width = session.photo.shape[:2]
    crop = session.face.crop
    numbers = ((crop.centre[0] + 0.5) / width * 100, (crop.centre[1] + 0.5) / height * 100,
               crop.side / min(height, width) * 100, math.degrees(crop.roll))
    ranges = ((0, 100), (0, 100), (5, 150), (-180, 180))
    return [round(min(max(number, low), high), 1) for number, (low, high) in zip(numbers, ranges, strict=True)]


def opened(session: Session) -> gr.HTML:
    """Update of the view: another photo."""
    height, width = session.photo.shape[:2]
    value = marks(session) if session.faces else marks(session, crop_of(session.photo, *slider_values(session)))
    return gr.HTML(value=value, photo=jpeg_url(session.photo, SIDE), width=width, height=height)


def marks(session: Session, by_hand: Crop | None = None) -> str:
    """SVG of the faces' squares and of the one placed by hand."""
    squares = [_square(face.crop, "face shown" if index == session.index else "face", index)
               for index, face in enumerate(session.faces)]
    return "".join(squares + ([_square(by_hand, "hand")] if by_hand else []))


def cut(session: Session, crop: Crop) -> str:
    """HTML of what a square holds. Raises as core.faces.align does."""
    return f'<img src="{jpeg_url(pixels(align(session.photo, crop, CUT)), CUT)}" alt="What the square holds">'


def _square(crop: Crop, css: str, index: int | str = "") -> str:
    corners = crop.to_photo(np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]), 1) + 0.5
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon class="{css}" data-index="{index}" points="{points}"/>'
