"""A stack of edits of one face: plain values, applied in one order, each stage computed once.

    from core import LatentFace
    from core.edits import EditedFace, Edits, Pose

    model = LatentFace.from_pretrained()
    faces = model.find_faces("photo.jpg")[:1]
    face = EditedFace(model, model.texture(model.analyze(faces), faces))
    image = face.render(Edits({"smile": 1.0}, pose=Pose(30, 0, 0)), 512)

The order: identity (another face's, then found directions), expression (a donor's or none, then named amounts), pose,
light, background. What did not change is not computed again: another pose only draws the face anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

from torch import Tensor

from core.arguments import BACKGROUNDS, MAX_ANGLES, MAX_LIGHT_ANGLE, MAX_STRENGTH
from core.config import PREVIEW_SIZE
from core.lazy import lazy_property
from core.model.diffusion import SEED
from core.types import Factors, Light, TexturedFace, View

if TYPE_CHECKING:
    from core.model.semantics import Semantic
    from core.pipeline import LatentFace

PHOTO_DETAIL, DECODED = "Photo", "Decoded"
"""Details: the photo's own, or the model's decoded maps alone."""
MAX_SEED = 999
Face = TypeVar("Face", Factors, TexturedFace)


class Donor(Protocol):
    """A face that lends its identity or its expression."""

    @property
    def textured(self) -> TexturedFace:
        """One face with its photo's detail."""
        ...


@dataclass(frozen=True)
class Pose:
    """A pose in whole degrees, within `MAX_ANGLES`."""

    yaw: float
    """Positive turns the nose to the image's left."""
    pitch: float
    """Positive is down."""
    roll: float
    """Positive tilts the head to the image's right."""

    @classmethod
    def of(cls, view: View) -> Pose:
        """The first of the views, rounded and clamped."""
        pitch, yaw, roll = (math.degrees(angle) for angle in view.rotation[0].tolist())
        return cls(*(_whole_degrees(angle, end)
                     for angle, end in zip((yaw, pitch, roll), MAX_ANGLES.values(), strict=True)))

    def to_view(self, estimated: View) -> View:
        """The view, with the photo's translation; exactly the estimated view where it rounds to this pose."""
        if self == Pose.of(estimated):
            return estimated
        pitch, yaw, roll = (math.radians(angle) for angle in (self.pitch, self.yaw, self.roll))
        return View.of(pitch, yaw, roll, *estimated.translation[0].tolist())


@dataclass(frozen=True)
class LightSettings:
    """A light: direction in whole degrees, strengths in [0, 1]."""

    across: float
    """Positive is from the image's right."""
    above: float
    ambient: float
    diffuse: float

    @classmethod
    def of(cls, light: Light) -> LightSettings:
        """The first of the lights, rounded and clamped."""
        dx, dy, dz = light.direction[0].tolist()
        across, above = math.degrees(math.atan2(-dx, dz)), math.degrees(math.atan2(dy, dz))
        return cls(_whole_degrees(across, MAX_LIGHT_ANGLE), _whole_degrees(above, MAX_LIGHT_ANGLE),
                   round(light.ambient[0].item(), 2), round(light.diffuse[0].item(), 2))

    def to_light(self, estimated: Light) -> Light:
        """The light, in core's frame, whose x runs the other way; exactly the estimated one where it rounds to this."""
        if self == LightSettings.of(estimated):
            return estimated
        dx, dy = -math.tan(math.radians(self.across)), math.tan(math.radians(self.above))
        return Light.of(self.ambient, self.diffuse, dx, dy)


