"""Two faces and their expressions: what the panes below the studio render."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.session.session import EXPIRED, Session, model, open_example, open_photo
from core import Codes
from core.edits import EditedFace, Edits
from core.errors import FaceNotFound
from core.export.visualize import to_uint8
from core.lazy import lazy_property
from core.model.code_ops import Kind
from core.model.diffusion import SEED
from core.types import CodePair

DEFAULT_EXPRESSION = 4
"""The example whose expression is used until another face is chosen."""
NO_FACE = "No face was found in this photo. Use another one, or open it as the page's photo and mark its face by hand."


@dataclass(frozen=True, eq=False)
class Pair:
    """Two faces: the subject gives identity, pose and light, the donor its expression. Never changed in place."""

    subject: Session
    donor: Session
    seed: int = SEED

    @classmethod
    def of(cls, subject: Session, donor: Session | None, seed: int) -> Pair:
        """The subject with a donor; None stands for an example."""
        return cls(subject, donor or default_donor(subject), seed)

    @lazy_property
    def edited(self) -> EditedFace:
        """The subject, and its expression that was rendered last."""
        return EditedFace(model(), self.subject.textured)

    def render(self, detail: str, size: int, strength: float = 1.0) -> np.ndarray:
        """The subject with the donor's expression, in its photo: (size, size, 3) uint8. Raises WeightsMissing."""
        edits = Edits(expression_from=self.donor, strength=strength, depth=strength, detail=detail, seed=self.seed)
        return to_uint8(self.edited.render(edits, size)[0])

    def interpolation(self, what: Kind, detail: str, count: int, size: int) -> list[np.ndarray]:
        """`count` renders from the subject to where `what` is the donor's; only expressions at full resolution."""
        parts = [step / (count - 1) for step in range(count)]
        if what == "expression":
            return [self.render(detail, size, part) for part in parts]
        ends = self.subject.factors, self.donor.factors
        steps = [model().interpolate(*ends, part, what, self.seed) for part in parts]
        return [to_uint8(model().render(step, size=size)[0]) for step in steps]


def default_donor(subject: Session) -> Session:
    """The example whose expression a face takes until another one is chosen."""
    return open_example(DEFAULT_EXPRESSION if subject.example != DEFAULT_EXPRESSION else 0)


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
        yield [Pair(subject, donor, seed).render(detail, size) for donor in faces]


def denoising(session: Session, seed: int) -> list[np.ndarray]:
    """The identity after each denoising step, decoded: canonical images (H, W, 3) uint8. Raises WeightsMissing."""
    steps: list[CodePair] = []
    model().split(session.factors.codes, seed, lambda _, identity: steps.append(identity))
    decoded = model().decode(Codes.of(CodePair.cat(steps)), session.factors)
    return [to_uint8(image) for image in decoded.canon_image]
