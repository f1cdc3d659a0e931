"""A white ball that shows the light and can be dragged."""

from __future__ import annotations

import gradio as gr

from app.widgets.assets import read_script
from app.widgets.images import EMPTY, jpeg_url
from core import Light
from core.export.visualize import light_ball, to_uint8

TEMPLATE = '<img src="${value}" alt="The light on a white ball" draggable="false"><span>drag the light</span>'
SIZE = 96
"""Pixels."""


def light_control() -> gr.HTML:
    """The component: its value is the data URL of the ball; dragging it moves the light's sliders."""
    return gr.HTML(value=EMPTY, html_template=TEMPLATE, elem_id="ball", apply_default_css=False,
                   js_on_load=read_script("light"))


def ball_url(light: Light) -> str:
    """Data URL of the ball under the first of the lights."""
    return jpeg_url(to_uint8(light_ball(light[:1], SIZE)[0]))