@dataclass(frozen=True)
class Edits:
    """Everything that is done to a face. `Edits()` leaves it as it is in the photo."""

    amounts: Mapping[str, float] = field(default_factory=dict)
    """Named amounts of identity and expression, see `LatentFace.edit`."""
    identity_locked: bool = True
    """Whether named expressions leave the identity coordinates of the codes as they are."""
    identity_from: Donor | None = None
    """The face whose identity is blended in."""
    resemblance: float = 0.5
    """How much of that identity, 0 to 1."""
    expression_from: Donor | Literal["neutral"] | None = None
    """The face whose expression is taken, "neutral" for no expression, None for the face's own."""
    strength: float = 1.0
    """Of that expression, 0 to 1.5; with decoded detail of its albedo."""
    depth: float = 1.0
    """Strength of its shape, 0 to 1.5, with decoded detail only."""
    pose: Pose | None = None
    """None: the photo's."""
    light: LightSettings | None = None
    """None: the photo's."""
    detail: str = PHOTO_DETAIL
    """`PHOTO_DETAIL` or `DECODED`."""
    background: str = "Photo"
    """A name of core.arguments.BACKGROUNDS."""
    seed: int = SEED
    """Of the noise from which identities are sampled."""

    @classmethod
    def parse(cls, given: Mapping[str, Any], factors: Factors, semantics: Iterable[Semantic]) -> Edits:
        """Read values of a link or a session file, which anybody may have written; donors are not among them.

        Invalid values fall back to defaults.

        Args:
            given: as `values` gives them; all may be missing.
            factors: of the face, whose estimated pose and light are the defaults.
            semantics: of the model.
        """
        pose, light = Pose.of(factors.view), LightSettings.of(factors.light)
        pose = Pose(**{name: _number(given.get(name), end, getattr(pose, name), -end)
                       for name, end in MAX_ANGLES.items()})
        angles = {name: _number(given.get(name), MAX_LIGHT_ANGLE, getattr(light, name), -MAX_LIGHT_ANGLE)
                  for name in ("across", "above")}
        light = LightSettings(**angles, **{name: _number(given.get(name), 1, getattr(light, name))
                                           for name in ("ambient", "diffuse")})
        detail, background = given.get("detail"), given.get("background")
        return cls(_parse_amounts(given.get("edits"), semantics), str(given.get("unlocked")) != "1",
                   resemblance=_number(given.get("resemblance"), 1, cls.resemblance),
                   expression_from="neutral" if given.get("expression") == "none" else None,
                   strength=_number(given.get("albedo"), MAX_STRENGTH, cls.strength),
                   depth=_number(given.get("depth"), MAX_STRENGTH, cls.depth),
                   detail=detail if detail in (PHOTO_DETAIL, DECODED) else cls.detail,
                   background=background if background in tuple(BACKGROUNDS) else cls.background,
                   seed=int(_number(given.get("seed"), MAX_SEED, cls.seed))).posed(factors, pose, light)

    def values(self, factors: Factors) -> dict[str, float | str | None]:
        """Plain values by name, as `parse` reads them; pose and light of the photo in numbers. Donors are left out."""
        amounts = ",".join(f"{name}:{amount:g}" for name, amount in self.amounts.items() if amount)
        return {**asdict(self.pose or Pose.of(factors.view)), **asdict(self.light or LightSettings.of(factors.light)),
                "detail": self.detail, "background": self.background, "edits": amounts or None,
                "unlocked": None if self.identity_locked else 1, "resemblance": self.resemblance,
                "expression": "none" if self.expression_from == "neutral" else None, "albedo": self.strength,
                "depth": self.depth, "seed": self.seed}

    def changed_values(self, factors: Factors) -> dict[str, float | str | None]:
        """`values` where they are not those of `Edits()`, else None."""
        usual = Edits().values(factors)
        return {name: None if value == usual[name] else value for name, value in self.values(factors).items()}

    def posed(self, factors: Factors, pose: Pose, light: LightSettings) -> Edits:
        """The same edits with pose and light; those that are the photo's become None."""
        return replace(self, pose=None if pose == Pose.of(factors.view) else pose,
                       light=None if light == LightSettings.of(factors.light) else light)

    @property
    def changes_face(self) -> bool:
        """Whether identity or expression differs from the photo's."""
        lent = self.identity_from is not None and self.resemblance or self.expression_from is not None
        return bool(lent or any(self.amounts.values()))


