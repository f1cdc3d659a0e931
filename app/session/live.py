"""A visitor's camera, which drives the page's face, and its recording."""

from __future__ import annotations

import io
import math
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from app.session.film import DriveSettings
from app.session.session import Session, model
from core.errors import FilmUnreadable
from core.faces.load_image import read_photo
from core.video.driving import write_film
from core.video.live import LiveFace
from core.video.reader import Frame
from core.video.track import TrackFrames

LIVE_SIZE = 256
"""Side of the renders, pixels."""
RECORD_SECONDS = 60.0
"""Longest recording."""


class LiveSession:
    """The page's face that follows one visitor's camera. Frames may come from several threads."""

    def __init__(self, face: Session, settings: DriveSettings):
        self._lock = threading.Lock()
        self._face, self._settings = face, settings
        self._live = self._make()
        self._second = -math.inf
        self._seen: TrackFrames | None = None
        self._image: np.ndarray | None = None
        self._shown = -math.inf
        self._recording = False
        self._recorded: list[tuple[float, bytes]] = []

    def _make(self) -> LiveFace:
        amounts = self._settings
        return model().live(self._face.textured, amounts.expression, amounts.pose, amounts.light, LIVE_SIZE)

    def follow(self, second: float, photo: bytes, face: Session, settings: DriveSettings) -> TrackFrames | None:
        """Analyze a frame; None where no face is in view, or where a later frame was analyzed already.

        Args:
            second: time of the frame.
            photo: the frame, as an image file.
            face, settings: of the page, which may have changed.

        Raises:
            ImageUnreadable, ImageTooLarge, ImageTooSmall: as core.faces.load_image.read_photo.
        """
        pixels = read_photo(photo)
        with self._lock:
            if second <= self._second:
                return None
            self._second = second
            if (face, settings) != (self._face, self._settings):
                self._face, self._settings = face, settings
                self._live.change(self._make())
            seen = self._live.follow(Frame(second, pixels))
            self._seen = seen or self._seen
            return seen

    def render(self, second: float, seen: TrackFrames) -> np.ndarray | None:
        """The face as a frame moves it, (256, 256, 3) uint8; None where a later frame is shown already."""
        image = self._live.render(seen)
        with self._lock:
            if second < self._shown:
                return None
            self._shown, self._image = second, image
            if self._recording:
                self._record(second, image)
            return image

    @property
    def image(self) -> np.ndarray:
        """The face that is shown. Raises FilmUnreadable before the first one."""
        if self._image is None:
            raise FilmUnreadable("The camera has shown no face yet: look into it first.")
        return self._image

    def set_neutral(self) -> None:
        """Count all changes from the latest frame on."""
        with self._lock:
            if self._seen is not None:
                self._live.set_neutral(self._seen)

    def record(self, on: bool) -> None:
        """Begin a recording, or end it."""
        with self._lock:
            self._recording = on
            if on:
                self._recorded = []

    def _record(self, second: float, image: np.ndarray) -> None:
        if self._recorded and second - self._recorded[0][0] > RECORD_SECONDS:
            return
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=95, subsampling=0)
        self._recorded.append((second, file.getvalue()))

    def write(self, path: Path, mark: bool) -> Path:
        """Write the recording as MP4, and forget it; returns the path. Raises FilmUnreadable where there is none."""
        with self._lock:
            recorded, self._recorded = self._recorded, []
        if not recorded:
            raise FilmUnreadable("Nothing was recorded: start the camera, press Record, and stop after a moment.")

        def frames() -> Iterator[Frame]:
            for second, jpeg in recorded:
                yield Frame(second, np.asarray(Image.open(io.BytesIO(jpeg))))

        write_film(frames(), path, mark)
        return path
