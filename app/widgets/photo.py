"""The photo: its input, the marks on its faces, and the crop that is placed by hand."""

from __future__ import annotations

import math

import gradio as gr
import numpy as np

from app.session.session import Session
from app.widgets.assets import read_script
from app.widgets.controls import slider
from app.widgets.images import jpeg_url
from app.widgets.uploads import uploaded_path
from core.export.visualize import to_uint8
from core.faces import Crop, align

TEMPLATE = """<svg viewBox="0 0 ${width} ${height}" role="img" aria-label="The photo with its faces marked">
<image href="${photo}" width="${width}" height="${height}"/><g>${value}</g></svg>"""
SIDE = 480
"""Pixels of the longer side of the photo on the page."""
PREVIEW_SIZE = 128
"""Pixels of the preview of a crop."""
START = Crop((0.5, 0.45), 0.6)
"""Crop offered where no face was found, relative to the photo's width, height and shorter side."""


def photo_input() -> gr.Image:
    """Upload, webcam and clipboard. Its value is the path of the file.

    The component is emptied after each photo, so that another one can be dropped at any time.
    """
    component = gr.Image(sources=["upload", "webcam", "clipboard"], type="filepath", show_label=False, height=220,
                         label="Your photo", elem_id="photo-input", buttons=[], placeholder="Drop a photo here")
    # Core checks the file before it decodes it. An update of the component would restore gradio's own preprocess, also
    # where a handler leaves the output out: handlers therefore only ever set None.
    component.preprocess = uploaded_path
    return component


def photo_view() -> gr.HTML:
    """The component; its event `select` has the index of the face that was clicked."""
    return gr.HTML(value="", photo="", width=1, height=1, html_template=TEMPLATE, elem_id="photo",
                   js_on_load=read_script("photo_types", "events", "thumbnails"), apply_default_css=False)


def crop_sliders() -> list[gr.Slider]:
    """Centre from the left and from the top, size, roll."""
    return [slider(0, 100, 50, 0.5, "From left %", "crop-x"), slider(0, 100, 50, 0.5, "From top %", "crop-y"),
            slider(5, 150, 60, 0.5, "Size %", "crop-size"), slider(-180, 180, 0, 1, "Roll °", "crop-roll")]


def crop_of(photo: np.ndarray, x: float, y: float, size: float, roll: float) -> Crop:
    """The crop that the sliders describe."""
    height, width = photo.shape[:2]
    return Crop((width * x / 100 - 0.5, height * y / 100 - 0.5), min(height, width) * size / 100, math.radians(roll))


def slider_values(session: Session) -> list[float]:
    """Slider values for the face that is shown, or for `START` where there is none."""
    if not session.faces:
        return [100 * START.centre[0], 100 * START.centre[1], 100 * START.side, 0]
    height, width = session.photo.shape[:2]
    crop = session.face.crop
    numbers = ((crop.centre[0] + 0.5) / width * 100, (crop.centre[1] + 0.5) / height * 100,
               crop.side / min(height, width) * 100, math.degrees(crop.roll))
    ranges = ((0, 100), (0, 100), (5, 150), (-180, 180))
    return [round(min(max(number, low), high), 1) for number, (low, high) in zip(numbers, ranges, strict=True)]


def show_photo(session: Session) -> dict:
    """Update of the view: another photo."""
    height, width = session.photo.shape[:2]
    value = marks(session) if session.faces else marks(session, crop_of(session.photo, *slider_values(session)))
    return gr.update(value=value, photo=jpeg_url(session.photo, SIDE), width=width, height=height)


def marks(session: Session, by_hand: Crop | None = None) -> str:
    """SVG of the faces' crops and of the one placed by hand."""
    squares = [_square(face.crop, "face shown" if index == session.index else "face", index)
               for index, face in enumerate(session.faces)]
    return "".join(squares + ([_square(by_hand, "hand")] if by_hand else []))


def crop_preview(session: Session, crop: Crop) -> str:
    """HTML of the content of a crop. Raises as core.faces.align does."""
    aligned = to_uint8(align(session.photo, crop, PREVIEW_SIZE))
    return f'<img src="{jpeg_url(aligned, PREVIEW_SIZE)}" alt="Preview of the crop">'


def _square(crop: Crop, css: str, index: int | str = "") -> str:
    corners = crop.to_photo(np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]), 1) + 0.5
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon class="{css}" data-index="{index}" points="{points}"/>'
