"""The live render: updated with every control, turned by dragging, compared with the photo, saved as PNG.

Answers may come late, so that each shows what was drawn and not what the controls say now. The page therefore asks
again by the event `settle` once the controls rest, until the server says that the render is the one of the controls.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import gradio as gr

from app.widgets.assets import read_script
from app.widgets.images import EMPTY

DRAFT, FINAL = 256, 512
"""Size of the render while a control moves, and once it rests, pixels."""
TOOLS = """<div class="tools"><label>Before / after
<input type="range" class="wipe" min="0" max="100" value="0" title="Drag to show the photo over the render"></label>
<label class="mark"><input type="checkbox" class="watermark" checked>Watermark</label>
<button type="button" class="save">Save PNG</button></div>"""
"""Below every live render."""
TEMPLATE = """
<div class="frame" tabindex="0" role="application" aria-label="The face: drag it, or press the arrow keys, to turn it">
<img class="live" src="${value}" alt="The face in the chosen pose and light" draggable="false">
<img class="photo" src="${photo}" alt="" draggable="false"></div>
""" + TOOLS


@dataclass(frozen=True)
class Drawn:
    """What a live render shows: a face with its settings, and the render's size in pixels."""

    face: Any
    settings: Any
    size: int

    def next_size(self, face: Any, settings: Any) -> int | None:
        """Size of the render to draw next for the page's face and controls, or None where it is shown already."""
        if (self.face, self.settings) != (face, settings):
            return DRAFT
        return None if self.size == FINAL else FINAL


_answers = itertools.count(1)


def settle_event(render: gr.HTML) -> Any:
    """The event `settle` of a live render as a trigger of `gr.on`, which takes no custom event as it is."""
    return SimpleNamespace(__self__=render, has_trigger=True, event_name="settle", callback=None, connection="sse",
                           event_specific_args=None)


def redrawn(url: str) -> dict:
    """Update of a live render: another render, which the page shall ask for again."""
    return gr.update(value=url, unsettled=next(_answers))


def live_render() -> gr.HTML:
    """The component; its value is the render's data URL.

    Its event `settle` asks for the render of the controls, see `Drawn`. Further properties: `unsettled`, another number
    with each answer after which the page asks; `photo`, the aligned photo; `estimated`, the value of each slider for
    the photo; `saved`, a lossless image to be downloaded, which the event `save` (watermark) requests.
    """
    return gr.HTML(html_template=TEMPLATE, value=EMPTY, unsettled=0, photo=EMPTY, estimated={}, saved="",
                   elem_id="render", js_on_load=read_script("events", "download", "live_render", "render"),
                   apply_default_css=False)
