"""Sliders of named edits, with a search field and the range that is seen in data."""

from __future__ import annotations

import math
from collections.abc import Sequence

import gradio as gr

from app.widgets.assets import read_script, read_style
from core.model.semantics import Semantic

TEMPLATE = """<input type="search" placeholder="Search" aria-label="Search the sliders"><div class="sliders"></div>
<button type="button" class="more" aria-expanded="false"></button>"""
STEP = 0.05


def semantic_sliders(elem_id: str, found: Sequence[Semantic], first: int) -> gr.HTML:
    """The component: its value is a dictionary from name to amount, of those that are not 0.

    Its event `input` follows a change by the visitor, and `hover` has the `name` of the slider under the pointer.

    Args:
        elem_id: of the component.
        found: one slider each.
        first: how many are shown before the visitor asks for all or searches.
    """
    items = [{"name": one.name, "end": _end(one), "low": one.range[0], "high": one.range[1],
              "unit": "σ" if one.unit == "sigma" else ""} for one in found]
    return gr.HTML({}, html_template=TEMPLATE, items=items, first=first, step=STEP, elem_id=elem_id,
                   apply_default_css=False, css_template=read_style("semantics"),
                   js_on_load=read_script("events", "semantics"))


def _end(one: Semantic) -> float:
    """End of a slider, either way: what is seen in data, in half steps."""
    return min(one.limit, math.ceil(2 * max(abs(one.range[0]), abs(one.range[1]))) / 2)
