"""A face that looks around once, as an endless GIF."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.display import pixels
from core.files import SYNTHETIC, writing
from core.render import PhotoFace, draw
from core.types import Light, View

YAW, PITCH = math.radians(40), math.radians(8)
"""Farthest turn to either side."""
FRAMES, SECONDS = 36, 3.6
"""Of one round."""
COLOURS = 255
"""Of the palette that all pictures share: with one each, colours would flicker."""


@torch.inference_mode()
def turntable(face: PhotoFace, light: Light, size: int, background="photo") -> Iterator[np.ndarray]:
    """Draw one face from all sides that one photo knows something of.

    Args:
        face: one face.
        light: one light.
        size: side of the pictures in pixels.
        background: as for `core.render.draw`.

    Yields:
        `FRAMES` pictures (size, size, 3) uint8; the first follows the last.
    """
    for turn in np.arange(FRAMES) / FRAMES * 2 * math.pi:
        view = View.of(pitch=PITCH * math.sin(2 * turn), yaw=YAW * math.sin(turn))
        yield pixels(draw(face, view, light, size, background)[0])


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
    note = f"LatentFace, synthetic: {SYNTHETIC['note']}"
    with writing(path):
        first.save(path, "GIF", save_all=True, append_images=rest, duration=round(SECONDS / FRAMES * 1000), loop=0,
                   comment=note.encode())
