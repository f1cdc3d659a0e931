"""The maps that the app shows: the bundled one, and those of visitors' own photos."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch.nn.functional as F

from app.session import session as state
from app.session.export import new_folder
from app.session.session import Session
from app.widgets.images import pixels
from app.widgets.latent_map import drawing, picture
from core.faces import Crop, face_from_crop
from core.latent_map import builder
from core.latent_map.builder import MapBuilder, add_photo, warm_up
from core.latent_map.map import LatentMap, canonical_image
from core.types import Codes, Light

SIZE = 224
"""Pixels of the decoded face at the pointer."""
FRESH = 50
"""Photos after which those that wait are said to be still wanted; even slow work takes less than minutes for them."""
STUDIO = (0.6, 0.5, 0.25, 0.3)
"""Light that decoded faces are shown in: ambient, diffuse, dx, dy."""
_warming = threading.Lock()


@functools.cache
def gallery() -> LatentMap:
    """The bundled map.

    Raises:
        MapUnreadable: it is missing or damaged, or belongs to other weights.
    """
    shown = LatentMap.read()
    shown.check_weights(state.model())
    return shown


@functools.cache
def gallery_drawing() -> dict:
    """What the page draws of it."""
    return drawing(gallery())


def face_at(shown: LatentMap, place: tuple[float, float], kind: str, subject: Codes) -> np.ndarray:
    """The face at a place of a layout, from the front, (SIZE, SIZE, 3) uint8.

    Args:
        shown: the map.
        place: x, y.
        kind: which layout.
        subject: the face that gives what the layout leaves open.
    """
    image = canonical_image(state.model(), shown.face_at(place, kind, subject), Light.of(*STUDIO))
    return pixels(F.interpolate(image, (SIZE, SIZE), mode="bicubic")[0])


def open_face(shown: LatentMap, number: int) -> Session:
    """A face of the map, analysed as if it had been chosen as a photo."""
    photo = picture(shown, number)
    session = state.open_photo(photo)
    if session.faces:
        return session
    whole = Crop(((photo.shape[1] - 1) / 2, (photo.shape[0] - 1) / 2), max(photo.shape))
    return state.choose_face(Session(photo, [face_from_crop(photo, whole, state.model().config.image_size)]), 0)


def take(paths: list[str]) -> list[Path]:
    """Uploaded files as this visitor's alone: gradio keeps one file for all who send the same, forgotten by its age."""
    folder, own = new_folder(), []
    for number, path in enumerate(map(Path, paths)):
        place = folder / str(number)
        place.mkdir()
        os.link(path, place / path.name)
        own.append(place / path.name)
    return own


def map_photos(paths: list[Path]) -> Iterator[str | tuple[LatentMap, list[tuple[str, str]]]]:
    """Make a map of photos: sentences on how far it has come, and in the end the map and what was left out.

    Each file is deleted once it has been read, all of them when the work ends early.

    Args:
        paths: of `take`.

    Yields:
        Sentences; last of all the map, and the name and the reason of each file that is not on it.

    Raises:
        FaceNotFound: too few faces.
    """
    maker, start = MapBuilder(state.model()), time.monotonic()
    warming = threading.Thread(target=_warm_up_once, daemon=True)
    if len(paths) >= builder.FEWEST:
        warming.start()
    refused = []
    try:
        for done, path in enumerate(paths):
            yield _progress(done, len(paths), len(maker), time.monotonic() - start)
            if done % FRESH == 0:
                _keep(paths[done:])
            if reason := add_photo(maker, path, path.name):
                refused.append((path.name, reason))
            path.unlink(missing_ok=True)
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
    while warming.is_alive() and len(maker) >= builder.FEWEST:
        yield f"{len(maker)} faces. The layouts are being prepared, which takes a minute once …"
        warming.join(1)
    yield f"{len(maker)} faces. Laying them out …"
    for kind in maker.lay_out():
        yield f"{len(maker)} faces. The layout by {kind} is ready …"
    yield maker.finish(), refused


def _keep(waiting: list[Path]) -> None:
    """Let files that wait for their turn not count as forgotten, see app.main.forget."""
    for path in waiting:
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)


def _progress(done: int, count: int, faces: int, seconds: float) -> str:
    left = seconds / done * (count - done) if done else 0
    rest = f", {left / 60:.0f} min left" if left > 90 else f", {left:.0f} s left" if done else ""
    return f"{done} of {count} photos, {faces} faces{rest}"


@functools.cache
def _compiled() -> None:
    warm_up()


def _warm_up_once() -> None:
    with _warming:
        _compiled()