class EditedFace:
    """One face under changing edits, and the stages that were computed last.

    Photos' detail is edited at half resolution for renders up to 256 pixels, so that controls can be moved live.
    """

    def __init__(self, model: LatentFace, face: TexturedFace):
        """Args: the model, and one face of `LatentFace.texture`."""
        self.model = model
        self.textured = face
        self._own = replace(face)  # the model caches the latest change of expression with a face, which may be shared
        self._stages: dict[tuple[str, int], tuple[tuple, Any]] = {}

    def render(self, edits: Edits, size: int = 256) -> Tensor:
        """The edited face, (1, 3, size, size) in [0, 1]; (1, 4, size, size) with alpha where there is no background.

        Raises:
            ArgumentInvalid: an amount has an unknown name or is beyond its limit.
            WeightsMissing: the model has no diffusion weights, and identity or expression come from elsewhere.
        """
        face = self.face(edits, size)
        return self.model.render(face, self.view(edits), self.light(edits), size, BACKGROUNDS[edits.background])

    def view(self, edits: Edits) -> View:
        """The view of a render."""
        return edits.pose.to_view(self.textured.view) if edits.pose else self.textured.view

    def light(self, edits: Edits) -> Light:
        """The light of a render."""
        return edits.light.to_light(self.textured.light) if edits.light else self.textured.light

    def face(self, edits: Edits, size: int = 512) -> TexturedFace:
        """The face with identity and expression edited, in the photo's pose and light; errors as of `render`.

        Args:
            edits: whose pose, light and background are left out.
            size: of the renders for which it is made, pixels.
        """
        if edits.detail == DECODED:
            return self._once(DECODED, len(STAGES), tuple(self._keys(edits)),
                              lambda: self.model.texture(self._edited(DECODED, self.textured.factors, edits)))
        if not any(self._keys(edits)):
            return self.textured
        if size <= PREVIEW_SIZE:
            return self._edited("preview", self.model.preview(self._own), edits)
        return self._edited("full", self._own, edits)

    def influence(self, name: str, edits: Edits, size: int = 256) -> Tensor:
        """Where a named edit changes the face, as `render` shows it: (1, 1, size, size) in [0, 1].

        Raises:
            ArgumentInvalid: there is no such name.
        """
        from core.model.semantics import check_amounts
        from core.rendering.texture_transfer import photo_tangent, to_crop

        check_amounts({name: 0.0}, self.model.semantics)
        face = self.face(edits, size)
        influence = next(one.influence for one in self.model.semantics if one.name == name)
        maps = to_crop(influence[None, None], photo_tangent(face.factors)).clamp(0, 1)
        shown = replace(face, texture=maps.expand(1, 3, -1, -1))
        layer = self.model.render(shown, self.view(edits), face.light, size, None)
        return layer[:, :1] * layer[:, 3:]

    @lazy_property
    def _identity_names(self) -> set[str]:
        return {one.name for one in self.model.semantics if one.part == "identity"}

    def _keys(self, edits: Edits) -> list[tuple | None]:
        """What each stage depends on; None where it changes nothing."""
        amounts = {name: amount for name, amount in edits.amounts.items() if amount}
        identity = {name: amounts.pop(name) for name in list(amounts) if name in self._identity_names}
        return [
            (edits.identity_from, edits.resemblance, edits.seed) if edits.identity_from and edits.resemblance else None,
            (identity,) if identity else None,
            (edits.expression_from, edits.strength, edits.depth, edits.seed) if edits.expression_from else None,
            (amounts, edits.identity_locked) if amounts else None]

    def _edited(self, quality: str, face: Face, edits: Edits) -> Face:
        """Apply the stages in order, each only where it or an earlier one has changed."""
        done: tuple = ()
        for number, (key, stage) in enumerate(zip(self._keys(edits), STAGES, strict=True)):
            done += (key,)
            if key is not None:
                face = self._once(quality, number, done, lambda face=face, key=key, stage=stage:
                                  stage(self.model, face, *key))
        return face

    def _once(self, quality: str, number: int, key: tuple, compute: Callable[[], Face]) -> Face:
        known = self._stages.get((quality, number))
        if known is None or known[0] != key:
            known = self._stages[quality, number] = key, compute()
        return known[1]


def _blend_identity(model: LatentFace, face: Factors | TexturedFace, donor: Donor, part: float,
                    seed: int) -> Factors | TexturedFace:
    from core.rendering.reenactment import reenact

    own = face if isinstance(face, Factors) else face.factors
    after = model.interpolate(own, donor.textured.factors, part, "identity", seed)
    return after if isinstance(face, Factors) else reenact(face, after, None)


def _take_expression(model: LatentFace, face: Factors | TexturedFace, donor: Donor | Literal["neutral"],
                     strength: float, depth: float, seed: int) -> Factors | TexturedFace:
    lent = None if isinstance(donor, str) else donor.textured
    if isinstance(face, Factors):
        return model.swap(face, lent.factors if lent else model.neutral(face, seed), depth, strength)
    if lent and lent.texture.shape[-1] > face.texture.shape[-1]:
        lent = model.preview(lent)
    return model.reenact(face, lent or {}, strength)


def _change_by_name(model: LatentFace, face: Face, amounts: dict[str, float], identity_locked: bool = True) -> Face:
    return model.edit(face, amounts, identity_locked)


STAGES: tuple[Callable[..., Any], ...] = (_blend_identity, _change_by_name, _take_expression, _change_by_name)
"""What changes a face, in the order of `EditedFace._keys`."""


def _parse_amounts(given: Any, semantics: Iterable[Semantic]) -> dict[str, float]:
    """Amounts of a text "name:amount,…" by name; unknown names and amounts beyond the limits are left out."""
    limits, found = {one.name: one.limit for one in semantics}, {}
    for entry in given.split(",") if isinstance(given, str) else ():
        name, _, amount = entry.partition(":")
        if name in limits and (number := _number(amount, limits[name], 0.0, -limits[name])):
            found[name] = number
    return found


def _number(given: Any, high: float, default: float, low: float = 0) -> float:
    """The given value as a number in [low, high]; the default where it is not one."""
    try:
        number = float(given)
    except (TypeError, ValueError, OverflowError):
        return default
    return number if low <= number <= high else default


def _whole_degrees(angle: float, end: int) -> int:
    """Whole degrees in [−end, end]."""
    return max(-end, min(end, round(angle)))
