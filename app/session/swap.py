"""Expression swaps: what the Swap tab and the API render from two analyzed faces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.session.session import (
    EXPIRED,
    Session,
    from_saved_session,
    model,
    open_example,
    open_photo,
    to_saved_session,
)
from app.session.settings import DECODED, PHOTO_DETAIL, parse_number
from core import Codes, Factors, TexturedFace
from core.arguments import MAX_STRENGTH
from core.errors import FaceNotFound
from core.export.session_file import SavedSession
from core.export.visualize import to_uint8
from core.lazy import lazy_property
from core.model.code_ops import Kind
from core.model.diffusion import SEED
from core.types import CodePair

MAX_SEED = 999
OTHER, NEUTRAL = "From the other face", "Neutral"
"""Where the expression comes from."""
PREVIEW_SIZE = 256
"""Renders up to this size use half of the photo's detail."""
EXPORT_SIZE = 512
"""Exported faces are prepared for renders of this size, pixels."""
DEFAULT_EXPRESSION = 4
"""The example whose expression is used until another face is chosen."""
NO_FACE = "No face was found in this photo. Use another one, or open it as the page's photo and mark its face by hand."


@dataclass(frozen=True)
class SwapStrength:
    """How much of which expression goes over, and which texture is rendered."""

    depth: float = 1.0
    """Of the shape, for decoded maps only."""
    albedo: float = 1.0
    """Of the albedo for decoded maps; of the whole expression at full resolution."""
    source: str = OTHER
    detail: str = PHOTO_DETAIL

    @classmethod
    def parse(cls, given: Mapping[str, Any]) -> SwapStrength:
        """Read a link's or a session file's values, which anybody may have written.

        Invalid values fall back to defaults.
        """
        return cls(parse_number(given.get("depth"), MAX_STRENGTH, 1.0),
                   parse_number(given.get("albedo"), MAX_STRENGTH, 1.0),
                   NEUTRAL if given.get("expression") == "none" else OTHER,
                   DECODED if given.get("detail") == DECODED else PHOTO_DETAIL)

    def link_parameters(self) -> dict[str, float | str | None]:
        """URL parameters that `parse` reads, without the detail; None stands for the default."""
        return {"depth": None if self.depth == 1 else self.depth, "albedo": None if self.albedo == 1 else self.albedo,
                "expression": "none" if self.source == NEUTRAL else None}


@dataclass(frozen=True)
class Swap:
    """Settings of the Swap tab."""

    strength: SwapStrength = SwapStrength()
    seed: int = SEED
    donor: Session | None = None
    """The face whose expression is used; None until the visitor chooses one."""

    @classmethod
    def of_controls(cls, donor: Session | None, seed: float, *strength: Any) -> Swap:
        """Values of the page's controls; `strength` in the order of `SwapStrength`."""
        return cls(SwapStrength(*strength), int(seed), donor)

    def apply(self, session: Session) -> Session:
        """The session's face with the donor's expression. Raises WeightsMissing."""
        return Pair.of(session, self.donor, self.seed).to_session(self.strength)

    def to_saved(self) -> tuple[dict[str, Any], SavedSession | None]:
        """Plain values and the donor, for a session file."""
        values = {**self.strength.link_parameters(), "detail": self.strength.detail, "seed": self.seed}
        return values, self.donor and to_saved_session(self.donor, {})

    @classmethod
    def from_saved(cls, values: Any, donor: SavedSession | None) -> Swap:
        """The inverse of `to_saved`. Anybody may have written the values; invalid ones fall back to defaults."""
        given = values if isinstance(values, dict) else {}
        seed = int(parse_number(given.get("seed"), MAX_SEED, SEED))
        return cls(SwapStrength.parse(given), seed, donor and from_saved_session(donor))


