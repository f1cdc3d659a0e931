"""What the app holds: the one model of the process, and what a visitor has opened."""

from __future__ import annotations

import contextlib
import csv
import functools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from app.session.settings import BACKGROUNDS, OWN_DETAIL, Settings
from core.config import ASSETS
from core.errors import FaceNotFound, WeightsMissing
from core.export.session_file import SavedSession
from core.export.visualize import pixels
from core.faces import Crop, Face, face_from_crop, find_faces
from core.faces.load_image import read_photo
from core.model.weights import weights_path
from core.pipeline import LatentFace
from core.rendering.compositor import TexturedFace, composite, render_layer
from core.rendering.texture_transfer import texture_from_model, texture_from_photo
from core.types import Factors

EXPIRED = "This photo has been forgotten, as nobody used the page for long: please choose it again."
LIVE_SIZE = 256
"""Pixels of a face that a camera shows."""
EXAMPLES = ASSETS / "examples"


@dataclass(frozen=True, eq=False)
class Session:
    """One visitor's photo and what was found in it. Never changed in place: examples are shared between visitors."""

    photo: np.ndarray
    """(H, W, 3) uint8."""
    faces: list[Face]
    """Empty where none was found and none is marked by hand."""
    index: int = 0
    """The face that is shown."""
    factors: Factors | None = None
    """Of that face."""
    start: Settings | None = None
    """Pose, light and picture to begin with; None is the photo's own."""
    example: int | None = None
    """Which example it is."""
    refined: bool = False
    """Whether the factors were moved to where they explain the photo better, see core.model.refine."""
    changed: TexturedFace | None = None
    """The face ready to be drawn with detail, where the factors are no longer those of the photo."""

    @functools.cached_property
    def decoded(self) -> TexturedFace:
        """The face ready to be drawn from the model's maps alone; made when it is first asked for."""
        with torch.inference_mode():
            return texture_from_model(self.factors)

    @functools.cached_property
    def detailed(self) -> TexturedFace:
        """The same with the photo's own detail."""
        with torch.inference_mode():
            found = self.face.landmarks
            landmarks = None if found is None else torch.from_numpy(found)[None]
            return self.changed or texture_from_photo(self.factors, self.face.full[None], landmarks)

    @property
    def settings(self) -> Settings:
        """What the controls show first."""
        return self.start or Settings.of(self.factors)

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


_chosen: Path | None = None
_busy = threading.RLock()
"""Held while something is made that all visitors share, so that it is made once."""


def choose_weights(path: Path | None) -> None:
    """Use these weights, or the bundled ones. Raises WeightsMissing at once, before any visitor comes."""
    global _chosen
    _chosen = weights_path(path)
    _load.cache_clear()


def model() -> LatentFace:
    """The model of this process, loaded at the first call."""
    with _busy:
        return _load()


@functools.cache
def _load():
    return LatentFace.from_pretrained(_chosen)


def open_photo(photo) -> Session:
    """Read a photo and look for faces; without one the session has the photo alone, to be cropped by hand."""
    pixels = read_photo(photo)
    try:
        faces = model().find_faces(pixels)
    except FaceNotFound:
        return Session(pixels, [])
    return choose_face(Session(pixels, faces), 0)


def look(picture: bytes) -> Session:
    """One picture of a camera, analysed as quickly as can be. Raises FaceNotFound, or as core.faces.load_image.read_photo does."""
    pixels = read_photo(picture)
    faces = find_faces(pixels, model().config.image_size, LIVE_SIZE, quick=True)
    return Session(pixels, faces, 0, model().analyze(faces[:1]))


def known(session: Session | None) -> Session:
    """The session, which is gone when a page was left open for long. Raises FaceNotFound then."""
    if session is None:
        raise FaceNotFound(EXPIRED)
    return session


def choose_face(session: Session, index: int) -> Session:
    """Analyse another face of the same photo. Raises FaceNotFound where it has no such face."""
    if index not in range(len(session.faces)):
        raise FaceNotFound("There is no such face in this photo: choose one of those that are shown.")
    factors = model().analyze([session.faces[index]])
    return replace(session, index=index, factors=factors, start=None, refined=False)


