"""The white ball that shows the light; dragging it moves the light."""

from __future__ import annotations

from app.widgets.images import jpeg_url
from core import Light
from core.export.visualize import light_ball, to_uint8

SIZE = 96
"""Pixels."""


def ball_url(light: Light) -> str:
    """Data URL of the ball under the first of the lights."""
    return jpeg_url(to_uint8(light_ball(light[:1], SIZE)[0]))
