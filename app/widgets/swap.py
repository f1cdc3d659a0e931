"""Components of the panes on two faces: the faces, rows of steps, and the grid."""

from __future__ import annotations

import functools
from html import escape

import gradio as gr
import numpy as np

from app.session.session import examples
from app.widgets.assets import read_script, read_style
from app.widgets.images import EMPTY, color_map, gradient, jpeg_url
from app.widgets.thumbnails import TEMPLATE, thumbnail
from core.export.visualize import to_uint8
from core.faces.load_image import read_photo
from core.model.diffusion import SAMPLES
from core.types import Uncertainty

PAIR = """<div class="pair"><figure><img src="${value.subject}" alt=""><figcaption><b>Identity</b>
<span>the current face</span></figcaption></figure><i aria-hidden="true">+</i>
<figure><img src="${value.donor}" alt=""><figcaption><b>Expression</b>
<span>${value.title}</span></figcaption></figure></div>"""
TILE_SIZE = 192
"""Pixels of a face in rows of steps."""
MAX_ALBEDO_DEVIATION, MAX_DEPTH_DEVIATION = 0.12, 0.006
"""Upper ends of the color scales of the uncertainty."""
FACE_PART, FACE_CENTRE = 0.6, 0.52
"""Size of an example's face relative to the photo's shorter side, and height of its centre."""


def pair() -> gr.HTML:
    """The two faces: `subject` and `donor` are data URLs, `title` names the donor."""
    return gr.HTML({"subject": EMPTY, "donor": EMPTY, "title": ""}, html_template=PAIR, elem_id="swap-pair",
                   js_on_load=None, css_template=read_style("swap"), apply_default_css=False)


def faces(elem_id: str, items: list[dict]) -> gr.HTML:
    """Thumbnails of faces to choose from; its event `select` has the index."""
    return gr.HTML(items, html_template=TEMPLATE, js_on_load=read_script("events", "thumbnails"), elem_id=elem_id,
                   elem_classes="thumbnails", css_template=read_style("swap"), apply_default_css=False)


def pane(elem_id: str) -> gr.HTML:
    """A panel for `steps`, `grid` or `uncertainty`; its event `select` has the index of the cell that was clicked."""
    return gr.HTML("", js_on_load=read_script("events", "thumbnails"), elem_id=elem_id,
                   css_template=read_style("swap"), apply_default_css=False)


def example_thumbnails(pressed: int | None = None) -> list[dict]:
    """The bundled photos for `faces`."""
    return [one | {"pressed": "true" if number == pressed else "false"} for number, one in enumerate(_thumbnails())]


@functools.cache
def _thumbnails() -> list[dict]:
    return [thumbnail(example_face(number), example.title) for number, example in enumerate(examples())]


@functools.cache
def example_face(number: int) -> np.ndarray:
    """The centre of a bundled photo, where its face is: the London Set's photos show more than the face."""
    photo = read_photo(examples()[number].path)
    height, width = photo.shape[:2]
    half = int(min(height, width) * FACE_PART / 2)
    row, column = int(height * FACE_CENTRE), width // 2
    return photo[row - half:row + half, column - half:column + half]


def steps(renders: list[np.ndarray], captions: list[str]) -> str:
    """HTML of renders in a row."""
    return '<div class="steps">' + "".join(map(_step, renders, captions)) + "</div>"


def uncertainty(found: Uncertainty) -> str:
    """HTML of one face: the mean over all seeds, and the standard deviations."""
    face = to_uint8(found.mean_image[0])
    maps = [("Albedo ±", found.albedo[0], MAX_ALBEDO_DEVIATION, 2), ("Depth ±", found.depth[0], MAX_DEPTH_DEVIATION, 3)]
    return ('<div class="steps">' + _step(face, f"mean of {SAMPLES} seeds")
            + "".join(_step(_overlay(face, color_map(values, 0, top, "magma")), name, _scale(top, digits))
                      for name, values, top, digits in maps) + "</div>")


def grid(thumbnails: list[np.ndarray], rows: list[list[np.ndarray]]) -> str:
    """HTML of a grid with identities down and expressions across; rows not rendered yet stay empty."""
    count = len(thumbnails)
    heads = [f'<img class="head" src="{jpeg_url(array, TILE_SIZE)}" alt="Face {number}">'
             for number, array in enumerate(thumbnails, 1)]
    cells = []
    for row, head in enumerate(heads):
        cells.append(head)
        for column in range(count):
            if row < len(rows):
                text = f"Identity of face {row + 1}, expression of face {column + 1}"
                cells.append(f'<button type="button" data-index="{row * count + column}" title="{text}: open it">'
                             f'<img src="{jpeg_url(rows[row][column])}" alt="{text}"></button>')
            else:
                cells.append("<span></span>")
    corner = '<p>identity ↓<br>expression →</p>'
    return f'<div class="grid" style="--count:{count + 1}">{corner}{"".join(heads)}{"".join(cells)}</div>'


def _step(array: np.ndarray, caption: str, extra: str = "") -> str:
    return (f'<figure><img src="{jpeg_url(array, TILE_SIZE)}" alt="{escape(caption)}"><figcaption>{escape(caption)}'
            f"</figcaption>{extra}</figure>")


def _scale(top: float, digits: int) -> str:
    return (f'<div class="scale"><i style="background:{gradient("magma")}"></i><span>0</span>'
            f"<span>{top:.{digits}f}</span></div>")


def _overlay(face: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Colors over a faint gray face."""
    gray = face.mean(-1, keepdims=True) * 0.3
    return (gray + heat * (1 - gray / 255)).round().astype(np.uint8)
