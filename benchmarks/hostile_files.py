"""Files that are broken, enormous or malicious: functions that return their bytes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
from PIL import Image

from benchmarks.visitors import EXAMPLES


@cache
def photo() -> Image.Image:
    """A photo with a face."""
    with Image.open(EXAMPLES[0]) as image:
        return image.convert("RGB").resize((256, 256))


def encoded(image: Image.Image, kind: str = "JPEG", **options) -> bytes:
    """An image as a file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def cut(content: bytes) -> bytes:
    """The first half."""
    return content[: len(content) // 2]


def chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG."""
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def png(width: int, height: int, *parts: bytes) -> bytes:
    """A PNG whose header claims this size, whatever its parts hold."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(parts) + chunk(b"IEND", b"")


def jpeg_of_size(width: int, height: int) -> bytes:
    """A small JPEG whose header claims another size."""
    content = encoded(photo())
    at = content.index(b"\xff\xc0") + 5
    return content[:at] + struct.pack(">HH", height, width) + content[at + 4:]


def png_checksum() -> bytes:
    """A PNG with one changed byte."""
    content = bytearray(encoded(photo(), "PNG"))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def exif(orientation: int) -> bytes:
    """A photo with an EXIF orientation."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    return encoded(photo(), exif=tags)


def endless_exif() -> bytes:
    """A photo whose list of tags refers to itself."""
    tiff = b"II*\x00\x08\x00\x00\x00" + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    return encoded(photo(), exif=b"Exif\x00\x00" + tiff)


def animated(kind: str) -> bytes:
    """Twelve frames in one file."""
    return encoded(photo(), kind, save_all=True, append_images=[photo().rotate(angle) for angle in range(1, 12)])


def bomb_in_text() -> bytes:
    """A PNG with 20 MB of text in it, packed."""
    packed = zlib.compress(bytes(20 * 2**20))
    return png(256, 256, chunk(b"zTXt", b"Comment\x00\x00" + packed), chunk(b"IDAT", zlib.compress(bytes(769 * 256))))


def pdf_with_jpeg() -> bytes:
    """A PDF that holds a photo."""
    return b"%PDF-1.4\n1 0 obj<</Filter/DCTDecode>>stream\n" + encoded(photo()) + b"\nendstream endobj\n%%EOF"


def zip_bomb() -> bytes:
    """20 MB of zeros, packed."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../../photo.jpg", bytes(20 * 2**20))
    return file.getvalue()


class Harm:
    """Code that a pickle runs when it is opened."""

    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was opened')",)


def arrays(**named) -> bytes:
    """A NumPy archive."""
    file = io.BytesIO()
    np.savez(file, **named)
    return file.getvalue()


def npy(array: np.ndarray) -> bytes:
    """A NumPy array."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def session(change: Callable[[dict, dict], object]) -> Callable[[bytes], bytes]:
    """A function that changes the arrays and the JSON of an exported session file."""
    def make(exported: bytes) -> bytes:
        from safetensors.torch import load, save

        arrays = load(exported)
        length, = struct.unpack("<Q", exported[:8])
        metadata = json.loads(exported[8:8 + length])["__metadata__"]
        about = json.loads(metadata["session"])
        change(arrays, about)
        return save(arrays, metadata | {"session": json.dumps(about)})

    return make


def with_photo(content: bytes) -> Callable[[bytes], bytes]:
    """A function that replaces the photo in an exported session file."""
    def change(arrays: dict, about: dict) -> None:
        import torch

        arrays["photo"] = torch.frombuffer(bytearray(content), dtype=torch.uint8)

    return session(change)


def foreign_tensors(_: bytes) -> bytes:
    """An unrelated safetensors file."""
    import torch
    from safetensors.torch import save

    return save({"weight": torch.zeros(4, 4)}, {"format": "pt"})
