"""The map's plots, the marks on them, and the nearest faces."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from app.widgets.assets import file_url, read_script, read_style
from app.widgets.images import EMPTY, SCALES
from core import Codes, SplitCodes
from core.latent_map.map import LatentMap

TILE_SIZES = {400: 128, 1000: 80}
"""Most faces of a map, and pixels of a thumbnail in the sprite."""
SMALL_TILE = 48
"""Pixels of a thumbnail of still more faces."""
SAME = 0.98
"""Similarity of codes from which a face of the map is the very photo that is asked for."""
TITLES = {"identity": "Identity", "expression": "Expression", "code": "Whole code"}
LABELS = {"yaw": "yaw, °", "light": "light, ° right"}
"""Labels of columns with a unit."""
NEAREST = 6
"""Nearest faces shown per kind."""
HINT = ('<div class="face"><p>The orange ring marks the current face; the small rings mark its nearest faces. '
        "Click a face to choose it.</p></div>")
TEMPLATE = """<div class="bar"><label>Color <select class="color" aria-label="Color by"></select></label>
<span class="legend"></span>
<label>Across <select class="axis" aria-label="Axis across"></select></label>
<span class="tools-group"><button type="button" class="tool" value="pan" aria-pressed="true">Move</button>
<button type="button" class="tool" value="lasso" aria-pressed="false">Lasso</button>
<button type="button" class="whole">Show all</button><button type="button" class="screen">Full screen</button></span>
<label><input type="checkbox" class="show-thumbnails" checked>Thumbnails</label></div>
<div class="stage"><div class="plot" data-library="{library}"></div><canvas></canvas></div>
<div class="card" hidden><canvas width="48" height="48"></canvas><div><b></b><span></span></div></div>"""
PREVIEW = """<figure class="preview"><img src="${value}" alt="The face at the pointer">
<figcaption>${caption}</figcaption></figure>"""


def plots() -> gr.HTML:
    """The component: `value` is `drawing(map)`, `marks` is `marks(…)`.

    Events: `open` when it is first visible; `select` (index) for a face in a plot or among the nearest; `show` and
    `use_expression` (index) for its buttons; `point` (kind, x, y) for the pointer's position; `lasso` (indices).
    """
    library = plotly_path()
    gr.set_static_paths([library])
    template = TEMPLATE.replace("{library}", file_url(library))
    return gr.HTML(None, html_template=template, css_template=read_style("map"),
                   js_on_load=read_script("events", "map"), marks=None, elem_id="map", apply_default_css=False)


def preview(hint: str) -> gr.HTML:
    """The decoded face at the pointer: `value` is its data URL, `caption` says what it is made of."""
    return gr.HTML(EMPTY, html_template=PREVIEW, caption=hint, elem_id="map-preview", apply_default_css=False,
                   js_on_load=None, css_template=read_style("map_side"))


def side_panel(elem_id: str, css_class: str | None = None, script: str | None = None) -> gr.HTML:
    """A panel beside the plots for HTML: `description(…)`, `neighbours(…)`, or progress and then `left_out(…)`."""
    return gr.HTML(elem_id=elem_id, elem_classes=css_class, apply_default_css=False,
                   js_on_load=script and read_script(script), css_template=read_style("map_side"))


def plotly_path() -> Path:
    """The script of plotly, which the app serves itself."""
    spec = find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def description(shown: LatentMap, chosen: int | None) -> str:
    """HTML about the chosen face: its image, name and columns."""
    if chosen is None:
        return HINT
    values = "".join(f"<dt>{escape(label(name))}</dt><dd>{escape(_cell(column[chosen]))}</dd>"
                     for name, column in shown.columns.items() if _cell(column[chosen]))
    return (f'<div class="face"><img src="{image_url(shown, chosen)}" alt=""><div>'
            f"<h4>{escape(str(shown.names[chosen]))}</h4><dl>{values}</dl></div></div>")


def drawing(shown: LatentMap, directions: Mapping[str, np.ndarray] | None = None) -> dict[str, Any]:
    """Everything that the plots need of a map.

    Args:
        shown: the map.
        directions: more values by name, (N,) each, to color by and to place by.
    """
    kinds = [{"key": kind, "title": TITLES[kind], "x": _short(shown.positions[kind][:, 0]),
              "y": _short(shown.positions[kind][:, 1])} for kind in shown.kinds]
    across = int(np.ceil(np.sqrt(len(shown))))
    columns = shown.columns | {name: values for name, values in (directions or {}).items() if name not in shown.columns}
    return {"kinds": kinds, "names": shown.names.tolist(), "tile": tile_size(shown), "across": across,
            "columns": [_column(name, values) for name, values in columns.items()],
            "scale": SCALES["viridis"], "sprite": sprite(shown, across)}


def marks(shown: LatentMap, codes: Codes | SplitCodes, chosen: int | None) -> dict[str, Any]:
    """Marks on the plots: the current face, the chosen one, and the faces nearest to the chosen or else the current."""
    return {"chosen": chosen, "current": {kind: _short(shown.project(codes, kind)) for kind in shown.kinds},
            "near": {kind: [number for number, _ in pairs] for kind, pairs in nearest(shown, codes, chosen).items()}}


def nearest(shown: LatentMap, codes: Codes | SplitCodes, chosen: int | None) -> dict[str, list[tuple[int, float]]]:
    """By kind, number and similarity of the faces most similar to the chosen one, or to `codes`; without itself."""
    target = codes if chosen is None else shown.codes[chosen]
    order, similarity = shown.nearest(target, "code", NEAREST)
    itself = {chosen, *order[similarity > SAME].tolist()}
    pairs = {kind: zip(*shown.nearest(target, kind, NEAREST + len(itself)), strict=True) for kind in shown.kinds}
    return {kind: [(int(number), float(similarity)) for number, similarity in found if number not in itself][:NEAREST]
            for kind, found in pairs.items()}


def left_out(refused: list[tuple[str, str]]) -> str:
    """HTML that lists the files that are not on a visitor's map, by reason; empty where all are."""
    names: dict[str, list[str]] = {}
    for name, reason in refused:
        names.setdefault(reason, []).append(escape(name))
    rows = "".join(f"<dt>{escape(reason)}</dt><dd>{'<br>'.join(files)}</dd>" for reason, files in names.items())
    return f"<details><summary>Left out: {len(refused)}</summary><dl>{rows}</dl></details>" if rows else ""


