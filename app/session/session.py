"""The state of the app: one model for the process, and the photo that each visitor has opened."""

from __future__ import annotations

import contextlib
import csv
import functools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch.nn.functional as F

from core import Codes, Factors, LatentFace, SplitCodes, TexturedFace
from core.config import ASSETS
from core.edits import EditedFace, Edits
from core.errors import FaceNotFound, WeightsMissing
from core.export.session_file import SavedSession
from core.export.visualize import to_uint8
from core.faces import Crop, Face
from core.faces.load_image import read_photo
from core.lazy import lazy_property
from core.model.diffusion import SEED
from core.model.weights import weights_path

EXPIRED = "This photo was deleted because the page was idle for a long time. Choose it again."
NOT_ANALYZED = "No face was found in this photo. Mark one by hand, or choose a photo with a larger face."
FRAME_SIZE = 256
"""Side of the aligned face of a camera frame, pixels."""
EXAMPLES = ASSETS / "examples"


@dataclass(frozen=True, eq=False)
class Session:
    """One visitor's photo and its analysis. Never changed in place: visitors share the examples' sessions."""

    photo: np.ndarray
    """(H, W, 3) uint8."""
    faces: list[Face]
    """Empty where no face was found and none was marked by hand."""
    index: int = 0
    """The face that is shown."""
    analyzed: Factors | None = None
    """Factors of that face; None without a face."""
    initial: Edits = Edits()
    """Edits to start with."""
    example: int | None = None
    """Number of the example, if it is one."""
    refined: bool = False
    """Whether the factors were refined, see core.model.refine."""
    reenacted: TexturedFace | None = None
    """The textured face, where it was edited and the factors no longer describe the photo."""
    _splits: dict[int, SplitCodes] = field(default_factory=dict, init=False, repr=False)

    @property
    def factors(self) -> Factors:
        """Factors of the face that is shown. Raises FaceNotFound where there is none."""
        if self.analyzed is None:
            raise FaceNotFound(NOT_ANALYZED)
        return self.analyzed

    def split(self, seed: int = SEED) -> SplitCodes:
        """Identity and expression, computed once per seed. Raises WeightsMissing where there is no diffusion model."""
        if seed not in self._splits:
            self._splits[seed] = model().split(self.factors.codes, seed)
        return self._splits[seed]

    @property
    def codes(self) -> Codes | SplitCodes:
        """Codes of the face, split unless the model has no diffusion weights."""
        return self.split() if model().diffusion else self.factors.codes

    @property
    def textured(self) -> TexturedFace:
        """The face with the photo's detail, prepared once."""
        return self._textured

    @lazy_property
    def _textured(self) -> TexturedFace:
        return self.reenacted or model().texture(self.factors, [self.face])

    @property
    def face(self) -> Face:
        """The face that is shown."""
        return self.faces[self.index]


@dataclass(frozen=True)
class Example:
    """A bundled photo and its credit."""

    path: Path
    title: str
    credit: str


_weights: Path | None = None
_lock = threading.RLock()
"""Held while the model or an example is prepared, so that all visitors share one."""


def choose_weights(path: Path | None) -> None:
    """Use these weights, or the bundled ones for None. Raises WeightsMissing where there is no such file."""
    global _weights
    _weights = weights_path(path)
    _load_model.cache_clear()


def model() -> LatentFace:
    """The model of this process, loaded at the first call."""
    with _lock:
        return _load_model()


@functools.cache
def _load_model() -> LatentFace:
    return LatentFace.from_pretrained(_weights)


def open_photo(photo: str | Path | bytes | np.ndarray) -> Session:
    """Read a photo, find its faces, and analyze the largest one.

    Where no face is found, the session has no faces; the visitor may then mark one, see `crop_by_hand`.

    Raises:
        ImageTooSmall, ImageTooLarge, ImageUnreadable: as core.faces.load_image.read_photo.
    """
    array = read_photo(photo)
    try:
        faces = model().find_faces(array)
    except FaceNotFound:
        return Session(array, [])
    return choose_face(Session(array, faces), 0)


def analyze_frame(frame: bytes) -> Session:
    """Analyze one camera frame with the fast detector.

    Raises:
        FaceNotFound: no face is in view.
        ImageTooSmall, ImageTooLarge, ImageUnreadable: as core.faces.load_image.read_photo.
    """
    array = read_photo(frame)
    faces = model().find_faces(array, FRAME_SIZE, quick=True)
    return Session(array, faces, 0, model().analyze(faces[:1]))


def require_session(session: Session | None) -> Session:
    """The session, if it is still there. Raises FaceNotFound where it was deleted because the page was idle."""
    if session is None:
        raise FaceNotFound(EXPIRED)
    return session


def choose_face(session: Session, index: int | None) -> Session:
    """Analyze another face of the same photo. Raises FaceNotFound where there is no such face."""
    if index is None or index not in range(len(session.faces)):
        raise FaceNotFound("This photo has no such face. Choose one of the marked faces.")
    factors = model().analyze([session.faces[index]])
    return replace(session, index=index, analyzed=factors, initial=Edits(), refined=False)


def refine(session: Session, refined: bool) -> Session:
    """The same face with refined factors, or with the original ones."""
    return replace(session, analyzed=model().analyze([session.face], refined), initial=Edits(), refined=refined)


