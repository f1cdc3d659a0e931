"""What a visitor sets for the picture, in degrees, and its conversion to core's view and light."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from core.errors import ConfigError
from core.types import Factors, Light, View

YAW, PITCH, ROLL, LIGHT = 60, 30, 30, 75
"""Ends of the sliders, degrees to either side."""
ENDS = {"yaw": YAW, "pitch": PITCH, "roll": ROLL}
OWN_DETAIL, DECODED = "Photo", "Decoded"
BACKGROUNDS = {"Photo": "photo", "White": (1.0, 1.0, 1.0), "Black": (0.0, 0.0, 0.0), "Clear": None}
"""Names of the backgrounds and what core.rendering.compositor takes for them; None draws no background."""


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
POSES = {"Left": Pose(40, 0, 0), "Right": Pose(-40, 0, 0), "Up": Pose(0, -20, 0), "Down": Pose(0, 20, 0)}
LAMPS = {"Even": Lamp(0, 0, 0.85, 0.15), "Left": Lamp(-60, 10, 0.35, 0.75), "Right": Lamp(60, 10, 0.35, 0.75),
         "Above": Lamp(0, 55, 0.35, 0.75), "Below": Lamp(0, -55, 0.35, 0.75)}
"""Poses and lights to choose from, by the side of the picture."""


@dataclass(frozen=True)
class Settings:
    """Everything that is set for one picture."""

    pose: Pose
    lamp: Lamp
    detail: str = OWN_DETAIL
    background: str = "Photo"

    @classmethod
    def of(cls, factors: Factors) -> Settings:
        """The photo's own pose and light."""
        return cls(Pose.of(factors.view), Lamp.of(factors.light))

    @classmethod
    def of_controls(cls, *values) -> Settings:
        """What the page's controls show, in the order of `values`. Raises ConfigError where a number is none."""
        if not all(map(math.isfinite, values[:7])):
            raise ConfigError("Pose and light are numbers: reset the controls.")
        return cls(Pose(*values[:3]), Lamp(*values[3:7]), *values[7:])

    @classmethod
    def read(cls, given: Mapping, own: Settings) -> Settings:
        """From a link or a session file, which anybody may have written: what is not sound is as in `own`."""
        pose = {name: number(given.get(name), end, getattr(own.pose, name), -end) for name, end in ENDS.items()}
        lamp = {name: number(given.get(name), LIGHT, getattr(own.lamp, name), -LIGHT) for name in ("across", "above")}
        lamp |= {name: number(given.get(name), 1, getattr(own.lamp, name)) for name in ("ambient", "diffuse")}
        detail, background = given.get("detail"), given.get("background")
        return cls(Pose(**pose), Lamp(**lamp), detail if detail in (OWN_DETAIL, DECODED) else own.detail,
                   background if background in tuple(BACKGROUNDS) else own.background)

    def flat(self) -> dict[str, float | str]:
        """What `read` reads."""
        return {**asdict(self.pose), **asdict(self.lamp), "detail": self.detail, "background": self.background}

    @property
    def values(self) -> tuple:
        """What the page's controls show, in their order."""
        return tuple(self.flat().values())


def number(given, high: float, otherwise: float, low: float = 0) -> float:
    """What somebody gives as a number within the ends, or else the other."""
    try:
        found = float(given)
    except (TypeError, ValueError, OverflowError):
        return otherwise
    return found if low <= found <= high else otherwise


def _within(angle: float, end: int) -> int:
    """Whole degrees that a slider can show."""
    return max(-end, min(end, round(angle)))