def refine(session: Session, refined: bool) -> Session:
    """The same face with refined factors, or with those that were found at first."""
    return replace(session, factors=model().analyze([session.face], refined), start=None, refined=refined)


def crop_by_hand(session: Session, crop: Crop) -> Session:
    """Analyse the part of the photo that the visitor marks."""
    face = face_from_crop(session.photo, crop, model().config.image_size)
    return choose_face(Session(session.photo, [face]), 0)


@functools.cache
def examples() -> list[Example]:
    """The bundled photos, in the order of CREDITS.csv."""
    with open(EXAMPLES / "CREDITS.csv", encoding="utf-8", newline="") as file:
        return [Example(EXAMPLES / row["file"], f"London Set {row['person']}, {row['expression']}",
                        f"{row['credit']}, {row['licence']}, doi:{row['doi']}") for row in csv.DictReader(file)]


def open_example(index: int) -> Session:
    """An analysed example; each is analysed once and shared. Raises FaceNotFound where there is no such example."""
    if index not in range(len(examples())):
        raise FaceNotFound("There is no such example: choose one of those that are shown.")
    with _busy:
        return _open_example(index)


def link(session: Session, settings: Settings) -> dict[str, float | str | None]:
    """What a page's address says of its picture, for `open_link`; of a visitor's own photo only that it was one."""
    own, shown = Settings.of(session.factors).flat(), settings.flat()
    if session.example is None:
        return {**dict.fromkeys(shown), "example": None, "photo": "own"}
    changed = {name: None if value == own[name] else value for name, value in shown.items()}
    return {**changed, "example": session.example + 1, "photo": None}


def linked_example(number: str | None) -> int | None:
    """The example that an address names by its number, counted from 1, if there is one."""
    numbers = [str(index + 1) for index in range(len(examples()))]
    return numbers.index(number) if number in numbers else None


def open_link(parameters: Mapping[str, str]) -> Session:
    """What the address of a page names: an example, and how it is posed and lit; the first one by default."""
    session = open_example(linked_example(parameters.get("example")) or 0)
    start = Settings.read(parameters, session.settings)
    return session if start == session.settings else replace(session, start=start)


def saved(session: Session, settings: dict) -> SavedSession:
    """What a session file holds of a session, for `restored`; `settings` are plain values that are read again."""
    example = None if session.example is None else str(session.example + 1)
    return SavedSession(session.photo, session.faces, session.index, session.factors,
                        settings | {"example": example, "refined": session.refined})


def restored(saved: SavedSession) -> Session:
    """The session that a file holds."""
    session = Session(saved.photo, saved.faces, saved.index, saved.factors,
                      example=linked_example(saved.settings.get("example")),
                      refined=saved.settings.get("refined") is True)
    return replace(session, start=Settings.read(saved.settings, session.settings))


@functools.cache
def _open_example(index):
    return replace(open_photo(examples()[index].path), example=index)


@torch.inference_mode()
def picture(session: Session, settings: Settings, size: int) -> np.ndarray:
    """The face as it is set, (size, size, 3) uint8, or with alpha (size, size, 4) where no background is drawn."""
    face = session.detailed if settings.detail == OWN_DETAIL else session.decoded
    view, light = settings.pose.view(session.factors.view), settings.lamp.light(session.factors.light)
    background = BACKGROUNDS[settings.background]
    if background is None:
        return pixels(torch.cat(render_layer(face, view, light, size), 1)[0])
    return pixels(composite(face, view, light, size, background)[0])


def warm_up_in_background() -> None:
    """Load and compile what a first visitor would wait for: analyse the first example and split its codes."""

    def warm_up() -> None:
        with contextlib.suppress(WeightsMissing):  # without diffusion weights there is nothing to split codes with
            open_example(0).factors.codes.identity  # noqa: B018

    threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
