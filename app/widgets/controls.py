"""Sliders of pose and light, in degrees, and their conversion to core's view and light."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import gradio as gr

from core.types import Light, View

YAW, PITCH, ROLL, LIGHT = 60, 30, 30, 75
"""Ends of the sliders, degrees to either side."""


@dataclass(frozen=True)
class Pose:
    """Values of the pose sliders, degrees."""

    yaw: float
    pitch: float
    roll: float

    @classmethod
    def of(cls, view: View) -> Pose:
        """The first of the views."""
        pitch, yaw, roll = (math.degrees(angle) for angle in view.rotation[0].tolist())
        return cls(_within(yaw, YAW), _within(pitch, PITCH), _within(roll, ROLL))

    def view(self, own: View) -> View:
        """The view, with the photo's own shift; where no slider was moved exactly the photo's own."""
        if self == Pose.of(own):
            return own
        angles = (math.radians(angle) for angle in (self.pitch, self.yaw, self.roll))
        return View.of(*angles, *own.translation[0].tolist())


@dataclass(frozen=True)
class Lamp:
    """Values of the light sliders: where it comes from, in degrees, and its two strengths."""

    across: float
    """Positive is from the image's right."""
    above: float
    ambient: float
    diffuse: float

    @classmethod
    def of(cls, light: Light) -> Lamp:
        """The first of the lights."""
        dx, dy, dz = light.direction[0].tolist()
        across, above = math.degrees(math.atan2(-dx, dz)), math.degrees(math.atan2(dy, dz))
        return cls(_within(across, LIGHT), _within(above, LIGHT),
                   round(light.ambient[0].item(), 2), round(light.diffuse[0].item(), 2))

    def light(self, own: Light) -> Light:
        """As core's light, whose x runs the other way; where no slider was moved exactly the photo's own."""
        if self == Lamp.of(own):
            return own
        dx, dy = -math.tan(math.radians(self.across)), math.tan(math.radians(self.above))
        return Light.of(self.ambient, self.diffuse, dx, dy)


FRONT = Pose(0, 0, 0)


def pose_sliders() -> list[gr.Slider]:
    """Yaw, pitch, roll."""
    return [
        gr.Slider(-YAW, YAW, 0, step=1, label="Yaw °", elem_id="yaw", buttons=[]),
        gr.Slider(-PITCH, PITCH, 0, step=1, label="Pitch °", elem_id="pitch", buttons=[]),
        gr.Slider(-ROLL, ROLL, 0, step=1, label="Roll °", elem_id="roll", buttons=[]),
    ]


def light_sliders() -> list[gr.Slider]:
    """Left-right, up-down, ambient, diffuse."""
    return [
        gr.Slider(-LIGHT, LIGHT, 0, step=1, label="From right °", elem_id="across", buttons=[]),
        gr.Slider(-LIGHT, LIGHT, 0, step=1, label="From above °", elem_id="above", buttons=[]),
        gr.Slider(0, 1, 0.5, step=0.01, label="Ambient", elem_id="ambient", buttons=[]),
        gr.Slider(0, 1, 0.5, step=0.01, label="Diffuse", elem_id="diffuse", buttons=[]),
    ]


def values(setting: Pose | Lamp) -> tuple[float, ...]:
    """What the sliders show, in their order."""
    return astuple(setting)


def _within(angle: float, end: int) -> int:
    """Whole degrees that a slider can show."""
    return max(-end, min(end, round(angle)))
