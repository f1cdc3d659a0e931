"""Photos in unusual formats, whole and broken: functions that return their bytes."""

from __future__ import annotations

import io
import struct

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

from benchmarks.hostile_files import encoded, photo

BLANK = Image.new("RGB", (256, 256), "white")
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
LAB = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
JP2_SIZE = b"\xff\x51"
"""Marker of the size in a JPEG 2000 codestream."""


def heic() -> bytes:
    """As phones save photos."""
    from pillow_heif import from_pillow

    file = io.BytesIO()
    from_pillow(photo()).save(file)
    return file.getvalue()


def jpeg_2000_of_size(side: int) -> bytes:
    """A small JPEG 2000 file whose header claims another size."""
    content = encoded(photo(), "JPEG2000", no_jp2=True)
    at = content.index(JP2_SIZE) + 6
    return content[:at] + struct.pack(">II", side, side) + content[at + 8:]


def tga_of_noise() -> bytes:
    """The header of a TGA file, packed, and noise instead of pixels."""
    header = struct.pack("<BBBHHBHHHHBB", 0, 0, 10, 0, 0, 0, 0, 0, 256, 256, 24, 0)
    return header + np.random.default_rng(0).bytes(5000)


def gray() -> np.ndarray:
    """Luminance of the photo: (256, 256) in [0, 1]."""
    return np.asarray(photo().convert("L"), np.float32) / 255


def tiff(values: np.ndarray, bits: int, photometric: int = 1, following: int = 0) -> bytes:
    """An uncompressed gray TIFF.

    Args:
        values: (H, W) uint16.
        bits: 12 or 16 of each pixel.
        photometric: 0 where zero is white, 1 where it is black.
        following: where the file says that its next page begins; 8 is this page again.
    """
    data = values.tobytes()
    if bits == 12:
        first, second = values.reshape(-1, 2).astype(int).T
        data = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], 1).astype(np.uint8).tobytes()
    height, width = values.shape
    tags = [(256, width), (257, height), (258, bits), (259, 1), (262, photometric), (273, 8 + 2 + 12 * 9 + 4), (277, 1),
            (278, height), (279, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", following) + data


def tiff_of_size(side: int) -> bytes:
    """A small TIFF whose header claims another size."""
    content = bytearray(tiff(np.zeros((16, 16), np.uint16), 16))
    for at in (18, 30):  # the values of its first two tags
        struct.pack_into("<I", content, at, side)
    return bytes(content)


def pages(*images: Image.Image) -> bytes:
    """A TIFF of several pages."""
    first, *others = (image.copy() for image in images)  # Pillow keeps the settings of the last encoder with an image
    return encoded(first, "TIFF", save_all=True, append_images=others)


def raw() -> bytes:
    """A camera's raw file (DNG), whose first page is a thumbnail."""
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[50706] = b"\1\4\0\0"
    return encoded(photo(), "TIFF", tiffinfo=tags)


def film(*frames: Image.Image, kind: str = "GIF") -> bytes:
    """An animation."""
    return encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)


def jpeg_of_noise() -> bytes:
    """A JPEG with noise where its pixels are."""
    content = encoded(photo())
    scan = content.index(b"\xff\xda") + 14
    return content[:scan] + np.random.default_rng(0).integers(0, 255, len(content) - scan - 2, np.uint8).tobytes() + \
        content[-2:]


def clear() -> Image.Image:
    """A photo that is transparent everywhere."""
    image = photo().copy()
    image.putalpha(0)
    return image
