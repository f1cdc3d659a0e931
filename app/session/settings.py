"""The edits of a face as the page's controls show them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from core.edits import Edits, LightSettings, Pose
from core.errors import ConfigError

if TYPE_CHECKING:
    from app.session.session import Session
    from core import Factors

FRONT = Pose(0, 0, 0)
POSE_PRESETS = {"Left": Pose(40, 0, 0), "Right": Pose(-40, 0, 0), "Up": Pose(0, -20, 0), "Down": Pose(0, 20, 0)}
LIGHT_PRESETS = {"Even": LightSettings(0, 0, 0.85, 0.15), "Left": LightSettings(-60, 10, 0.35, 0.75),
                 "Right": LightSettings(60, 10, 0.35, 0.75), "Above": LightSettings(0, 55, 0.35, 0.75),
                 "Below": LightSettings(0, -55, 0.35, 0.75)}
"""Presets by the side of the image."""
OWN, OTHER, NEUTRAL = "Own", "From another face", "Neutral"
"""Where the expression comes from."""


@dataclass(frozen=True)
class Controls:
    """Values of the page's controls, in their order."""

    yaw: float
    pitch: float
    roll: float
    across: float
    above: float
    ambient: float
    diffuse: float
    detail: str
    background: str
    expressions: Mapping[str, float]
    """Named amounts of the expression."""
    semantics: Mapping[str, float]
    """Named amounts of the identity."""
    locked: bool
    resemblance: float
    source: str
    strength: float
    depth: float
    seed: float

    @classmethod
    def of(cls, edits: Edits, factors: Factors, identity_names: set[str]) -> Controls:
        """What the controls show for edits of a face."""
        pose, light = edits.pose or Pose.of(factors.view), edits.light or LightSettings.of(factors.light)
        source = NEUTRAL if edits.expression_from == "neutral" else OTHER if edits.expression_from else OWN
        identity = {name: amount for name, amount in edits.amounts.items() if name in identity_names}
        expression = {name: amount for name, amount in edits.amounts.items() if name not in identity_names}
        return cls(**asdict(pose), **asdict(light), detail=edits.detail, background=edits.background,
                   expressions=expression, semantics=identity, locked=edits.identity_locked,
                   resemblance=edits.resemblance, source=source, strength=edits.strength, depth=edits.depth,
                   seed=edits.seed)

    def edits(self, factors: Factors, donor: Session | None, identity_donor: Session | None) -> Edits:
        """The edits that the controls ask for.

        Args:
            factors: of the face.
            donor: the face whose expression is taken, if the source says so.
            identity_donor: the face whose identity is blended in.

        Raises:
            ConfigError: a number or a set of named amounts is missing.
        """
        numbers = (self.yaw, self.pitch, self.roll, self.across, self.above, self.ambient, self.diffuse,
                   self.resemblance, self.strength, self.depth, self.seed)
        if not (all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
                and isinstance(self.expressions, Mapping) and isinstance(self.semantics, Mapping)):
            raise ConfigError("Pose, light, strengths and amounts must be numbers. Reset the controls.")
        expression = {OTHER: donor, NEUTRAL: "neutral"}.get(self.source)
        amounts = {name: amount for name, amount in {**self.semantics, **self.expressions}.items() if amount}
        return Edits(amounts, self.locked, identity_donor, self.resemblance, expression, self.strength, self.depth,
                     detail=self.detail, background=self.background, seed=int(self.seed)).posed(
            factors, Pose(self.yaw, self.pitch, self.roll),
            LightSettings(self.across, self.above, self.ambient, self.diffuse))

    @property
    def values(self) -> tuple[Any, ...]:
        """The values, in the order of the fields."""
        return tuple(self.__dict__.values())
