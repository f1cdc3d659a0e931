"""A white ball under the light, to look at and to drag."""

from __future__ import annotations

import gradio as gr
import numpy as np
import torch

from app.widgets.images import jpeg_url, pixels
from app.widgets.texts import read_script
from core.geometry.shading import shade
from core.types import Light

TEMPLATE = '<img src="${value}" alt="The light on a white ball" draggable="false"><span>drag the light</span>'
SIZE = 96
"""Pixels of the ball's picture."""
REACH = 1.08
"""Half of the picture's side, in radii of the ball."""
SURROUNDING = 0.15
"""Grey around the ball."""


def light_ball() -> gr.HTML:
    """The component: its value is the data address of the ball's picture; dragging it moves the light's sliders."""
    return gr.HTML(value="", html_template=TEMPLATE, elem_id="ball", apply_default_css=False,
                   js_on_load=read_script("light"))


def ball_url(light: Light) -> str:
    """The ball's picture as a data address."""
    return jpeg_url(ball(light), SIZE)


def ball(light: Light) -> np.ndarray:
    """(SIZE, SIZE, 3) uint8."""
    axis = torch.linspace(-REACH, REACH, SIZE)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    z = (1 - x**2 - y**2).clamp(min=0).sqrt()
    # core's normals point away from the camera, so those of the visible side are (-x, -y, z).
    shading = shade(torch.stack([-x, -y, z], -1)[None], light)[0, 0]
    shading = shading / shading.max().clamp(min=1)
    inside = ((1 - (x**2 + y**2).sqrt()) * SIZE / 2).clamp(0, 1)
    return pixels((shading * inside + SURROUNDING * (1 - inside))[None])
