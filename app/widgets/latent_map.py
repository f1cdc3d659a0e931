"""The map's plots, what is chosen on them, and its nearest faces."""

from __future__ import annotations

import base64
import io
from html import escape
from importlib.util import find_spec
from pathlib import Path

import gradio as gr
import numpy as np
from PIL import Image

from app.widgets.images import EMPTY, SCALES
from app.widgets.texts import FOLDER, read_script
from core.latent_map.map import LatentMap
from core.types import Codes

TILE = 48
"""Pixels of a thumbnail in the sprite."""
TITLES = {"identity": "Identity", "expression": "Expression", "code": "Whole code"}
LABELS = {"yaw": "yaw, °", "light": "light, ° right"}
"""Names of columns that need a unit."""
NEAREST = 6
"""Faces shown as the nearest of each kind."""
PLOTLY = Path(find_spec("plotly").origin).parent / "package_data" / "plotly.min.js"
TEMPLATE = """<div class="bar"><label>Colour <select class="colour" aria-label="Colour by"></select></label>
<span class="legend"></span>
<span class="tools-group"><button type="button" class="tool" value="pan" aria-pressed="true">Move</button>
<button type="button" class="tool" value="lasso" aria-pressed="false">Lasso</button>
<button type="button" class="whole">Show all</button></span>
<label><input type="checkbox" class="thumbnails" checked>Thumbnails</label></div>
<div class="stage"><div class="plot" data-library="{library}"></div><canvas></canvas></div>
<div class="card" hidden><canvas width="48" height="48"></canvas><div><b></b><span></span></div></div>"""

PREVIEW = """<figure class="preview"><img src="${value}" alt="The face at the pointer">
<figcaption>${caption}</figcaption></figure>"""


def plots() -> gr.HTML:
    """The component: `value` is `drawing(map)`, `marks` is `marks(…)`.

    Events: `open` when it is first seen, `select` (index) a face, there or among the nearest, `show` and `lend` (index)
    what is then done with it, `point` (kind, x, y) the pointer's place, `lasso` (indices) the faces enclosed.
    """
    gr.set_static_paths([PLOTLY])
    template = TEMPLATE.replace("{library}", f"/gradio_api/file={PLOTLY}")
    return gr.HTML(None, html_template=template, css_template=_style("map"), js_on_load=read_script("tell", "map"),
                   marks=None, elem_id="map", apply_default_css=False)


def preview(hint: str) -> gr.HTML:
    """The decoded face at the pointer: `value` is its data address, `caption` says what it is made of."""
    return gr.HTML(EMPTY, html_template=PREVIEW, caption=hint, **_beside("map-preview"))


def about() -> gr.HTML:
    """What is known of the chosen face; its value is `description(…)`."""
    return gr.HTML(**_beside("map-about"))


def near() -> gr.HTML:
    """The nearest faces; its value is `neighbours(…)`. A click on one is a choice on the plots."""
    return gr.HTML(**_beside("map-near"), elem_classes="strip")


def progress() -> gr.HTML:
    """Words on how far a map of one's own has come, and at its end `left_out(…)`."""
    return gr.HTML(**_beside("map-progress") | {"js_on_load": read_script("map_progress")})


def _beside(elem_id: str) -> dict:
    return {"elem_id": elem_id, "apply_default_css": False, "js_on_load": None, "css_template": _style("map_side")}


def _style(name: str) -> str:
    return (FOLDER / "static" / f"{name}.css").read_text(encoding="utf-8")


def description(shown: LatentMap, chosen: int | None) -> str:
    """HTML about the chosen face: its picture, its name, its columns."""
    if chosen is None:
        return ('<div class="face"><p>The orange ring is where the face of the page belongs; the small rings are its '
                "nearest faces. Click a face to choose it.</p></div>")
    values = "".join(f"<dt>{escape(label(name))}</dt><dd>{escape(_word(column[chosen]))}</dd>"
                     for name, column in shown.columns.items() if _word(column[chosen]))
    return (f'<div class="face"><img src="{picture_url(shown, chosen)}" alt=""><div>'
            f"<h4>{escape(str(shown.names[chosen]))}</h4><dl>{values}</dl></div></div>")


