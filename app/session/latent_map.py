"""The maps that the app shows: the bundled one, and those of visitors' own photos."""

from __future__ import annotations

import contextlib
import functools
import io
import os
import threading
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
from PIL import Image

from app.session.export import new_folder
from app.session.session import Session, crop_by_hand, model, open_photo
from core import Codes, Light, SplitCodes
from core.errors import MapUnreadable
from core.export.visualize import to_uint8
from core.faces import Crop
from core.latent_map import builder
from core.latent_map.builder import MapBuilder, add_photo, warm_up
from core.latent_map.map import LatentMap
from core.model.code_ops import Kind, select

SOURCE, RENDERED = "source", "rendered"
"""The bundled map's column of what the faces are, and its word for renders."""
LARGEST_THUMBNAIL = 1024
"""Side in pixels beyond which a thumbnail is none."""
DAMAGED = "The faces of this map cannot be read as images: save the map again."
TOUCH_EVERY = 50
"""Photos after which the files that wait are marked as recent. Even slow work takes less than minutes for so many."""
STUDIO_LIGHT = Light.of(0.6, 0.5, 0.25, 0.3)
"""Light of decoded faces."""
_warm_up_lock = threading.Lock()


@functools.cache
def gallery(renders: bool = False) -> LatentMap:
    """The bundled map, its photos alone or with its renders.

    Raises:
        MapUnreadable: it is missing or damaged, or belongs to other weights.
    """
    if renders:
        return model().map()
    shown = gallery(True)
    return shown.part(np.flatnonzero(shown.columns[SOURCE] != RENDERED))


def read_map(path: str | Path) -> LatentMap:
    """A map that a visitor has saved. Raises MapUnreadable, also for thumbnails that are no small images."""
    shown = model().map(path)
    try:
        sides = [max(Image.open(io.BytesIO(thumbnail)).size) for thumbnail in shown.thumbnails]
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise MapUnreadable(DAMAGED) from error
    if max(sides) > LARGEST_THUMBNAIL:
        raise MapUnreadable(DAMAGED)
    return shown


def found_directions(shown: LatentMap) -> dict[str, np.ndarray]:
    """How much of each found direction (core.model.semantics) the faces of a map hold: name to (N,), in sigma."""
    basis = model().semantic_basis
    if basis is None:
        return {}
    amounts = basis.amounts(select(shown.codes, "code"))
    return dict(zip(basis.config.names, (amounts - amounts.mean(0)).numpy().T, strict=True))


def render_at(shown: LatentMap, position: tuple[float, float], kind: Kind, subject: Codes | SplitCodes) -> np.ndarray:
    """The face at a position of a layout, from the front, (H, W, 3) uint8 at the model's size.

    Args:
        shown: the map.
        position: x, y.
        kind: which layout.
        subject: the face that gives what the layout does not determine.
    """
    codes = shown.face_at(position, kind, subject if isinstance(subject, SplitCodes) else None)
    return to_uint8(model().decode_image(codes, STUDIO_LIGHT)[0])


def face_image(shown: LatentMap, number: int) -> np.ndarray:
    """(n, n, 3) uint8 of one face of the map."""
    return np.asarray(Image.open(io.BytesIO(shown.thumbnails[number])).convert("RGB"))


def open_face(shown: LatentMap, number: int) -> Session:
    """Analyze a face of the map as a photo."""
    photo = face_image(shown, number)
    session = open_photo(photo)
    if session.faces:
        return session
    whole = Crop(((photo.shape[1] - 1) / 2, (photo.shape[0] - 1) / 2), max(photo.shape))
    return crop_by_hand(session, whole)


def take_files(paths: list[str]) -> list[Path]:
    """Link uploaded files into a folder of this visitor's own.

    Gradio keeps one file for all visitors who upload the same content, and cleans it up by its age.
    """
    folder, own = new_folder(), []
    for number, path in enumerate(map(Path, paths)):
        place = folder / str(number)
        place.mkdir()
        os.link(path, place / path.name)
        own.append(place / path.name)
    return own


def map_photos(paths: list[Path]) -> Generator[str | tuple[LatentMap, list[tuple[str, str]]]]:
    """Make a map of photos.

    Each file is deleted once it was read, and all of them when the work ends early.

    Args:
        paths: of `take_files`.

    Yields:
        Messages on the progress; last the map, and the name and reason of each file that is not on it.

    Raises:
        FaceNotFound: too few faces.
    """
    map_builder, start = MapBuilder(model()), time.monotonic()
    warming = threading.Thread(target=_warm_up_once, daemon=True)
    if len(paths) >= builder.FEWEST:
        warming.start()
    refused = []
    try:
        for done, path in enumerate(paths):
            yield _progress(done, len(paths), len(map_builder), time.monotonic() - start)
            if done % TOUCH_EVERY == 0:
                _touch(paths[done:])
            if reason := add_photo(map_builder, path, path.name):
                refused.append((path.name, reason))
            path.unlink(missing_ok=True)
    finally:
        for path in paths:
            path.unlink(missing_ok=True)
    while warming.is_alive() and len(map_builder) >= builder.FEWEST:
        yield f"{len(map_builder)} faces. Preparing the layouts …"
        warming.join(1)
    yield f"{len(map_builder)} faces. Computing the layouts …"
    for kind in map_builder.embed():
        yield f"{len(map_builder)} faces. The layout by {kind} is ready …"
    yield map_builder.finish(), refused


def _touch(waiting: list[Path]) -> None:
    """Mark waiting files as recent, so that app.server.cleanup keeps them."""
    for path in waiting:
        with contextlib.suppress(FileNotFoundError):
            os.utime(path)


def _progress(done: int, count: int, faces: int, seconds: float) -> str:
    left = seconds / done * (count - done) if done else 0
    rest = f"; about {left / 60:.0f} min for the others, then the layouts" if left > 90 else ""
    return f"{done} of {count} photos, {faces} faces{rest}"


@functools.cache
def _compiled() -> None:
    warm_up()


def _warm_up_once() -> None:
    with _warm_up_lock:
        _compiled()
