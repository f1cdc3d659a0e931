"""The live render: updated with every control, turned and lit by dragging, compared with the photo, saved as PNG.

Answers may come late, so that each shows what was drawn and not what the controls say now. The page therefore asks
again by the event `settle` once the controls rest, until the server says that the render is the one of the controls.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import gradio as gr
from gradio.components import Component

from app.widgets.assets import read_script
from app.widgets.images import EMPTY

DRAFT, FINAL = 256, 512
"""Size of the render while a control moves, and once it rests, pixels."""
TEMPLATE = """
<div class="frame" tabindex="0" role="application" aria-label="The face: drag it, or press the arrow keys, to turn it">
<div class="zoomed"><img class="live" src="${value}" alt="The face with its edits" draggable="false">
<img class="influence" src="${influence.src}" alt="" draggable="false">
<canvas class="tour" aria-hidden="true"></canvas>
<img class="photo" src="${photo}" alt="" draggable="false"></div>
<p class="hint">Drag me, light me, make me smile</p>
<div id="ball"><img src="${ball}" alt="The light on a white ball: drag to move the light" draggable="false"></div></div>
<div class="tools"><button type="button" class="undo" title="Ctrl+Z">Undo</button>
<button type="button" class="redo" title="Ctrl+Shift+Z">Redo</button>
<button type="button" class="reset" id="reset-all">Reset all</button>
<button type="button" class="before" title="Hold this button or the key B to see the photo">Before</button></div>
<div class="tools"><label>Before / after
<input type="range" class="wipe" min="0" max="100" value="0" title="Drag to show the photo over the render"></label>
<label class="mark"><input type="checkbox" class="watermark" checked>Watermark</label>
<button type="button" class="save">Save PNG</button>
<button type="button" id="frontalize">Frontalize</button></div>
"""


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


def event_of(component: Component, name: str) -> Any:
    """An event as a trigger of `gr.on`, which takes no custom event of `gr.HTML` as it is."""
    if not isinstance(component, gr.HTML):
        return getattr(component, name)
    return SimpleNamespace(__self__=component, has_trigger=True, event_name=name, callback=None, connection="sse",
                           event_specific_args=None)


def redrawn(url: str, ball: str) -> dict:
    """Update of a live render: another render and its light, which the page shall ask for again."""
    return gr.update(value=url, ball=ball, unsettled=next(_answers), frames=[])


def live_render() -> gr.HTML:
    """The component; its value is the render's data URL.

    Its event `settle` asks for the render of the controls, see `Drawn`; `undo`, `redo`, `reset` and `save` (with
    `watermark`) are the visitor's; `tour` asks for `frames`, which are played until the visitor touches the page.
    Further properties: `unsettled`, another number with each answer after which the page asks; `ball`, the light;
    `photo`, the aligned photo; `estimated`, the value of each slider for the photo; `influence`, a layer with the
    `name` of the slider that it belongs to; `saved`, a lossless image to be downloaded.
    """
    return gr.HTML(html_template=TEMPLATE, value=EMPTY, unsettled=0, ball=EMPTY, photo=EMPTY, estimated={}, frames=[],
                   influence={"name": "", "src": EMPTY}, saved="", elem_id="render", apply_default_css=False,
                   js_on_load=read_script("events", "download", "live_render", "render", "light", "tour"))
