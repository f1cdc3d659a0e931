"""What the Swap tab is made of: the live picture, the two faces, strips of steps, and the grid."""

from __future__ import annotations

import functools
from html import escape

import gradio as gr
import numpy as np

from app.session import session as state
from app.session.swap import SAMPLES, Spread
from app.widgets.images import EMPTY, coloured, gradient, jpeg_url
from app.widgets.picture import TOOLS
from app.widgets.strip import TEMPLATE, item
from app.widgets.texts import FOLDER, read_script
from core.faces.load_image import read_photo

# Gradio may lose `photo` before the tab is shown: in braces it is empty then, ${photo} would be the element #photo.
PICTURE = """<div class="frame"><img class="live" src="${value}" alt="The swapped face">
<img class="photo" src="{{photo}}" alt=""></div>
""" + TOOLS
PAIR = """<div class="pair"><figure><img src="${value.own}" alt=""><figcaption><b>Identity</b>
<span>the face of the page</span></figcaption></figure><i aria-hidden="true">+</i>
<figure><img src="${value.other}" alt=""><figcaption><b>Expression</b>
<span>${value.title}</span></figcaption></figure></div>"""
TILE = 192
"""Pixels of a face in the pair and in the strips."""
ALBEDO_TOP, DEPTH_TOP = 0.12, 0.006
"""Upper ends of the colour scales of the spread."""
FACE_PART, MIDDLE = 0.6, 0.52
"""Part of an example's shorter side that its face takes, and the height of its middle."""


def picture() -> gr.HTML:
    """The live picture: its value is a data address.

    Further properties: `draft`, whether more pixels are to be asked for by `finish` once the controls rest; `photo`,
    the aligned photo. It asks for a lossless picture by `save` (stamp), and hands over what is put into `saved`.
    """
    return gr.HTML(EMPTY, html_template=PICTURE, draft=False, photo=EMPTY, saved="", elem_id="swap-picture",
                   js_on_load=read_script("tell", "hand_over", "live"), **_look())


def pair() -> gr.HTML:
    """The two faces: `own` and `other` are data addresses, `title` says whose expression it is."""
    return gr.HTML({"own": EMPTY, "other": EMPTY, "title": ""}, html_template=PAIR, elem_id="swap-pair",
                   js_on_load=None, **_look())


def faces(elem_id: str, items: list[dict]) -> gr.HTML:
    """Thumbnails of faces to choose from; `select` tells the index."""
    return gr.HTML(items, html_template=TEMPLATE, js_on_load=read_script("tell", "strip"), elem_id=elem_id,
                   elem_classes="strip", **_look())


def examples(pressed: int | None = None) -> list[dict]:
    """The bundled photos for `faces`."""
    return [item(example_face(number), one.title, number == pressed) for number, one in enumerate(state.examples())]


@functools.cache
def example_face(number: int) -> np.ndarray:
    """The middle of a bundled photo, where its face is: whole photos of the London Set show more than that."""
    photo = read_photo(state.examples()[number].path)
    height, width = photo.shape[:2]
    half = int(min(height, width) * FACE_PART / 2)
    row, column = int(height * MIDDLE), width // 2
    return photo[row - half:row + half, column - half:column + half]


def pane(elem_id: str) -> gr.HTML:
    """A place for `steps`, `grid`, `spread`; `select` tells the index of the cell that was clicked."""
    return gr.HTML("", js_on_load=read_script("tell", "strip"), elem_id=elem_id, **_look())


def steps(pictures: list[np.ndarray], captions: list[str]) -> str:
    """HTML of pictures in a row."""
    return '<div class="steps">' + "".join(map(_step, pictures, captions)) + "</div>"


def spread(found: Spread) -> str:
    """HTML of the face that all seeds agree on, and of where they do not."""
    maps = [("Colour ±", found.albedo, ALBEDO_TOP, 2), ("Depth ±", found.depth, DEPTH_TOP, 3)]
    return ('<div class="steps">' + _step(found.face, f"mean of {SAMPLES} samples")
            + "".join(_step(_over(found.face, coloured(values, 0, top, "magma")), name, _scale(top, digits))
                      for name, values, top, digits in maps) + "</div>")


def grid(thumbnails: list[np.ndarray], rows: list[list[np.ndarray]]) -> str:
    """HTML of identities down, expressions across; rows that are not drawn yet stay empty."""
    count = len(thumbnails)
    heads = [f'<img class="head" src="{jpeg_url(one, TILE)}" alt="Face {number}">'
             for number, one in enumerate(thumbnails, 1)]
    cells = []
    for row, head in enumerate(heads):
        cells.append(head)
        for column in range(count):
            if row < len(rows):
                words = f"Identity of face {row + 1}, expression of face {column + 1}"
                cells.append(f'<button type="button" data-index="{row * count + column}" title="{words}: open it">'
                             f'<img src="{jpeg_url(rows[row][column])}" alt="{words}"></button>')
            else:
                cells.append("<span></span>")
    corner = '<p>identity ↓<br>expression →</p>'
    return f'<div class="grid" style="--count:{count + 1}">{corner}{"".join(heads)}{"".join(cells)}</div>'


def _step(array: np.ndarray, caption: str, extra: str = "") -> str:
    return (f'<figure><img src="{jpeg_url(array, TILE)}" alt="{escape(caption)}"><figcaption>{escape(caption)}'
            f"</figcaption>{extra}</figure>")


def _scale(top: float, digits: int) -> str:
    return (f'<div class="scale"><i style="background:{gradient("magma")}"></i><span>0</span>'
            f"<span>{top:.{digits}f}</span></div>")


def _over(face: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """Colours over a faint grey face."""
    grey = face.mean(-1, keepdims=True) * 0.3
    return (grey + heat * (1 - grey / 255)).round().astype(np.uint8)


def _look() -> dict:
    css = (FOLDER / "static" / "swap.css").read_text(encoding="utf-8")
    return {"css_template": css, "apply_default_css": False}