def drawing(shown: LatentMap) -> dict:
    """Everything the plots need of a map."""
    kinds = [{"key": kind, "title": TITLES[kind], "x": _short(shown.positions[kind][:, 0]),
              "y": _short(shown.positions[kind][:, 1])} for kind in shown.kinds]
    across = int(np.ceil(np.sqrt(len(shown))))
    return {"kinds": kinds, "names": shown.names.tolist(), "tile": TILE, "across": across,
            "columns": [_column(name, values) for name, values in shown.columns.items()],
            "scale": SCALES["viridis"], "sprite": sprite(shown, across)}


def marks(shown: LatentMap, codes: Codes, chosen: int | None) -> dict:
    """What is marked: the visitor's own face, the chosen one, and the faces nearest to it or else to the own one."""
    return {"chosen": chosen, "own": {kind: _short(shown.project(codes, kind)) for kind in shown.kinds},
            "near": {kind: [number for number, _ in pairs] for kind, pairs in nearest(shown, codes, chosen).items()}}


def nearest(shown: LatentMap, codes: Codes, chosen: int | None) -> dict[str, list[tuple[int, float]]]:
    """Number and similarity of the faces most like the chosen one, itself left out, or else like `codes`, by kind."""
    target = codes if chosen is None else shown.codes[chosen]
    pairs = {kind: zip(*shown.nearest(target, kind, NEAREST + 1), strict=True) for kind in shown.kinds}
    return {kind: [(int(number), float(similarity)) for number, similarity in found if number != chosen][:NEAREST]
            for kind, found in pairs.items()}


def left_out(refused: list[tuple[str, str]]) -> str:
    """HTML that names the files that are not on a map of one's own, by the reason; empty where all are."""
    names = {}
    for name, reason in refused:
        names.setdefault(reason, []).append(escape(name))
    rows = "".join(f"<dt>{escape(reason)}</dt><dd>{'<br>'.join(some)}</dd>" for reason, some in names.items())
    return f"<details><summary>Left out: {len(refused)}</summary><dl>{rows}</dl></details>" if rows else ""


def neighbours(shown: LatentMap, codes: Codes, chosen: int | None) -> str:
    """HTML of the nearest faces, one row a kind; each button has its number as data-index."""
    return "".join(
        f'<h4>Nearest by {TITLES[kind].lower()}</h4><div class="thumbnails">'
        + "".join(_button(shown, number, similarity) for number, similarity in found) + "</div>"
        for kind, found in nearest(shown, codes, chosen).items())


def _button(shown: LatentMap, number: int, similarity: float) -> str:
    name = escape(str(shown.names[number]))
    return (f'<button type="button" data-index="{number}" title="{name}, similarity {similarity:.2f}">'
            f'<img src="{picture_url(shown, number)}" alt="{name}"></button>')


def picture(shown: LatentMap, number: int) -> np.ndarray:
    """(n, n, 3) uint8 of one face."""
    return np.asarray(Image.open(io.BytesIO(shown.pictures[number])).convert("RGB"))


def picture_url(shown: LatentMap, number: int) -> str:
    """The same as a data address, as it is kept."""
    return f"data:image/webp;base64,{base64.b64encode(shown.pictures[number]).decode()}"


def sprite(shown: LatentMap, across: int) -> str:
    """Data address of all thumbnails in rows of `across`."""
    sheet = Image.new("RGB", (across * TILE, -(-len(shown) // across) * TILE))
    for number, data in enumerate(shown.pictures):
        tile = Image.open(io.BytesIO(data)).convert("RGB").resize((TILE, TILE), Image.Resampling.BILINEAR)
        sheet.paste(tile, (number % across * TILE, number // across * TILE))
    file = io.BytesIO()
    sheet.save(file, "jpeg", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _short(values: np.ndarray) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


def label(name: str) -> str:
    """A column's name on the page."""
    return LABELS.get(name, name)


def _word(value) -> str:
    """A column's value as text; empty where unknown."""
    if isinstance(value, str):
        return str(value)
    return f"{value:.{2 if abs(value) < 10 else 0}f}" if np.isfinite(value) else ""


def _column(name: str, values: np.ndarray) -> dict:
    if values.dtype.kind == "U":
        words, index = np.unique(values, return_inverse=True)
        # Place 0 is for what is unknown.
        words, index = (["", *words.tolist()], (index + 1).tolist()) if words[0] else (words.tolist(), index.tolist())
        return {"label": label(name), "words": words, "index": index}
    return {"label": label(name), "numbers": [round(v, 4) if np.isfinite(v) else None for v in values.tolist()]}
