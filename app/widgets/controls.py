"""Sliders, presets and choices for the picture; see app.session.settings for what they stand for."""

from __future__ import annotations

import gradio as gr

from app.session.settings import BACKGROUNDS, DECODED, ENDS, LIGHT, OWN_DETAIL
from app.widgets.texts import read_script


def pose_sliders() -> list[gr.Slider]:
    """Yaw, pitch, roll."""
    return [gr.Slider(-end, end, 0, step=1, label=f"{name.capitalize()} °", elem_id=name, buttons=[])
            for name, end in ENDS.items()]


def light_sliders() -> list[gr.Slider]:
    """Left-right, up-down, ambient, diffuse."""
    return [
        gr.Slider(-LIGHT, LIGHT, 0, step=1, label="From right °", elem_id="across", buttons=[]),
        gr.Slider(-LIGHT, LIGHT, 0, step=1, label="From above °", elem_id="above", buttons=[]),
        gr.Slider(0, 1, 0.5, step=0.01, label="Ambient", elem_id="ambient", buttons=[]),
        gr.Slider(0, 1, 0.5, step=0.01, label="Diffuse", elem_id="diffuse", buttons=[]),
    ]


def picture_choices() -> list[gr.Radio]:
    """Detail and background."""
    return [gr.Radio([OWN_DETAIL, DECODED], value=OWN_DETAIL, label="Detail", elem_id="detail"),
            gr.Radio(list(BACKGROUNDS), value="Photo", label="Background", elem_id="background")]


def presets(elem_id: str, names: list[str]) -> gr.HTML:
    """A row of small buttons; `select` tells the index of the one that was clicked."""
    template = "".join(f'<button type="button" data-index="{index}">{name}</button>'
                       for index, name in enumerate(names))
    return gr.HTML(value="", html_template=template, elem_id=elem_id, elem_classes="presets", apply_default_css=False,
                   js_on_load=read_script("tell", "strip"))
