"""A menu of files to save."""

from __future__ import annotations

from html import escape

import gradio as gr

from app.widgets.texts import read_script


def menu(elem_id: str, title: str, entries: list[tuple[str, str, str]]) -> gr.HTML:
    """The component; `save` tells the `kind` that was chosen, whether to `stamp` it as synthetic, and whether the
    `swapped` face is looked at.

    `going` are words on how far that has come; `stop` gives it up. What is then put into `file`, its `url` and `name`,
    is handed over to the visitor.

    Args:
        elem_id: of the component.
        title: on the closed menu.
        entries: kind, name and explanation of each file.
    """
    buttons = "".join(f'<button type="button" data-kind="{kind}"><b>{escape(name)}</b><span>{escape(about)}</span>'
                      "</button>" for kind, name, about in entries)
    template = f"""<details class="menu"><summary>{title}</summary><div class="sheet"><p class="whose"></p>{buttons}
<p class="going" hidden><output></output> <button type="button">Cancel</button></p>
<label><input type="checkbox" checked> Write “synthetic” on pictures</label>
<p>Every file says in its metadata that it is synthetic.</p></div></details>"""
    return gr.HTML(value="", html_template=template, file=None, going="", elem_id=elem_id, apply_default_css=False,
                   js_on_load=read_script("hand_over", "menu"))
