"""A menu of files to save."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import gradio as gr

from app.widgets.assets import read_script


def menu(elem_id: str, title: str, entries: Sequence[tuple[str, str, str]]) -> gr.HTML:
    """The component.

    Its event `save` has the `kind` that was chosen and whether to draw the `watermark`; `stop` cancels. Its property
    `progress` is a message on the work, and `file`, a `url` and a `name`, is downloaded.

    Args:
        elem_id: of the component.
        title: on the closed menu.
        entries: kind, name and explanation of each file.
    """
    buttons = "".join(f'<button type="button" data-kind="{kind}"><b>{escape(name)}</b><span>{escape(text)}</span>'
                      "</button>" for kind, name, text in entries)
    template = f"""<details class="menu"><summary>{title}</summary><div class="sheet">{buttons}
<p class="progress" hidden><output></output> <button type="button">Cancel</button></p>
<label><input type="checkbox" checked> Watermark on renders</label>
<p>The metadata of every file says that it is synthetic. Share an edited face only where its person agrees.</p>
</div></details>"""
    return gr.HTML(value="", html_template=template, file=None, progress="", elem_id=elem_id, apply_default_css=False,
                   js_on_load=read_script("download", "menu"))
