"""Sliders, presets and choices for a render; core.edits defines their values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict

import gradio as gr

from core.arguments import BACKGROUNDS, MAX_ANGLES, MAX_LIGHT_ANGLE
from core.edits import DECODED, PHOTO_DETAIL, LightSettings, Pose


def slider(low: float, high: float, value: float, step: float, label: str, elem_id: str) -> gr.Slider:
    """A slider without a reset button; a number typed beside it counts as the nearest one on the slider."""
    component = gr.Slider(low, high, value, step=step, label=label, elem_id=elem_id, buttons=[])
    own = component.preprocess  # it refuses numbers that are not on the slider
    component.preprocess = lambda payload: own(min(max(payload, low), high))
    return component


def pose_sliders() -> list[gr.Slider]:
    """Yaw, pitch, roll."""
    labels = {"yaw": "Yaw, left °", "pitch": "Pitch, down °", "roll": "Roll, right °"}
    return [slider(-end, end, 0, 1, labels[name], name) for name, end in MAX_ANGLES.items()]


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


def presets(elem_id: str, settings: Mapping[str, Pose | LightSettings]) -> gr.HTML:
    """A row of small buttons, each of which moves the sliders to its settings; render.js does that."""
    buttons = "".join(f"<button type='button' data-set='{json.dumps(asdict(values))}'>{name}</button>"
                      for name, values in settings.items())
    # A value, not a template: templates evaluate braces.
    return gr.HTML(buttons, elem_id=elem_id, elem_classes="presets", apply_default_css=False)
