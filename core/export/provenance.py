"""What all written files share: a mark that says they are synthetic."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

SYNTHETIC = {"synthetic": True, "source": "LatentFace", "note": "A model's estimate from one photo."}
"""What exported files say about themselves."""
CONSENT = "Make a face move only if the person in the photo has agreed to it, and say that the film is synthetic."
"""What is said before the first film of a face is written."""
NEAR, FAR = 0.9, 1.1
"""Depths that 0 and 65535 of a 16-bit image stand for."""
DEPTH16 = (f"canonical depth, 16 bit: {NEAR} + value / 65535 · {FAR - NEAR:.1f} camera distances, at the model's "
           "resolution")


def png_bytes(image: Image.Image, title: str, synthetic: bool = True) -> bytes:
    """An image as PNG whose metadata says what it shows, and that it is synthetic unless it is the photo itself."""
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    text.add_text("Software", "LatentFace")
    text.add_text("Title", title)
    if synthetic:
        text.add_text("Synthetic", f"true: {SYNTHETIC['note']}")
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=text)
    return file.getvalue()


def watermark(image: Image.Image) -> Image.Image:
    """A copy with the visible word "synthetic" in its lower left corner."""
    from PIL import ImageDraw, ImageFont

    image = image.copy()
    size = max(10, image.height // 32)
    ImageDraw.Draw(image).text((size, image.height - size), "synthetic", font=ImageFont.load_default(size), anchor="ls",
                               fill="white", stroke_width=max(1, size // 10), stroke_fill="black")
    return image