def neighbours(shown: LatentMap, codes: Codes | SplitCodes, chosen: int | None) -> str:
    """HTML of the nearest faces, one row per kind; each button has the face's number as data-index."""
    return "".join(
        f'<h4>Nearest by {TITLES[kind].lower()}</h4><div class="thumbnail-grid">'
        + "".join(_button(shown, number, similarity) for number, similarity in found) + "</div>"
        for kind, found in nearest(shown, codes, chosen).items())


def _button(shown: LatentMap, number: int, similarity: float) -> str:
    name = escape(str(shown.names[number]))
    return (f'<button type="button" data-index="{number}" title="{name}, similarity {similarity:.2f}">'
            f'<img src="{image_url(shown, number)}" alt="{name}"><small>{similarity:.2f}</small></button>')


def image_url(shown: LatentMap, number: int) -> str:
    """Data URL of one face, as the map stores it."""
    return f"data:image/webp;base64,{base64.b64encode(shown.thumbnails[number]).decode()}"


def tile_size(shown: LatentMap) -> int:
    """Pixels of a thumbnail in the sprite."""
    return next((size for most, size in TILE_SIZES.items() if len(shown) <= most), SMALL_TILE)


def sprite(shown: LatentMap, across: int) -> str:
    """Data URL of all thumbnails in rows of `across`."""
    size = tile_size(shown)
    sheet = Image.new("RGB", (across * size, -(-len(shown) // across) * size))
    for number, data in enumerate(shown.thumbnails):
        tile = Image.open(io.BytesIO(data)).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        sheet.paste(tile, (number % across * size, number // across * size))
    file = io.BytesIO()
    sheet.save(file, "jpeg", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def _short(values: np.ndarray) -> list[float]:
    return [round(value, 4) for value in values.tolist()]


def label(name: str) -> str:
    """A column's label on the page."""
    return LABELS.get(name, name)


def _cell(value: str | float) -> str:
    """A column's value as text; empty where unknown."""
    if isinstance(value, str):
        return str(value)
    return f"{value:.{2 if abs(value) < 10 else 0}f}" if np.isfinite(value) else ""


def _column(name: str, values: np.ndarray) -> dict[str, Any]:
    if values.dtype.kind == "U":
        words, index = np.unique(values, return_inverse=True)
        # Index 0 stands for unknown values.
        words, index = (["", *words.tolist()], (index + 1).tolist()) if words[0] else (words.tolist(), index.tolist())
        return {"label": label(name), "words": words, "index": index}
    return {"label": label(name), "numbers": [round(v, 4) if np.isfinite(v) else None for v in values.tolist()]}
