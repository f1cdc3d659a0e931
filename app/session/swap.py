"""Swapped faces as pictures: what the Swap tab and the API show of two prepared faces."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F

from app.session import session as state
from app.session.session import Session
from app.session.settings import DECODED, OWN_DETAIL, number
from core.errors import FaceNotFound, WeightsMissing
from core.export.session_file import SavedSession
from core.export.visualize import pixels
from core.model import code_ops
from core.model.diffusion import SEED, Diffusion
from core.rendering.compositor import TexturedFace, composite
from core.rendering.reenactment import carry
from core.rendering.texture_transfer import texture_from_model
from core.types import Codes, Factors

MOST = 1.5
"""Largest amount of an expression."""
LAST_SEED = 999
THEIRS, NONE = "The other's", "None (neutral)"
"""Whose expression the face gets."""
QUICK = 256
"""Pixels up to which half of the photo's detail is enough."""
DONOR = 4
"""The example that lends its expression until another is chosen."""
SAMPLES = 16
"""Identities over which the spread is taken."""
ALONE = "No face was found in this photo: choose one with a larger face, or mark it by hand as the photo of the page."


@dataclass(frozen=True)
class Amounts:
    """How much of which expression, and how it is shown."""

    depth: float = 1.0
    albedo: float = 1.0
    whose: str = THEIRS
    detail: str = OWN_DETAIL

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Amounts:
        """From a link or a session file, which anybody may have written: what is not sound is as by itself."""
        return cls(number(given.get("depth"), MOST, 1.0), number(given.get("albedo"), MOST, 1.0),
                   NONE if given.get("expression") == "none" else THEIRS,
                   DECODED if given.get("detail") == DECODED else OWN_DETAIL)

    def link(self) -> dict[str, float | str | None]:
        """What `read` reads, without the detail; None is as by itself."""
        return {"depth": None if self.depth == 1 else self.depth, "albedo": None if self.albedo == 1 else self.albedo,
                "expression": "none" if self.whose == NONE else None}


@dataclass(frozen=True)
class Swap:
    """What the Swap tab is set to."""

    amounts: Amounts = Amounts()
    seed: int = SEED
    donor: Session | None = None
    """Who lends the expression; None until the visitor chooses somebody."""

    @classmethod
    def of_controls(cls, donor: Session | None, seed: float, *amounts) -> Swap:
        """What the page's controls show, in the order of `amounts`."""
        return cls(Amounts(*amounts), int(seed), donor)

    def swapped(self, session: Session) -> Session:
        """A face with the expression that is lent to it. Raises WeightsMissing."""
        return Pair.of(session, self.donor, self.seed).session(self.amounts)

    def saved(self) -> tuple[dict, SavedSession | None]:
        """Plain values and the donor, for a session file."""
        values = {**self.amounts.link(), "detail": self.amounts.detail, "seed": self.seed}
        return values, self.donor and state.saved(self.donor, {})

    @classmethod
    def restored(cls, values, donor: SavedSession | None) -> Swap:
        """What `saved` gave, which anybody may have changed: what is not sound is as by itself."""
        given = values if isinstance(values, dict) else {}
        seed = int(number(given.get("seed"), LAST_SEED, SEED))
        return cls(Amounts.read(given), seed, donor and state.restored(donor))


