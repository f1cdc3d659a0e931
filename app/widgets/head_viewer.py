"""The 3-D view: the face as a whole head that moves, or its depth map as a mesh, drawn by three.js."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import uuid4

import gradio as gr

from app.session.export import export_file, new_folder
from app.session.session import Session, model
from app.widgets.assets import FOLDER, file_url, read_script, read_style
from core.edits import Edits, LightSettings
from core.errors import WeightsDamaged, WeightsMismatch, WeightsMissing

Surface = Literal["head", "depth"]
SURFACES: tuple[Surface, ...] = get_args(Surface)
LIBRARY = FOLDER / "static" / "vendor" / "three-0.187.0.min.js"
"""Made by scripts/three."""
MODES = {"unlit": "Unlit", "lit": "Lit", "clay": "Clay", "wireframe": "Wireframe", "normals": "Normals"}
TEXTURE_SIZE = 1024
"""Pixels of the depth map's texture."""
TEMPLATE = """<div class="stage" data-library="{library}">
<canvas tabindex="0" role="application" aria-label="The head: drag it, or press the arrow keys, to turn it"></canvas>
<p class="note" role="status">Loading …</p></div>
<div class="bar"><select class="surface" aria-label="Surface"><option value="head">Head</option>
<option value="depth">Depth map</option></select><span class="modes" role="group" aria-label="Material">{modes}</span>
<label><input type="checkbox" class="turntable">Turntable</label>
<button type="button" class="front">Front</button><button type="button" class="play" hidden>Play</button></div>
<details class="expression"><summary>Expression</summary><div class="buttons">
<button type="button" class="own">As in the photo</button><button type="button" class="neutral">Neutral</button></div>
<div class="sliders"></div></details>"""


def head_viewer() -> gr.HTML:
    """The component. Its property `face` is any text; another one says that the page shows another face.

    Its event `fetch` (face, surface) asks for a surface once the view is seen; `show_surface` answers it. Its property
    `light` holds the light sliders' values until they are moved on the page.
    """
    gr.set_static_paths([LIBRARY])
    modes = "".join(f'<button type="button" value="{mode}" aria-pressed="false">{label}</button>'
                    for mode, label in MODES.items())
    template = TEMPLATE.replace("{library}", file_url(LIBRARY)).replace("{modes}", modes)
    return gr.HTML(None, html_template=template, css_template=read_style("head_viewer"), face="", light={}, model=None,
                   js_on_load=read_script("events", "head_viewer"), elem_id="head-viewer", apply_default_css=False)


def show_face(session: Session) -> dict[str, Any]:
    """Update of the component: another face, whose surface the view asks for when it is seen."""
    return gr.update(face=uuid4().hex, light=asdict(LightSettings.of(session.factors.light)))


def show_surface(session: Session, event: gr.EventData) -> dict[str, Any]:
    """Update of the component: a surface of the face as GLB. A model without heads shows the depth map."""
    surface: Surface = "depth" if getattr(event, "surface", "") == "depth" else "head"
    note, folder = "", new_folder()
    try:
        path = _write(session, surface, folder)
    except (WeightsMissing, WeightsMismatch, WeightsDamaged) as error:
        note, surface = str(error), "depth"
        path = _write(session, surface, folder)
    return gr.update(model={"face": str(getattr(event, "face", "")), "surface": surface, "url": file_url(path),
                            "note": note})


def _write(session: Session, surface: Surface, folder: Path) -> Path:
    if surface == "depth":
        return export_file("glb", session, Edits(), False, folder, TEXTURE_SIZE)
    path = folder / "head.glb"
    model().head(session.textured).write(path)
    return path
