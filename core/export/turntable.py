"""Turntable: a face that turns from side to side, as an endless GIF or as a video."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from PIL import Image

from core.export.provenance import SYNTHETIC, writing
from core.export.visualize import to_uint8
from core.rendering.compositor import composite
from core.types import Light, TexturedFace, View

YAW, PITCH = math.radians(40), math.radians(8)
"""Farthest turn to either side."""
FRAMES, SECONDS = 36, 3.6
"""Frames and duration of one round."""
ROUNDS = 3
"""Rounds of a video, which does not repeat by itself."""
QUALITY = 18
"""x264's constant rate factor: no difference is visible."""
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


def write_gif(frames: list[Image.Image], path: str | Path) -> None:
    """Write RGB frames as an endless GIF, marked as synthetic in its comment.

    Raises:
        OutputUnwritable: the file cannot be written.
    """
    few = frames[::6]
    sheet = Image.new("RGB", (few[0].width, few[0].height * len(few)))
    for index, frame in enumerate(few):
        sheet.paste(frame, (0, few[0].height * index))
    palette = sheet.quantize(COLORS, Image.Quantize.MEDIANCUT)
    first, *rest = (frame.quantize(palette=palette) for frame in frames)
    with writing(path):
        first.save(path, "GIF", save_all=True, append_images=rest, duration=round(SECONDS / FRAMES * 1000), loop=0,
                   comment=NOTE.encode())


def write_mp4(frames: list[Image.Image], path: str | Path) -> None:
    """Write RGB frames with even sides as a video (MP4, H.264) of `ROUNDS` rounds, marked as synthetic in its comment.

    Raises:
        OutputUnwritable: the file cannot be written.
    """
    import av

    with writing(path), av.open(str(path), "w", options={"movflags": "faststart"}) as video:
        video.metadata["comment"] = NOTE
        stream = video.add_stream("libx264", rate=round(FRAMES / SECONDS), options={"crf": str(QUALITY)})
        stream.width, stream.height, stream.pix_fmt = *frames[0].size, "yuv420p"
        for frame in frames * ROUNDS:
            video.mux(stream.encode(av.VideoFrame.from_image(frame)))
        video.mux(stream.encode(None))