@dataclass(frozen=True, eq=False)
class Pair:
    """Two faces: one gives identity, place, pose and light, the other its expression. Never changed in place."""

    own: Session
    other: Session
    seed: int = SEED

    @classmethod
    def of(cls, own: Session, donor: Session | None, seed: int) -> Pair:
        """A face and who lends it an expression; None is an example."""
        return cls(own, donor or state.open_example(DONOR if own.example != DONOR else 0), seed)

    @functools.cached_property
    def factors(self) -> tuple[Factors, Factors]:
        """Of both, their identities found from the seed. Raises WeightsMissing."""
        return identified(self.own, self.seed), identified(self.other, self.seed)

    @functools.cached_property
    def quick(self) -> tuple[TexturedFace, TexturedFace]:
        """Both with half the detail, to be drawn four times as fast."""
        return quick(self.own), quick(self.other)

    @torch.inference_mode()
    def swapped(self, amounts: Amounts) -> Factors:
        """The first face with the expression it is given."""
        return state.model().swap(self.factors[0], self._giver(amounts.whose), amounts.depth, amounts.albedo)

    @torch.inference_mode()
    def picture(self, amounts: Amounts, size: int) -> np.ndarray:
        """The swapped face in the first photo, (size, size, 3) uint8."""
        after = self.swapped(amounts)
        face = texture_from_model(after) if amounts.detail == DECODED else self._with_expression(after, amounts, size <= QUICK)
        return self._draw(face, size)

    @torch.inference_mode()
    def session(self, amounts: Amounts) -> Session:
        """The swapped face in the place of the first one, for files."""
        after = self.swapped(amounts)
        return replace(self.own, factors=after, changed=self._with_expression(after, amounts))

    @torch.inference_mode()
    def way(self, what: code_ops.What, detail: str, count: int, size: int) -> list[np.ndarray]:
        """`count` pictures from the first face to where `what` is the other's."""
        parts = [step / (count - 1) for step in range(count)]
        if what == "expression":
            return [self.picture(Amounts(part, part, detail=detail), size) for part in parts]
        (own, other), (face, _) = self.factors, self._faces(size <= QUICK)
        ways = [state.model().interpolate(own, other, part, what) for part in parts]
        return [self._draw(texture_from_model(after) if detail == DECODED else carry(face, own, after), size) for after in ways]

    def _giver(self, whose: str) -> Factors:
        """Who gives the expression: the other, or the first face itself without its own."""
        own, other = self.factors
        return other if whose == THEIRS else replace(own, codes=code_ops.neutral(own.codes))

    @functools.cached_property
    def _motions(self) -> dict[str, torch.Tensor | None]:
        """How either expression moves the first face, whatever its amount."""
        own, landmarks = self.factors[0], self.own.detailed.landmarks
        return {whose: state.model().motion(own, self._giver(whose), landmarks) for whose in (THEIRS, NONE)}

    def _draw(self, face: TexturedFace, size: int) -> np.ndarray:
        """A changed face in the first photo."""
        own = self.own.factors
        return pixels(composite(face, own.view, own.light, size)[0])

    def _faces(self, quick: bool) -> tuple[TexturedFace, TexturedFace]:
        return self.quick if quick else (self.own.detailed, self.other.detailed)

    def _with_expression(self, after: Factors, amounts: Amounts, quick: bool = False) -> TexturedFace:
        """The first face with the expression it is given and the photo's detail, or half of it."""
        (own, _), (face, donor) = self.factors, self._faces(quick)
        motion = self._motions[amounts.whose]
        return carry(face, own, after, motion, donor if amounts.whose == THEIRS else None, amounts.albedo)


def known(pair: Pair | None) -> Pair:
    """The pair, which is gone when a page was left open for long. Raises FaceNotFound then, or WeightsMissing."""
    if pair is None:
        _diffusion()  # without it there never was a pair
        raise FaceNotFound(state.EXPIRED)
    return pair


def open_face(path: str) -> Session:
    """The largest face of a photo. Raises FaceNotFound where there is none, and as core.faces.load_image.read_photo does."""
    session = state.open_photo(path)
    if not session.faces:
        raise FaceNotFound(ALONE)
    return session


def identified(session: Session, seed: int = SEED) -> Factors:
    """The factors of a face with the identity that one seed gives. Raises WeightsMissing."""
    codes = session.factors.codes
    if seed == SEED:
        _ = codes.identity  # looked for once, and kept
        return session.factors
    return replace(session.factors, codes=replace(codes, known_identity=_diffusion().identity(codes, seed)))


@torch.inference_mode()
def quick(session: Session) -> TexturedFace:
    """A face with half of its photo's detail."""
    face = session.detailed
    half = {name: F.interpolate(getattr(face, name), scale_factor=0.5, mode="area")
            for name in ("picture", "surroundings")}
    return replace(face, **half)


def grid(faces: list[Session], detail: str, size: int, seed: int = SEED) -> Iterator[list[np.ndarray]]:
    """Each face with the expressions of all: one row of pictures per face."""
    for own in faces:
        yield [Pair(own, other, seed).picture(Amounts(detail=detail), size) for other in faces]


@torch.inference_mode()
def denoising(session: Session, seed: int) -> list[np.ndarray]:
    """The identity after each step from noise, decoded, from the front: (H, W, 3) uint8 each."""
    reached = []
    _diffusion().identity(session.factors.codes, seed, lambda _, part: reached.append(part))
    return [pixels(_decoded(Codes.of(part, part - part), session).canon_image[0]) for part in reached]


@dataclass(frozen=True)
class Spread:
    """How far identities from different seeds lie apart, by place on the canonical face."""

    face: np.ndarray
    """(H, W, 3) uint8: the face of their mean."""
    albedo: torch.Tensor
    """(H, W) standard deviation of the colour, 1 from black to white."""
    depth: torch.Tensor
    """(H, W) standard deviation, camera distances."""


@torch.inference_mode()
def spread(session: Session, seed: int) -> Spread:
    """What the photo leaves open about the identity: the spread over `SAMPLES` seeds."""
    samples = _diffusion().sample(session.factors.codes, SAMPLES, seed).apply(lambda tensor: tensor[:, 0])
    found = _decoded(Codes.of(samples, samples - samples), session)
    return Spread(pixels(found.canon_image.mean(0)), found.canon_albedo.std(0).mean(0), found.canon_depth.std(0))


def _decoded(codes: Codes, session: Session) -> Factors:
    return state.model().decode(codes, session.factors)


def _diffusion() -> Diffusion:
    diffusion = state.model().diffusion
    if diffusion is None:
        raise WeightsMissing("There are no diffusion weights beside the autoencoder's, so that identity and expression "
                             "cannot be told apart: train them with `python -m training.train_diffusion`, or use the "
                             "bundled weights.")
    return diffusion
