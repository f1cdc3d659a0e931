"""What every file that is written has in common: it says that it is synthetic, and errors say what to do."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from core.errors import OutputUnwritable

SYNTHETIC = {"synthetic": True, "source": "LatentFace", "note": "A model's estimate from one photo."}
"""What exported files say about themselves."""


@contextlib.contextmanager
def writing(path: str | Path):
    """Raise OutputUnwritable where a file cannot be written."""
    try:
        yield
    except OSError as error:
        raise OutputUnwritable(f"Cannot write {path} ({error.strerror}): choose another folder.") from error


def png_bytes(image: Image.Image, title: str, synthetic: bool = True) -> bytes:
    """A picture as PNG that names what it shows, and that it is synthetic unless it is the photo itself."""
    text = PngInfo()
    text.add_text("Software", "LatentFace")
    text.add_text("Title", title)
    if synthetic:
        text.add_text("Synthetic", f"true: {SYNTHETIC['note']}")
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=text)
    return file.getvalue()


def stamped(image: Image.Image) -> Image.Image:
    """A copy with "synthetic" written in its lower left corner, for every eye to see."""
    image = image.copy()
    size = max(10, image.height // 32)
    ImageDraw.Draw(image).text((size, image.height - size), "synthetic", font=ImageFont.load_default(size), anchor="ls",
                               fill="white", stroke_width=max(1, size // 10), stroke_fill="black")
    return image
