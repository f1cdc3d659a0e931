"""Films, frame by frame: upright 8-bit RGB at times in seconds, in bounded memory.

A film is looked through once without decoding (`inspect_film`), so that what cannot be used is refused before any work.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from core.errors import ArgumentInvalid, FilmTooLarge, FilmUnreadable
from core.faces.file_kinds import foreign_kind

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

MAX_SECONDS = 120.0
"""Longest film."""
MAX_BYTES = 512 * 2**20
MAX_PIXELS = 8192 * 4608
"""Most pixels of a frame as stored."""
MAX_SIDE = 1280
"""Larger frames are reduced to this long side, pixels: a face needs no more."""
MISSING = 0.1
"""Part of the length that a film says it has, which may be missing at its end; more, and it is cut short."""
MISSING_SECONDS = 0.5
"""The same in seconds; both must be exceeded."""
HEAD = 512
"""Bytes by which other kinds of file are recognised."""
OPTIONS = {"protocol_whitelist": "file",
           "format_whitelist": "mov,mp4,matroska,webm,avi,mpegts,mpeg,gif,flv,ogg,asf,mxf,apng,webp_pipe,nut,ivf"}
"""Of FFmpeg. Playlists and other formats that name further files or addresses are not opened."""


@dataclass(frozen=True)
class Frame:
    """One frame of a film."""

    time: float
    """Seconds since the first frame."""
    pixels: np.ndarray
    """(H, W, 3) uint8 RGB, upright."""


@dataclass(frozen=True)
class Film:
    """What is known of a film before it is decoded."""

    frames: int
    """Number of frames."""
    seconds: float
    """From the first frame to the end of the last."""
    sound: bool
    """Whether it has sound."""

    @property
    def rate(self) -> Fraction:
        """Mean frames per second."""
        return Fraction(self.frames / self.seconds).limit_denominator(1001)


def inspect_film(path: str | Path) -> Film:
    """Look through a film without decoding it.

    Raises:
        FilmUnreadable: there is no such file; it is no film, holds no moving image or no frame, or is cut short.
        FilmTooLarge: it has more bytes, pixels or seconds than the limits above.
    """
    with _opened(path) as (container, stream):
        times = [(packet.pts * packet.time_base, (packet.duration or 0) * packet.time_base)
                 for packet in container.demux(stream) if packet.pts is not None and not packet.is_corrupt]
        if not times:
            raise FilmUnreadable(f"{_name(path)} holds no frames: it was cut short or never finished. Record it again.")
        (start, _), (last, duration) = min(times), max(times)
        seconds = float(last - start + (duration or (last - start) / max(1, len(times) - 1))) or 1 / 25
        _check_whole(path, container, stream, seconds)
        sound = bool(container.streams.audio)
    if seconds > MAX_SECONDS:
        raise FilmTooLarge(f"The film is {seconds:.0f} s long, and {MAX_SECONDS:.0f} s is the most: cut out a part.")
    return Film(len(times), seconds, sound)


def _check_whole(path: str | Path, container: InputContainer, stream: VideoStream, seconds: float) -> None:
    """Refuse a film that ends long before the end it declares."""
    declared = 0.0
    if stream.duration and stream.time_base:
        declared = float(stream.duration * stream.time_base)
    elif container.duration and not container.streams.audio:
        declared = container.duration / 1e6
    if declared - seconds > max(MISSING * declared, MISSING_SECONDS):
        raise FilmUnreadable(f"{_name(path)} is cut short: {seconds:.1f} of {declared:.1f} s are there. Copy or "
                             "download it again.")


def read_film(path: str | Path, max_side: int = MAX_SIDE) -> Iterator[Frame]:
    """Decode a film frame by frame, upright; one frame is held at a time.

    Args:
        path: any film that FFmpeg reads: of any frame rate, also a variable one, and of any bit depth.
        max_side: larger frames are reduced to this long side, pixels.

    Yields:
        The frames in the order in which they are shown; frames that say no time, or no later one, are left out.

    Raises:
        FilmUnreadable, FilmTooLarge: as `inspect_film`; or a frame is damaged.
    """
    from av.error import FFmpegError

    inspect_film(path)
    with _opened(path) as (container, stream):
        stream.thread_type = "AUTO"
        start, last = None, -math.inf
        try:
            for frame in container.decode(stream):
                if frame.time is None or frame.time <= last:
                    continue
                start, last = frame.time if start is None else start, frame.time
                yield Frame(frame.time - start, _upright(frame, stream, max_side))
        except FFmpegError as error:
            raise FilmUnreadable(f"{_name(path)} is damaged after {max(0, last - (start or 0)):.1f} s: copy or "
                                 "download it again.") from error
    if start is None:
        raise FilmUnreadable(f"{_name(path)} holds no frame that can be shown: export it again as MP4.")


def read_sound(path: str | Path) -> Iterator[tuple[float, AudioFrame]]:
    """Decode the sound of a film.

    Args:
        path: as for `read_film`.

    Yields:
        Seconds since the film's first frame, and the sound from there on, in short pieces.

    Raises:
        ArgumentInvalid: the film has no sound.
        FilmUnreadable, FilmTooLarge: as of `read_film`.
    """
    from av.error import FFmpegError

    with _opened(path) as (container, stream):
        if not container.streams.audio:
            raise ArgumentInvalid(f"{_name(path)} has no sound: leave the sound out.")
        start = float((stream.start_time or 0) * (stream.time_base or 0))
        try:
            for frame in container.decode(container.streams.audio[0]):
                if frame.time is not None and frame.time >= start:
                    yield frame.time - start, frame
        except FFmpegError as error:
            raise FilmUnreadable(f"The sound of {_name(path)} is damaged: leave the sound out.") from error


def _upright(frame: VideoFrame, stream: VideoStream, max_side: int) -> np.ndarray:
    """Pixels (H, W, 3) of a frame: made square, reduced, turned and mirrored as its display matrix says."""
    width = frame.width * float(stream.sample_aspect_ratio or 1)
    factor = min(1.0, max_side / max(width, frame.height))
    size = [max(1, round(side * factor)) for side in (width, frame.height)]
    pixels = frame.reformat(*size, format="rgb24", interpolation="AREA").to_ndarray()
    return np.ascontiguousarray(_turned(pixels, _display_matrix(frame)))


def _display_matrix(frame: VideoFrame) -> np.ndarray:
    """(2, 2) of −1, 0 and 1 from stored to shown coordinates (x right, y down), for column vectors."""
    from av.sidedata.sidedata import Type

    entry = cast(Mapping[Type, bytes], frame.side_data).get(Type.DISPLAYMATRIX)
    if entry is None:
        return np.eye(2, dtype=int)
    stored = np.frombuffer(entry, "<i4")[:9].reshape(3, 3)[:2, :2].T / 65536
    return np.round(stored / max(1e-6, abs(stored).max())).astype(int)


def _turned(pixels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Pixels as shown, by a matrix of `_display_matrix`; as stored where it is neither turn nor reflection."""
    if abs(round(np.linalg.det(matrix))) != 1:
        return pixels
    if matrix[0, 0] == 0:  # x shown is y stored
        pixels = pixels.swapaxes(0, 1)
    across, down = matrix.sum(1)
    return pixels[:: int(down), :: int(across)]


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The film and its moving image."""
    import av
    from av.error import FFmpegError

    path = Path(path)
    _check_file(path)
    try:
        container = av.open(f"file:{path}", metadata_errors="ignore", options=OPTIONS)
    except (FFmpegError, OSError, ValueError) as error:
        raise FilmUnreadable(_refusal(path)) from error
    with container:
        stream = next((one for one in container.streams.video if not one.disposition & one.disposition.attached_pic),
                      None)
        if stream is None:
            raise FilmUnreadable(f"{path.name} holds no moving image: choose a film, not a recording of sound.")
        if stream.width * stream.height > MAX_PIXELS:
            raise FilmTooLarge(f"The film has {stream.width} × {stream.height} pixels, which is too many: export it "
                               "smaller.")
        yield container, stream


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size if path.is_file() else None
    except OSError as error:
        raise FilmUnreadable(f"{path.name} cannot be read ({error.strerror or error}).") from error
    if size is None:
        raise FilmUnreadable(f"There is no film {path}: check the path.")
    if size > MAX_BYTES:
        raise FilmTooLarge(f"The film has {size / 2**20:.0f} MB, and {MAX_BYTES // 2**20} MB is the most: cut out a "
                           "part, or export it smaller.")
    if foreign_kind(_head(path)) == ("A text file", "choose a photo"):
        raise FilmUnreadable(_refusal(path))


def _refusal(path: Path) -> str:
    """Sentence about a file that FFmpeg cannot open."""
    found = foreign_kind(_head(path))
    if not path.stat().st_size:
        return f"{path.name} is empty: copy or download it again."
    if found is None or found[0] == "A video":
        return f"{path.name} is no film, or is cut short: record, copy or download it again."
    return f"{path.name} is no film but {found[0][0].lower()}{found[0][1:]}: choose a film."


def _head(path: Path) -> bytes:
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return file.read(HEAD)
    return b""


def _name(path: str | Path) -> str:
    return Path(path).name
