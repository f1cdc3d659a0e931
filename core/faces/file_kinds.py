"""Names of the files that people take for photos, so that a refusal can say what to do."""

from __future__ import annotations

from collections.abc import Callable

EXPORT = "export it as JPEG, PNG or WebP first"
_DEVELOP = "export it as JPEG from the camera's or a photo program"
_FRAME = "save one of its frames as JPEG or PNG first"
_CHOOSE = "choose a photo"

_VIDEO_BRANDS = (b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"qt  ", b"M4V ", b"M4VH",
                 b"MSNV", b"dash", b"3gp4", b"3gp5", b"3g2a")
_MAX_CONTROL = 0x20


def _starts(*marks: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(marks)


_KINDS: tuple[tuple[Callable[[bytes], bool], str, str], ...] = (
    (lambda head: head[4:12] == b"ftypcrx " or head[8:10] == b"CR" and head[:4] == b"II*\0"
     or head.startswith((b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"\0MRM", b"FOVb")),
     "A camera's raw file", _DEVELOP),
    (_starts(b"8BPS"), "A Photoshop document", EXPORT),
    (_starts(b"gimp xcf"), "A GIMP document", EXPORT),
    (lambda head: b"%PDF-" in head, "A PDF document", EXPORT),
    (_starts(b"%!PS", b"\xc5\xd0\xd3\xc6"), "A PostScript drawing", EXPORT),
    (_starts(b"\xff\x0a", b"\0\0\0\x0cJXL "), "A JPEG XL file", EXPORT),
    (_starts(b"v/1\x01", b"#?RADIANCE", b"#?RGBE"), "A high dynamic range image", EXPORT),
    (lambda head: head[128:132] == b"DICM", "A DICOM file", EXPORT),
    (_starts(b"\0\0\1\0"), "An icon", EXPORT),
    (lambda head: head[4:8] == b"ftyp" and head[8:12] in _VIDEO_BRANDS or head[8:12] == b"AVI "
     or head.startswith((b"\x1aE\xdf\xa3", b"FLV\1", b"\0\0\1\xba", b"OggS")), "A video", _FRAME),
    (_starts(b"PK\3\4", b"\x1f\x8b", b"Rar!", b"7z\xbc\xaf"), "An archive", "unpack it and choose a photo in it"),
    (_starts(b"\x93NUMPY"), "A NumPy file", "pass the array itself, or save it as PNG"),
    (lambda head: b"<svg" in head.lower() or b"<?xml" in head.lower(), "An SVG drawing", EXPORT),
    (lambda head: b"<html" in head.lower() or b"<!doctype html" in head.lower(), "A web page",
     "save the photo itself, not the page around it"),
    (lambda head: _is_text(head), "A text file", _CHOOSE),
)


def foreign_kind(head: bytes) -> tuple[str, str] | None:
    """Name of a file that is no photo, and what to do with it; None where the beginning shows neither.

    Args:
        head: the first 512 bytes.
    """
    return next(((name, advice) for fits, name, advice in _KINDS if fits(head)), None)


def raw_advice() -> tuple[str, str]:
    """As `foreign_kind`, of a camera's raw file."""
    name, advice = _KINDS[0][1:]
    return name, advice


def is_heif(head: bytes) -> bool:
    """Whether a file is HEIC or another HEIF; AVIF, which Pillow reads, is none."""
    if head[4:8] != b"ftyp":
        return False
    brands = head[8:min(max(int.from_bytes(head[:4]), 12), len(head))]
    return not any(brand in brands for brand in (b"avif", b"avis")) and any(
        brand in brands for brand in (b"mif1", b"msf1", b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx"))


def _is_text(head: bytes) -> bool:
    """Whether bytes are UTF-8 without control characters, cut anywhere."""
    text = head.decode("utf-8", "ignore")
    lost = len(head) - len(text.encode())
    return lost <= 3 and bool(text) and all(ord(one) >= _MAX_CONTROL or one in "\t\n\r\f" for one in text)
