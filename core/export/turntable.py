"""Turntable: a face that turns from side to side, as an endless GIF or as a video."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain, islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from PIL import Image

from core.errors import ArgumentInvalid
from core.export.provenance import SYNTHETIC
from core.export.visualize import to_uint8
from core.files import writing
from core.rendering.compositor import composite
from core.types import Light, TexturedFace, View

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import OutputContainer

YAW, PITCH = math.radians(40), math.radians(8)
"""Farthest turn to either side."""
FRAMES, SECONDS = 36, 3.6
"""Frames and duration of one round."""
ROUNDS = 3
"""Rounds of a video, which does not repeat by itself."""
QUALITY = 18
"""x264's constant rate factor: no difference is visible."""
MAX_GIF_FRAMES = 300
"""Most frames of a GIF: they are held in memory together."""
MILLISECOND = Fraction(1, 1000)
"""Unit of the times in an MP4."""
NOTE = f"LatentFace, synthetic: {SYNTHETIC['note']}"
"""Comment in the files."""
COLORS = 255
"""Colors of the palette that all frames share: with one each, colors would flicker."""


@torch.no_grad()
def turntable(face: TexturedFace, light: Light, size: int,
              background: tuple[float, float, float] | Literal["photo"] = "photo") -> Iterator[np.ndarray]:
    """Render one face over the range of poses that a single photo supports.

    Args:
        face: one face.
        light: one light.
        size: side of the frames in pixels.
        background: as for `core.rendering.compositor.composite`.

    Yields:
        `FRAMES` frames (size, size, 3) uint8; the first follows the last.
    """
    for turn in np.arange(FRAMES) / FRAMES * 2 * math.pi:
        view = View.of(pitch=PITCH * math.sin(2 * turn), yaw=YAW * math.sin(turn))
        yield to_uint8(composite(face, view, light, size, background)[0])


def write_gif(frames: list[Image.Image], path: str | Path, overwrite: bool = False) -> None:
    """Write the frames of a round as an endless GIF, marked as synthetic in its comment.

    Args:
        frames: RGB, all of one size.
        path, overwrite: as for `core.files.writing`, which also names the errors.

    Raises:
        ArgumentInvalid: other frames, or none.
    """
    write_timed_gif(((index * SECONDS / FRAMES, frame) for index, frame in enumerate(frames)), path, overwrite)


def write_timed_gif(frames: Iterable[tuple[float, Image.Image]], path: str | Path, overwrite: bool = False) -> None:
    """`write_gif` for frames at rising times, seconds.

    Raises:
        ArgumentInvalid: as of `write_gif`, or more than `MAX_GIF_FRAMES`.
    """
    times, images = [], []
    for time, frame in islice(frames, MAX_GIF_FRAMES + 1):
        times.append(time)
        images.append(frame)
    if len(images) > MAX_GIF_FRAMES:
        raise ArgumentInvalid(f"A GIF holds at most {MAX_GIF_FRAMES} frames here: write an MP4, or a shorter part.")
    _check_frames(images)
    few = images[::6]
    sheet = Image.new("RGB", (few[0].width, few[0].height * len(few)))
    for index, frame in enumerate(few):
        sheet.paste(frame, (0, few[0].height * index))
    palette = sheet.quantize(COLORS, Image.Quantize.MEDIANCUT)
    first, *rest = (frame.quantize(palette=palette) for frame in images)
    # Each frame stays until the next one; the file counts in steps of 10 ms.
    ticks = [round(time * 100) for time in (*times, times[-1] + (times[-1] - times[0]) / max(1, len(times) - 1))]
    lengths = [10 * max(2, after - before) for before, after in pairwise(ticks)]
    with writing(path, overwrite) as part:
        first.save(part, "GIF", save_all=True, append_images=rest, duration=lengths, loop=0, comment=NOTE.encode())


def write_mp4(frames: list[Image.Image], path: str | Path, overwrite: bool = False) -> None:
    """Write the frames of a round as a video (MP4, H.264) of `ROUNDS` rounds, marked as synthetic in its comment.

    Args:
        frames: RGB, all of one size, with even sides.
        path, overwrite: as for `core.files.writing`, which also names the errors.

    Raises:
        ArgumentInvalid: other frames, or none.
    """
    _check_frames(frames, step=2)
    timed = ((index * SECONDS / FRAMES, frame) for index, frame in enumerate(frames * ROUNDS))
    write_timed_mp4(timed, path, overwrite)


def write_timed_mp4(frames: Iterable[tuple[float, Image.Image]], path: str | Path, overwrite: bool = False,
                    sound: Iterable[tuple[float, AudioFrame]] | None = None) -> None:
    """`write_mp4` for frames at rising times, seconds, of which one is held at a time; errors as there.

    Args:
        frames, path, overwrite: as there.
        sound: pieces of sound at their times; what lies before the first frame or after the last is left out.
    """
    import av

    frames = iter(frames)
    first = next(frames, None)
    _check_frames([] if first is None else [first[1]], step=2)
    assert first is not None
    with writing(path, overwrite) as part, \
            av.open(str(part), "w", format="mp4", options={"movflags": "faststart"}) as video:
        video.metadata["comment"] = NOTE
        stream = video.add_stream("libx264", rate=round(FRAMES / SECONDS), options={"crf": str(QUALITY)})
        stream.width, stream.height, stream.pix_fmt = *first[1].size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = MILLISECOND
        heard = None if sound is None else _Sound(video, sound, first[0])
        for time, image in chain([first], frames):
            _check_frames([first[1], image], step=2)
            frame = av.VideoFrame.from_image(image)
            frame.pts, frame.time_base = round((time - first[0]) / MILLISECOND), MILLISECOND
            video.mux(stream.encode(frame))
            if heard:
                heard.write(time)
        video.mux(stream.encode(None))
        if heard:
            heard.finish()


class _Sound:
    """The sound of a film that is being written: AAC, written up to each frame's time, so that it is interleaved."""

    def __init__(self, video: OutputContainer, pieces: Iterable[tuple[float, AudioFrame]], start: float):
        self._pieces = ((time - start, piece) for time, piece in pieces if time >= start)
        self._next, self._start, self._video = next(self._pieces, None), start, video
        rate, layout = (self._next[1].sample_rate, self._next[1].layout) if self._next else (48000, "mono")
        self._stream = video.add_stream("aac", rate=rate, layout=layout)

    def write(self, end: float) -> None:
        """Write the pieces that begin before a time."""
        while self._next and self._next[0] < end - self._start:
            time, piece = self._next
            piece.pts, piece.time_base = round(time * piece.sample_rate), Fraction(1, piece.sample_rate)
            self._video.mux(self._stream.encode(piece))
            self._next = next(self._pieces, None)

    def finish(self) -> None:
        """Write what the encoder still holds."""
        self._video.mux(self._stream.encode(None))


def _check_frames(frames: list[Image.Image], step: int = 1) -> None:
    """Refuse frames that cannot be written; their sides must be multiples of `step`."""
    sizes = {frame.size for frame in frames if frame.mode == "RGB"}
    if len(sizes) != 1 or any(frame.mode != "RGB" for frame in frames) or any(side % step for side in min(sizes)):
        found = ", ".join(sorted({f"{frame.mode} of {frame.width} × {frame.height}" for frame in frames})) or "none"
        raise ArgumentInvalid(f"frames must be RGB images of one size{', with even sides' if step == 2 else ''}, got "
                              f"{found}.")
