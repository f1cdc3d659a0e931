"""Sliders, presets and choices for a render; app.session.settings defines their values."""

from __future__ import annotations

import gradio as gr

from app.session.settings import BACKGROUNDS, DECODED, MAX_ANGLES, MAX_LIGHT_ANGLE, PHOTO_DETAIL
from app.widgets.assets import read_script


def slider(low: float, high: float, value: float, step: float, label: str, elem_id: str) -> gr.Slider:
    """A slider without a reset button."""
    return gr.Slider(low, high, value, step=step, label=label, elem_id=elem_id, buttons=[])


def pose_sliders() -> list[gr.Slider]:
    """Yaw, pitch, roll."""
    return [slider(-end, end, 0, 1, f"{name.capitalize()} °", name) for name, end in MAX_ANGLES.items()]


def light_sliders() -> list[gr.Slider]:
    """Left-right, up-down, ambient, diffuse."""
    return [slider(-MAX_LIGHT_ANGLE, MAX_LIGHT_ANGLE, 0, 1, "From right °", "across"),
            slider(-MAX_LIGHT_ANGLE, MAX_LIGHT_ANGLE, 0, 1, "From above °", "above"),
            slider(0, 1, 0.5, 0.01, "Ambient", "ambient"), slider(0, 1, 0.5, 0.01, "Diffuse", "diffuse")]


def detail_choice(elem_id: str) -> gr.Radio:
    """The photo's own detail, or the model's decoded maps."""
    return gr.Radio([PHOTO_DETAIL, DECODED], value=PHOTO_DETAIL, label="Detail", elem_id=elem_id)


def render_choices() -> list[gr.Radio]:
    """Detail and background."""
    return [detail_choice("detail"),
            gr.Radio(list(BACKGROUNDS), value="Photo", label="Background", elem_id="background")]


def presets(elem_id: str, names: list[str]) -> gr.HTML:
    """A row of small buttons; its event `select` has the index of the one that was clicked."""
    template = "".join(f'<button type="button" data-index="{index}">{name}</button>'
                       for index, name in enumerate(names))
    return gr.HTML(value="", html_template=template, elem_id=elem_id, elem_classes="presets", apply_default_css=False,
                   js_on_load=read_script("events", "thumbnails"))