def crop_by_hand(session: Session, crop: Crop) -> Session:
    """Analyze the part of the photo that the visitor marked."""
    return choose_face(Session(session.photo, [model().face_from_crop(session.photo, crop)]), 0)


@functools.cache
def examples() -> list[Example]:
    """The bundled photos, in the order of CREDITS.csv."""
    with open(EXAMPLES / "CREDITS.csv", encoding="utf-8", newline="") as file:
        return [Example(EXAMPLES / row["file"], f"London Set {row['person']}, {row['expression']}",
                        f"{row['credit']}, {row['licence']}, doi:{row['doi']}") for row in csv.DictReader(file)]


def open_example(index: int | None) -> Session:
    """The session of an example, analyzed once for all visitors. Raises FaceNotFound where there is no such example."""
    if index is None or index not in range(len(examples())):
        raise FaceNotFound("There is no such example. Choose one of those shown.")
    with _lock:
        return _open_example(index)


@functools.cache
def _open_example(index: int) -> Session:
    return replace(open_photo(examples()[index].path), example=index)


def link_parameters(session: Session, edits: Edits) -> dict[str, float | str | None]:
    """URL parameters that `open_link` reads; None removes a parameter.

    For a visitor's own photo the URL says only that it was one. Donors are named where they are examples.
    """
    values = edits.changed_values(session.factors) | {"donor": _example_number(edits.expression_from),
                                                      "identity": _example_number(edits.identity_from)}
    if session.example is None:
        return {**dict.fromkeys(values), "example": None, "refined": None, "photo": "own"}
    return {**values, "example": session.example + 1, "refined": 1 if session.refined else None, "photo": None}


def _example_number(donor: object) -> int | None:
    """Number of an example as a URL names it; None for anything else."""
    return donor.example + 1 if isinstance(donor, Session) and donor.example is not None else None


def linked_example(number: Any) -> int | None:
    """Index of the example that a URL names by its number, counted from 1; None where there is no such example."""
    numbers = [str(index + 1) for index in range(len(examples()))]
    return numbers.index(number) if number in numbers else None


def open_link(parameters: Mapping[str, str]) -> Session:
    """The example that a page's URL names, with its edits; the first example by default."""
    session = open_example(linked_example(parameters.get("example")) or 0)
    if parameters.get("refined") == "1":
        session = refine(session, True)
    edits = Edits.parse(parameters, session.factors, model().semantics)
    donor, identity = (None if number is None else open_example(number)
                       for number in (linked_example(parameters.get(name)) for name in ("donor", "identity")))
    edits = replace(edits, expression_from=edits.expression_from or donor, identity_from=identity)
    return session if edits == Edits() else replace(session, initial=edits)


def to_saved_session(session: Session, edits: Edits | None = None) -> SavedSession:
    """Content of a session file; None for a donor, whose edits are not kept."""
    example = None if session.example is None else str(session.example + 1)
    settings: dict[str, Any] = {"example": example, "refined": session.refined}
    if edits is None:
        return SavedSession(session.photo, session.faces, session.index, model().fingerprint, settings)
    donor, identity = (to_saved_session(one) if isinstance(one, Session) else None
                       for one in (edits.expression_from, edits.identity_from))
    return SavedSession(session.photo, session.faces, session.index, model().fingerprint,
                        settings | edits.values(session.factors), donor, identity)


def from_saved_session(saved: SavedSession) -> Session:
    """The session that a session file holds; its faces are analyzed again."""
    refined = saved.settings.get("refined") is True
    size = model().config.image_size
    faces = [face if face.image.shape[-1] == size else
             replace(face, image=F.interpolate(face.full[None], (size, size), mode="area")[0]) for face in saved.faces]
    session = Session(saved.photo, faces, saved.index, model().analyze([faces[saved.index]], refined),
                      example=linked_example(saved.settings.get("example")), refined=refined)
    earlier = saved.settings.get("swap")  # files of version 0.1 keep these values apart
    given = {**(earlier if isinstance(earlier, dict) else {}), **saved.settings}
    edits = Edits.parse(given, session.factors, model().semantics)
    donor, identity = (one and from_saved_session(one) for one in (saved.donor, saved.identity_donor))
    return replace(session, initial=replace(edits, expression_from=edits.expression_from or donor,
                                            identity_from=identity))


def render_face(session: Session, edits: Edits, size: int) -> np.ndarray:
    """Render the edited face: (size, size, 3) uint8, or (size, size, 4) for the clear background."""
    return render_edited(EditedFace(model(), session.textured), edits, size)


def render_edited(face: EditedFace, edits: Edits, size: int) -> np.ndarray:
    """`render_face` of a face whose latest edits are kept."""
    return to_uint8(face.render(edits, size)[0])


def warm_up_in_background(then: Callable[[int], object]) -> None:
    """Load and compile what the first visitor needs: analyze the first example, split its codes, and call `then`.

    Args:
        then: prepares more of the example with this number.
    """
    def warm_up() -> None:
        with contextlib.suppress(WeightsMissing):  # without diffusion weights there is nothing to split codes with
            open_example(0).split()
        then(0)

    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
