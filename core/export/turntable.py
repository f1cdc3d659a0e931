"""A face that looks around, as an endless GIF or as a film."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.export.provenance import SYNTHETIC, writing
from core.export.visualize import pixels
from core.rendering.compositor import TexturedFace, composite
from core.types import Light, View

YAW, PITCH = math.radians(40), math.radians(8)
"""Farthest turn to either side."""
FRAMES, SECONDS = 36, 3.6
"""Of one round."""
ROUNDS = 3
"""Of a film, which does not begin again by itself."""
QUALITY = 18
"""Of a film: x264's constant rate factor, at which no difference is seen."""
NOTE = f"LatentFace, synthetic: {SYNTHETIC['note']}"
"""What the files say about themselves."""
COLOURS = 255
"""Of the palette that all pictures share: with one each, colours would flicker."""


@torch.inference_mode()
def turntable(face: TexturedFace, light: Light, size: int, background="photo") -> Iterator[np.ndarray]:
    """Draw one face from all sides that one photo knows something of.

    Args:
        face: one face.
        light: one light.
        size: side of the pictures in pixels.
        background: as for `core.rendering.compositor.draw`.

    Yields:
        `FRAMES` pictures (size, size, 3) uint8; the first follows the last.
    """
    for turn in np.arange(FRAMES) / FRAMES * 2 * math.pi:
        view = View.of(pitch=PITCH * math.sin(2 * turn), yaw=YAW * math.sin(turn))
        yield pixels(composite(face, view, light, size, background)[0])


def write_gif(pictures: list[Image.Image], path: str | Path) -> None:
    """Write RGB pictures as an endless GIF, marked as synthetic in its comment.

    Raises:
        OutputUnwritable: the file cannot be written.
    """
    few = pictures[::6]
    sheet = Image.new("RGB", (few[0].width, few[0].height * len(few)))
    for index, picture in enumerate(few):
        sheet.paste(picture, (0, few[0].height * index))
    palette = sheet.quantize(COLOURS, Image.Quantize.MEDIANCUT)
    first, *rest = (picture.quantize(palette=palette) for picture in pictures)
    with writing(path):
        first.save(path, "GIF", save_all=True, append_images=rest, duration=round(SECONDS / FRAMES * 1000), loop=0,
                   comment=NOTE.encode())


def write_mp4(pictures: list[Image.Image], path: str | Path) -> None:
    """Write RGB pictures with even sides as a film (MP4, H.264) of `ROUNDS` rounds, marked as synthetic in its comment.

    Raises:
        OutputUnwritable: the file cannot be written.
    """
    import av

    with writing(path), av.open(str(path), "w", options={"movflags": "faststart"}) as film:
        film.metadata["comment"] = NOTE
        stream = film.add_stream("libx264", rate=round(FRAMES / SECONDS), options={"crf": str(QUALITY)})
        stream.width, stream.height, stream.pix_fmt = *pictures[0].size, "yuv420p"
        for picture in pictures * ROUNDS:
            film.mux(stream.encode(av.VideoFrame.from_image(picture)))
        film.mux(stream.encode(None))
