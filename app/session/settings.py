"""Pose, light and look of a render, as the page's controls show them (degrees), and as core takes them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from core import Factors, Light, View
from core.arguments import BACKGROUNDS, MAX_ANGLES, MAX_LIGHT_ANGLE
from core.errors import ConfigError

PHOTO_DETAIL, DECODED = "Photo", "Decoded"


@dataclass(frozen=True)
class Pose:
    """Values of the pose sliders, degrees."""

    yaw: float
    pitch: float
    roll: float

    @classmethod
    def of(cls, view: View) -> Pose:
        """The first of the views, rounded and clamped to the sliders."""
        pitch, yaw, roll = (math.degrees(angle) for angle in view.rotation[0].tolist())
        return cls(*(_slider_value(angle, end)
                     for angle, end in zip((yaw, pitch, roll), MAX_ANGLES.values(), strict=True)))

    def to_view(self, estimated: View) -> View:
        """The view, with the photo's translation; exactly the estimated view where no slider was moved."""
        if self == Pose.of(estimated):
            return estimated
        pitch, yaw, roll = (math.radians(angle) for angle in (self.pitch, self.yaw, self.roll))
        return View.of(pitch, yaw, roll, *estimated.translation[0].tolist())


@dataclass(frozen=True)
class LightSettings:
    """Values of the light sliders: direction in degrees, strengths in [0, 1]."""

    across: float
    """Positive is from the image's right."""
    above: float
    ambient: float
    diffuse: float

    @classmethod
    def of(cls, light: Light) -> LightSettings:
        """The first of the lights, rounded and clamped to the sliders."""
        dx, dy, dz = light.direction[0].tolist()
        across, above = math.degrees(math.atan2(-dx, dz)), math.degrees(math.atan2(dy, dz))
        return cls(_slider_value(across, MAX_LIGHT_ANGLE), _slider_value(above, MAX_LIGHT_ANGLE),
                   round(light.ambient[0].item(), 2), round(light.diffuse[0].item(), 2))

    def to_light(self, estimated: Light) -> Light:
        """The light, in core's frame, whose x runs the other way; exactly the estimated one if no slider was moved."""
        if self == LightSettings.of(estimated):
            return estimated
        dx, dy = -math.tan(math.radians(self.across)), math.tan(math.radians(self.above))
        return Light.of(self.ambient, self.diffuse, dx, dy)


FRONT = Pose(0, 0, 0)
POSE_PRESETS = {"Left": Pose(40, 0, 0), "Right": Pose(-40, 0, 0), "Up": Pose(0, -20, 0), "Down": Pose(0, 20, 0)}
LIGHT_PRESETS = {"Even": LightSettings(0, 0, 0.85, 0.15), "Left": LightSettings(-60, 10, 0.35, 0.75),
                 "Right": LightSettings(60, 10, 0.35, 0.75), "Above": LightSettings(0, 55, 0.35, 0.75),
                 "Below": LightSettings(0, -55, 0.35, 0.75)}
"""Presets by the side of the image."""


@dataclass(frozen=True)
class Settings:
    """Everything that is set for one render."""

    pose: Pose
    light: LightSettings
    detail: str = PHOTO_DETAIL
    background: str = "Photo"

    @classmethod
    def of(cls, factors: Factors) -> Settings:
        """The estimated pose and light of a photo."""
        return cls(Pose.of(factors.view), LightSettings.of(factors.light))

    @classmethod
    def of_controls(cls, *values: Any) -> Settings:
        """Values of the page's controls, in the order of `values`. Raises ConfigError where a number is missing."""
        if not all(map(math.isfinite, values[:7])):
            raise ConfigError("Pose and light must be numbers. Reset the controls.")
        return cls(Pose(*values[:3]), LightSettings(*values[3:7]), *values[7:])

    @classmethod
    def parse(cls, given: Mapping[str, Any], defaults: Settings) -> Settings:
        """Read a link's or a session file's values, which anybody may have written.

        Invalid values fall back to defaults.
        """
        pose = {name: parse_number(given.get(name), end, getattr(defaults.pose, name), -end)
                for name, end in MAX_ANGLES.items()}
        light = {name: parse_number(given.get(name), MAX_LIGHT_ANGLE, getattr(defaults.light, name), -MAX_LIGHT_ANGLE)
                 for name in ("across", "above")}
        light |= {name: parse_number(given.get(name), 1, getattr(defaults.light, name))
                  for name in ("ambient", "diffuse")}
        detail, background = given.get("detail"), given.get("background")
        return cls(Pose(**pose), LightSettings(**light),
                   detail if detail in (PHOTO_DETAIL, DECODED) else defaults.detail,
                   background if background in tuple(BACKGROUNDS) else defaults.background)

    def moved(self, estimated: Settings, other: Settings) -> Settings:
        """Settings for a face that is estimated anew: `other` pose and light where these are as `estimated`."""
        return replace(self, pose=other.pose if self.pose == estimated.pose else self.pose,
                       light=other.light if self.light == estimated.light else self.light)

    def to_dict(self) -> dict[str, float | str]:
        """The values by name, as `parse` reads them."""
        return {**asdict(self.pose), **asdict(self.light), "detail": self.detail, "background": self.background}

    @property
    def values(self) -> tuple:
        """Values for the page's controls, in their order."""
        return tuple(self.to_dict().values())


def parse_number(given: Any, high: float, default: float, low: float = 0) -> float:
    """The given value as a number in [low, high]; the default where it is not one."""
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        return default
    return number if low <= number <= high else default


def _slider_value(angle: float, end: int) -> int:
    """Whole degrees within a slider's range."""
    return max(-end, min(end, round(angle)))
