"""A visitor's film: its track, the page's face that follows it, and the files that are exported."""

from __future__ import annotations

import io
import math
import queue
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from app.session.session import Session, model
from core.errors import ConfigError, FilmTooLarge, FilmUnreadable
from core.files import write_bytes
from core.video.driving import frames_in, write_film
from core.video.reader import Frame, inspect_film, read_film
from core.video.track import Track
from core.video.track_file import table_bytes

MAX_SECONDS = 30.0
"""Longest film on the page; the command line takes longer ones."""
MAX_RATE = 30.0
"""Most frames a second that are used."""
IMAGE_SIDE = 240
"""Long side of the film's frames that are kept for the page, pixels."""
REPORT_SECONDS = 0.3
"""Interval of messages on the progress."""
TOO_LONG = "The film is {:.0f} s long, and the page takes {:.0f} s: cut out a part, or use python -m core track."
GONE = "The film is no longer kept, so its sound cannot be copied: open it again, or leave the sound out."

FILE_NAMES = {"mp4": "driven.mp4", "gif": "driven.gif", "csv": "track.csv", "parquet": "track.parquet"}
"""Names of the files, by kind."""
Result = TypeVar("Result")
Report = Callable[[str], None]


@dataclass(frozen=True)
class DriveSettings:
    """How the page's face follows: the values of the tab's controls, in their order."""

    expression: float = 1.0
    pose: float = 1.0
    light: float = 0.0
    relative: bool = True

    @classmethod
    def of_controls(cls, *values: Any) -> DriveSettings:
        """Raises ConfigError where a number is missing."""
        *numbers, relative = values
        if not all(isinstance(number, int | float) and math.isfinite(number) for number in numbers):
            raise ConfigError("The amounts must be numbers. Set the sliders again.")
        return cls(*map(float, numbers), relative=relative is True)


@dataclass(frozen=True, eq=False)
class FilmSession:
    """One visitor's film and its track."""

    path: Path
    """The film, as long as it is kept."""
    sound: bool
    track: Track
    images: list[tuple[float, bytes]]
    """Time in seconds and small JPEG of each frame, also of those without the face."""

    @property
    def seconds(self) -> float:
        """Time of the last frame."""
        return max(self.images[-1][0], 0.01)

    def image_at(self, second: float) -> bytes:
        """JPEG of the frame nearest to a time."""
        return min(self.images, key=lambda image: abs(image[0] - second))[1]

    def strip(self, count: int) -> list[bytes]:
        """JPEGs of `count` frames, evenly over the film."""
        return [self.image_at((index + 0.5) / count * self.seconds) for index in range(count)]

    def render_at(self, second: float, face: Session, settings: DriveSettings, size: int) -> np.ndarray:
        """The page's face as the frame with the driver's face nearest to a time moves it, (size, size, 3) uint8."""
        times = self.track.frames.time
        nearest = times[(times - second).abs().argmin()].item()
        return next(self._driven(face, settings, size, (nearest, nearest))).pixels

    def _driven(self, face: Session, settings: DriveSettings, size: int, span: tuple[float, float]) -> Iterator[Frame]:
        return model().drive(face.textured, self.track, settings.relative, settings.expression, settings.pose,
                             settings.light, size, span)

    def export(self, kind: str, face: Session, settings: DriveSettings, span: tuple[float, float], size: int,
               mark: bool, sound: bool, folder: Path) -> Generator[str | Path]:
        """Write one file: the page's face that follows a span of the film, or the track.

        Yields:
            Messages on the progress; last the file.
        """
        path = folder / FILE_NAMES[kind]
        if kind in ("csv", "parquet"):
            write_bytes(path, table_bytes(self.track, path.suffix))
            yield path
            return
        heard = self.path if sound and self.sound and kind == "mp4" else None
        if heard and not heard.exists():
            raise FilmUnreadable(GONE)
        total = len(frames_in(self.track, span))

        def work(report: Report) -> Path:
            driven = counted(self._driven(face, settings, size, span), total, "Rendering", report)
            write_film(driven, path, mark, sound=heard)
            return path

        yield from with_progress(work)


def track_film(path: Path) -> Generator[str | FilmSession]:
    """Follow the face of a film.

    Yields:
        Messages on the progress; last the film.

    Raises:
        FilmUnreadable, FilmTooLarge, FaceNotFound: with a sentence that says what to do.
    """
    film, images = inspect_film(path), []
    if film.seconds > MAX_SECONDS:
        raise FilmTooLarge(TOO_LONG.format(film.seconds, MAX_SECONDS))
    total = min(film.frames, math.ceil(film.seconds * MAX_RATE))

    def noted(frames: Iterable[Frame]) -> Iterator[Frame]:
        for frame in frames:
            images.append((frame.time, _small_jpeg(frame.pixels)))
            yield frame

    def work(report: Report) -> FilmSession:
        frames = noted(counted(_thinned(read_film(path)), total, "Analyzing", report))
        return FilmSession(path, film.sound, model().track(frames), images)

    yield from with_progress(work)


def _thinned(frames: Iterable[Frame]) -> Iterator[Frame]:
    """At most `MAX_RATE` frames a second."""
    due = 0.0
    for frame in frames:
        if frame.time >= due - 1e-3:
            due = frame.time + 1 / MAX_RATE - 1e-3
            yield frame


def _small_jpeg(pixels: np.ndarray) -> bytes:
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((IMAGE_SIDE, IMAGE_SIDE), reducing_gap=2.0)
    image.save(file, "JPEG", quality=80)
    return file.getvalue()


def counted(frames: Iterable[Frame], total: int, verb: str, report: Report) -> Iterator[Frame]:
    """The frames, while their number and the time left are reported."""
    start = time.monotonic()
    for done, frame in enumerate(frames):
        left = (time.monotonic() - start) / done * (total - done) if done else 0
        report(f"{verb}: frame {done + 1} of {total}" + (f", {left:.0f} s left" if left > 3 else ""))
        yield frame


class _Cancelled(BaseException):
    """Ends work in a thread; no handler of errors takes it for one."""


def with_progress(work: Callable[[Report], Result]) -> Generator[str | Result]:
    """Run work in a thread, and cancel it when this generator is closed.

    Args:
        work: calls the function that it is given with each message on its progress; the call does not return where the
            work was cancelled.

    Yields:
        The latest message, a few times a second; last the work's result. Its errors are raised here.
    """
    messages: queue.SimpleQueue[str] = queue.SimpleQueue()
    cancelled, outcome = threading.Event(), []

    def report(message: str) -> None:
        if cancelled.is_set():
            raise _Cancelled
        messages.put(message)

    def run() -> None:
        try:
            outcome.append((work(report), None))
        except BaseException as error:
            outcome.append((None, error))

    thread = threading.Thread(target=run, name="film", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            thread.join(REPORT_SECONDS)
            latest = None
            while not messages.empty():
                latest = messages.get()
            if latest:
                yield latest
    finally:
        cancelled.set()
    result, error = outcome[0]
    if error:
        raise error
    yield result
