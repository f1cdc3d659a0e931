"""The header of a section of controls: folds the section, and resets it."""

from __future__ import annotations

import gradio as gr

from app.widgets.assets import read_script

TEMPLATE = """<button type="button" class="fold" aria-expanded="{open}" aria-controls="{name}-controls">{title}</button>
<button type="button" class="reset" id="reset-{name}" aria-label="Reset {title}">Reset</button>"""


def section_header(name: str, title: str, is_open: bool) -> gr.HTML:
    """The component, before the column `NAME-controls` that it folds; its event `reset` has the name as `part`."""
    template = TEMPLATE.format(name=name, title=title, open=str(is_open).lower())
    return gr.HTML("", html_template=template, part=name, elem_id=f"{name}-header", elem_classes="section-header",
                   apply_default_css=False, js_on_load=read_script("events", "section"))
