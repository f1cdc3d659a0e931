"""Safe reading of photos from files, bytes, PIL images and arrays.

All limits are checked before pixels are decoded, so a hostile or huge file costs no memory.
"""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from core.errors import ImageTooLarge, ImageTooSmall, ImageUnreadable

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 40_000_000
MIN_SIDE = 16
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM")
"""Formats that are opened. Pillow's other readers (EPS, PDF, fonts, ...) would only add attack surface."""

PhotoSource: TypeAlias = str | os.PathLike | bytes | Image.Image | np.ndarray
"""What `read_photo` reads: a path, the bytes of a file, a PIL image or an array."""

_BACKGROUND = (255, 255, 255)
_DAMAGE = (OSError, SyntaxError, ValueError, RuntimeError, TypeError, IndexError, OverflowError, EOFError,
           struct.error, zlib.error)
"""What Pillow's decoders raise on damaged files."""


def read_photo(source: PhotoSource) -> np.ndarray:
    """Read a photo as upright, opaque 8-bit RGB.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4): uint8, uint16, boolean, or float in [0, 1]. Transparent parts come out white; of an
            animation the first frame is taken.

    Returns:
        (H, W, 3) uint8, contiguous. An array that is this already is returned as it is, not copied.

    Raises:
        ImageUnreadable: not an image file, damaged, or of an unknown format.
        ImageTooLarge: more than 20 MB or 40 megapixels.
        ImageTooSmall: a side of fewer than 16 pixels.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    try:
        if isinstance(source, Image.Image):
            return _decode(source)
        with _open(source) as image:
            return _decode(image)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except _DAMAGE as error:
        raise ImageUnreadable("This photo is damaged or incomplete: open it in an image editor, save it "
                              "again as JPEG or PNG, and try the new file.") from error


def _open(source):
    """Open a path or bytes with the limits on bytes; the caller handles damage."""
    if isinstance(source, bytes | bytearray | memoryview):
        size, file, head = len(source), io.BytesIO(source), bytes(source[:512])
    elif isinstance(source, str | os.PathLike):
        try:
            size = os.stat(source).st_size
            with open(source, "rb") as stream:
                head = stream.read(512)
        except OSError as error:
            raise ImageUnreadable(f"{os.path.basename(source)} cannot be opened: check that it exists and is "
                                  "an image file.") from error
        file = source
    else:
        raise ImageUnreadable(f"A {type(source).__name__} is not a photo: pass a path, bytes, a PIL image or "
                              "an array.")
    if size == 0:
        raise ImageUnreadable("This file is empty: choose another photo.")
    if size > MAX_BYTES:
        raise ImageTooLarge(f"This file has {size / 2**20:.0f} MB, the limit is {MAX_BYTES >> 20} MB: save "
                            "it smaller or with more compression.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # _check_size applies a lower limit
            return Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        kind = "An SVG drawing" if b"<svg" in head.lower() or b"<?xml" in head.lower() else "This file"
        raise ImageUnreadable(f"{kind} is not a photo that can be read: export it as JPEG, PNG or WebP "
                              "first.") from error


def _decode(image):
    """Check the header's size, then decode, turn upright and flatten to (H, W, 3) uint8."""
    _check_size(*image.size)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        upright = ImageOps.exif_transpose(image)
        return _from_array(_to_unit(np.asarray(upright)))
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _BACKGROUND), image)
    return np.array(image.convert("RGB"))


def _to_unit(values):
    """Grey values of a 16-bit, 32-bit or float image to float [0, 1]."""
    values = values.astype(np.float32)
    top = float(values.max())
    return values / (1 if top <= 1 else 255 if top <= 255 else 65535 if top <= 65535 else top)


def _from_array(array):
    """Check and convert an array to (H, W, 3) uint8."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ImageUnreadable(f"An array of shape {array.shape} is not a photo: it must be (height, width), "
                              "or that with 1, 3 or 4 channels last.")
    _check_size(array.shape[1], array.shape[0])
    if array.dtype == np.uint8 and array.shape[2] == 3:
        return np.ascontiguousarray(array)
    unit = _array_to_unit(array)
    if unit.shape[2] == 4:
        alpha = unit[..., 3:]
        unit = unit[..., :3] * alpha + (1 - alpha) * np.array(_BACKGROUND, np.float32) / 255
    return np.ascontiguousarray(np.broadcast_to((unit * 255).round(), (*unit.shape[:2], 3)).astype(np.uint8))


def _array_to_unit(array):
    """Any supported dtype to float32 in [0, 1]."""
    if array.dtype == bool or array.dtype.kind == "f":
        unit = array.astype(np.float32)
        if not np.isfinite(unit).all() or unit.min() < -0.01 or unit.max() > 1.01:
            raise ImageUnreadable("A float array must hold finite values in [0, 1]: divide by its largest "
                                  "value first.")
        return unit.clip(0, 1)
    if array.dtype in (np.uint8, np.uint16):
        return array.astype(np.float32) / np.iinfo(array.dtype).max
    raise ImageUnreadable(f"An array of {array.dtype} is not a photo: use uint8, uint16, or float in [0, 1].")


def _check_size(width, height):
    if width * height > MAX_PIXELS:
        raise _too_many_pixels()
    if min(width, height) < MIN_SIDE:
        raise ImageTooSmall(f"This photo has {width} × {height} pixels, at least {MIN_SIDE} × {MIN_SIDE} "
                            "are needed: choose a larger one.")


def _too_many_pixels():
    return ImageTooLarge(f"This photo has more than {MAX_PIXELS // 1_000_000} megapixels: make it smaller.")
