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
from PIL import Image, UnidentifiedImageError

from core.errors import ImageTooLarge, ImageTooSmall, ImageUnreadable
from core.faces.colour import BACKGROUND, to_srgb
from core.faces.file_kinds import EXPORT, foreign_kind, is_heif, raw_advice
from core.faces.truncated_jpeg import read_truncated

MAX_BYTES = 20 * 2**20
MAX_PIXELS = 40_000_000
MIN_SIDE = 16
FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "BMP", "GIF", "TIFF", "PPM", "JPEG2000", "TGA")
"""Formats that Pillow opens; pillow-heif adds HEIC. Pillow's other readers would only add attack surface. TGA comes
last: it has no mark at its beginning."""
ANIMATIONS = ("GIF", "PNG", "WEBP", "AVIF")
MAX_PAGES = 64
"""Pages of a TIFF that are looked at."""

PhotoSource: TypeAlias = str | os.PathLike | bytes | Image.Image | np.ndarray
"""What `read_photo` reads: a path, the bytes of a file, a PIL image or an array."""

_DAMAGE = (OSError, SyntaxError, ValueError, RuntimeError, TypeError, LookupError, ArithmeticError, AttributeError,
           AssertionError, EOFError, struct.error, zlib.error)
"""What Pillow's decoders raise on damaged files."""
_BLANK_RANGE = 4
"""Levels between the brightest and the darkest pixel of a blank frame."""
_TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
          5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
          8: Image.Transpose.ROTATE_90}
_ORIENTATION, _SUBFILE_TYPE, _MAKE, _SUB_IFDS, _DNG_VERSION = 274, 254, 271, 330, 50706


def read_photo(source: PhotoSource) -> np.ndarray:
    """Read a photo as upright, opaque 8-bit sRGB.

    Of a TIFF the page with most pixels is taken, of an animation the first frame that is not blank, of a HEIC its main
    photo. Embedded colour profiles are applied. Transparent parts come out white. A JPEG whose end is missing is read
    where at least 95 % of its rows are there.

    Args:
        source: a path, the bytes of a file, a PIL image (its current frame is taken), or an array (H, W), (H, W, 1),
            (H, W, 3) or (H, W, 4): uint8, uint16, boolean, or float in [0, 1].

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
            return _to_rgb(source)
        with _open(source) as image:
            return _decode(image, source)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except _DAMAGE as error:
        raise ImageUnreadable("This photo is damaged or incomplete: open it in an image editor, save it "
                              "again as JPEG or PNG, and try the new file.") from error


def _open(source: PhotoSource) -> Image.Image:
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
    return _open_heif(file) if is_heif(head) else _open_with_pillow(file, head)


def _open_with_pillow(file: str | os.PathLike | io.BytesIO, head: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # _check_size applies a lower limit
            image = Image.open(file, formats=FORMATS)
    except UnidentifiedImageError as error:
        raise _foreign(*(foreign_kind(head) or ("This file", EXPORT))) from error
    if image.format == "TGA" and (kind := foreign_kind(head)):
        raise _foreign(*kind)
    if image.format == "TIFF" and _is_raw(image, head):
        raise _foreign(*raw_advice())
    return image


def _open_heif(file: str | os.PathLike | io.BytesIO) -> Image.Image:
    from pillow_heif import HeifImageFile

    return HeifImageFile(file)


def _foreign(kind: str, advice: str) -> ImageUnreadable:
    return ImageUnreadable(f"{kind} is not a photo that can be read: {advice}.")


def _is_raw(image: Image.Image, head: bytes) -> bool:
    """Whether a TIFF is a camera's raw file, of which Pillow would read the thumbnail."""
    tags = getattr(image, "tag_v2", {})
    return (head[8:10] == b"CR" or _DNG_VERSION in tags
            or _MAKE in tags and _SUB_IFDS in tags and tags.get(_SUBFILE_TYPE, 0) & 1 == 1)


def _decode(image: Image.Image, source: PhotoSource) -> np.ndarray:
    """The page or frame of a file that shows the photo, as (H, W, 3) uint8."""
    if image.format == "TIFF":
        _seek_largest_page(image)
    _check_size(*image.size)
    if image.format in ANIMATIONS and getattr(image, "is_animated", False):
        return _first_visible_frame(image)
    if image.format in ("JPEG", "MPO"):
        try:
            image.load()
        except OSError:
            image = read_truncated(_bytes(source))
    return _to_rgb(image)


def _bytes(source: PhotoSource) -> bytes:
    """Content of a file."""
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    assert isinstance(source, str | os.PathLike)
    with open(source, "rb") as stream:
        return stream.read(MAX_BYTES)


def _seek_largest_page(image: Image.Image) -> None:
    """Go to the page with most pixels, the first of equal ones. A damaged page ends the search."""
    areas = []
    try:
        for number in range(MAX_PAGES):
            image.seek(number)
            areas.append(image.size[0] * image.size[1])
    except _DAMAGE:  # EOFError behind the last page
        pass
    image.seek(int(np.argmax(areas)) if areas else 0)


def _first_visible_frame(image: Image.Image) -> np.ndarray:
    """The first frame that is not of one colour, of those that make up 40 megapixels together; else the first."""
    width, height = image.size
    first = frame = _to_rgb(image)
    for number in range(1, MAX_PIXELS // (width * height)):
        if np.ptp(frame, axis=(0, 1)).max() > _BLANK_RANGE:
            return frame
        try:
            image.seek(number)
        except EOFError:
            return first
        frame = _to_rgb(image)
    return frame if np.ptp(frame, axis=(0, 1)).max() > _BLANK_RANGE else first


def _to_rgb(image: Image.Image) -> np.ndarray:
    """Check the header's size, then decode, turn upright and flatten to (H, W, 3) uint8."""
    _check_size(*image.size)
    image.load()
    return np.array(to_srgb(_upright(image)))


def _upright(image: Image.Image) -> Image.Image:
    """Turn an image as its EXIF says; a damaged EXIF says nothing."""
    try:
        turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    except _DAMAGE:
        return image
    return image.transpose(turn) if turn is not None else image


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
        unit = unit[..., :3] * alpha + (1 - alpha) * np.array(BACKGROUND, np.float32) / 255
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
