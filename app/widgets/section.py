"""The header of a section: folds the section, and resets it."""

from __future__ import annotations

import gradio as gr

from app.widgets.assets import read_script

FOLD = '<button type="button" class="fold" aria-expanded="{open}" aria-controls="{folds}">{title}</button>'
RESET = '<button type="button" class="reset" id="reset-{name}" aria-label="Reset {title}">Reset</button>'


def section_header(name: str, title: str, is_open: bool, folds: str, can_reset: bool = True) -> gr.HTML:
    """The component, before the column with the id `folds`; its event `reset` has the name as `part`."""
    template = (FOLD + (RESET if can_reset else "")).format(name=name, title=title, open=str(is_open).lower(),
                                                            folds=folds)
    return gr.HTML("", html_template=template, part=name, folds=folds, elem_id=f"{name}-header",
                   elem_classes="section-header", apply_default_css=False,
                   js_on_load=read_script("events", "section"))
