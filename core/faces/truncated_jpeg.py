"""JPEG files whose end is missing: read where hardly anything is lost.

libjpeg paints the missing rows grey and says nothing. The rows that are there are found by decoding the file with two
different endings: a row whose data is complete does not depend on the ending.
"""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from core.errors import ImageUnreadable

MIN_ROWS = 0.95
"""Part of the rows that must be there."""

_END = b"\xff\xd9"
_NOISE_BYTES = 1 << 15
_START_OF_SCAN = 0xDA
_NOT_FRAMES = (0xC4, 0xC8, 0xCC)


def read_truncated(data: bytes) -> Image.Image:
    """Decode a JPEG that ends too early.

    Args:
        data: the file; its size in pixels has been checked.

    Returns:
        The decoded image; of the missing rows, at most 5 %, the last ones are grey.

    Raises:
        ImageUnreadable: fewer than 95 % of the rows are there.
        OSError, SyntaxError: damaged otherwise.
    """
    data = data.removesuffix(b"\xff")
    noise = np.random.default_rng(0).integers(0, 255, _NOISE_BYTES, np.uint8).tobytes()
    image = _load(data + _END)
    pixels, other = np.asarray(image), np.asarray(_load(data + noise + _END))
    differs = np.flatnonzero((pixels != other).reshape(len(pixels), -1).any(1))
    rows = int(differs[0]) if len(differs) else len(pixels)
    if rows < MIN_ROWS * len(pixels) or not _has_all_scans(data):
        raise ImageUnreadable("A part of this photo is missing, perhaps its download was interrupted: get the whole "
                              "file, or open it in an image editor and save it again as JPEG or PNG.")
    return image


def _load(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=("JPEG",))
    image.load()
    return image


def _has_all_scans(data: bytes) -> bool:
    """Whether the scans, of which a progressive file has several, bring each coefficient to its last bit."""
    left: dict[int, set[int]] = {}
    at = 2
    while 0 <= at < len(data) - 4:
        marker, length = data[at + 1], int.from_bytes(data[at + 2:at + 4])
        body = data[at + 4:at + 2 + length]
        if 0xC0 <= marker <= 0xCF and marker not in _NOT_FRAMES:
            if marker != 0xC2:  # not progressive: one scan holds all bits
                return True
            left = {component: set(range(64)) for component in body[6::3]}
        if marker == _START_OF_SCAN:
            first, last, bits = body[-3:]
            for component in body[1:-3:2]:
                if not bits & 15:
                    left[component] -= set(range(first, last + 1))
        at = _next_marker(data, at + 2 + length)
    return not any(left.values())


def _next_marker(data: bytes, at: int) -> int:
    """Where the next segment starts; -1 at the end. Stuffed zeros, fill bytes and restart marks belong to a scan."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] not in (0, 0xFF) and not 0xD0 <= data[at + 1] <= 0xD7:
            return at
        at += 1
    return -1