@dataclass(frozen=True, eq=False)
class Pair:
    """Two faces: the subject gives identity, pose and light, the donor its expression. Never changed in place."""

    subject: Session
    donor: Session
    seed: int = SEED

    @classmethod
    def of(cls, subject: Session, donor: Session | None, seed: int) -> Pair:
        """The subject with a donor; None stands for an example."""
        default = DEFAULT_EXPRESSION if subject.example != DEFAULT_EXPRESSION else 0
        return cls(subject, donor or open_example(default), seed)

    @lazy_property
    def textured(self) -> tuple[TexturedFace, TexturedFace]:
        """Subject and donor with their photos' detail.

        The subject is a copy: the model caches the latest change of expression with it, and sessions of examples are
        shared between visitors.
        """
        return replace(self.subject.textured), self.donor.textured

    @lazy_property
    def preview(self) -> tuple[TexturedFace, TexturedFace]:
        """Both with half the resolution, for live controls."""
        return model().preview(self.subject.textured), model().preview(self.donor.textured)

    @lazy_property
    def neutral(self) -> Factors:
        """The subject without its expression, decoded. Raises WeightsMissing."""
        return model().neutral(self.subject.factors, self.seed)

    def decoded(self, strength: SwapStrength) -> Factors:
        """The decoded swap. Raises WeightsMissing."""
        source = self.donor.factors if strength.source == OTHER else self.neutral
        return model().swap(self.subject.factors, source, strength.depth, strength.albedo)

    def face(self, strength: SwapStrength, size: int) -> TexturedFace:
        """The swapped face, to be rendered at a size in pixels. Raises WeightsMissing."""
        if strength.detail == DECODED:
            return model().texture(self.decoded(strength))
        subject, donor = self.preview if size <= PREVIEW_SIZE else self.textured
        return model().reenact(subject, donor if strength.source == OTHER else {}, strength.albedo)

    def render(self, strength: SwapStrength, size: int) -> np.ndarray:
        """The swapped face in the subject's photo, (size, size, 3) uint8."""
        return to_uint8(model().render(self.face(strength, size), size=size)[0])

    def to_session(self, strength: SwapStrength) -> Session:
        """The swapped face in place of the subject, for exports."""
        face = self.face(strength, EXPORT_SIZE)
        return replace(self.subject, analyzed=face.factors, reenacted=face)

    def interpolation(self, what: Kind, detail: str, count: int, size: int) -> list[np.ndarray]:
        """`count` renders from the subject to where `what` is the donor's; only expressions at full resolution."""
        parts = [step / (count - 1) for step in range(count)]
        if what == "expression":
            return [self.render(SwapStrength(part, part, detail=detail), size) for part in parts]
        ends = self.subject.factors, self.donor.factors
        steps = [model().interpolate(*ends, part, what, self.seed) for part in parts]
        return [to_uint8(model().render(step, size=size)[0]) for step in steps]


def require_pair(pair: Pair | None) -> Pair:
    """The pair, if it is still there. Raises FaceNotFound where it was deleted because the page was idle."""
    if pair is None:
        raise FaceNotFound(EXPIRED)
    return pair


def open_face(path: str) -> Session:
    """The largest face of a photo.

    Raises:
        FaceNotFound: no face was found.
        ImageTooSmall, ImageTooLarge, ImageUnreadable: as core.faces.load_image.read_photo.
    """
    session = open_photo(path)
    if not session.faces:
        raise FaceNotFound(NO_FACE)
    return session


def render_grid(faces: list[Session], detail: str, size: int, seed: int = SEED) -> Iterator[list[np.ndarray]]:
    """Each face with the expressions of all: one row of renders per face."""
    for subject in faces:
        yield [Pair(subject, donor, seed).render(SwapStrength(detail=detail), size) for donor in faces]


def denoising(session: Session, seed: int) -> list[np.ndarray]:
    """The identity after each denoising step, decoded: canonical images (H, W, 3) uint8. Raises WeightsMissing."""
    steps: list[CodePair] = []
    model().split(session.factors.codes, seed, lambda _, identity: steps.append(identity))
    decoded = model().decode(Codes.of(CodePair.cat(steps)), session.factors)
    return [to_uint8(image) for image in decoded.canon_image]
