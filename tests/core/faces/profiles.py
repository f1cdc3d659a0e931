"""ICC profiles, made by code."""

import struct

D50 = (0.9642, 1.0, 0.8249)
DISPLAY_P3 = ((0.5151, 0.2412, -0.0011), (0.2920, 0.6922, 0.0419), (0.1571, 0.0666, 0.7841))
ADOBE_RGB = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
PROPHOTO = ((0.7977, 0.2880, 0.0), (0.1352, 0.7119, 0.0), (0.0313, 0.0001, 0.8249))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def rgb_profile(primaries, gamma: tuple[float, ...]) -> bytes:
    """Red, green and blue as XYZ under D50, and the parameters of one curve (ICC.1 parametricCurveType)."""
    curve = _curve(gamma)
    tags = {b"wtpt": _xyz(D50), b"rXYZ": _xyz(primaries[0]), b"gXYZ": _xyz(primaries[1]), b"bXYZ": _xyz(primaries[2]),
            b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}
    return _profile(b"RGB ", tags)


def grey_profile(gamma: float) -> bytes:
    """A grey of one gamma."""
    return _profile(b"GRAY", {b"wtpt": _xyz(D50), b"kTRC": _curve((gamma,))})


def cmyk_profile() -> bytes:
    """Four inks: Lab lightness falls from 100 by 60 for each full cyan, magenta and yellow, to 0 for black (lut8)."""
    rows = bytearray(b"mft1" + bytes(4) + bytes((4, 3, 2, 0)))
    rows += b"".join(struct.pack(">i", value << 16) for value in (1, 0, 0, 0, 1, 0, 0, 0, 1))
    rows += bytes(range(256)) * 4
    for inks in range(16):
        black, light = inks & 1, 255 - 60 * (inks >> 1).bit_count()
        rows += bytes((0 if black else light, 128, 128))
    rows += bytes(range(256)) * 3
    tags = {b"wtpt": _xyz(D50), b"A2B0": bytes(rows), b"A2B1": bytes(rows)}
    return _profile(b"CMYK", tags, kind=b"prtr", connection=b"Lab ")


def _xyz(values) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(value * 65536)) for value in values)


def _curve(parameters: tuple[float, ...]) -> bytes:
    kind = {1: 0, 5: 3}[len(parameters)]
    return b"para" + bytes(4) + struct.pack(">HH", kind, 0) + b"".join(
        struct.pack(">i", round(value * 65536)) for value in parameters)


def _profile(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"mntr", connection: bytes = b"XYZ ") -> bytes:
    table, body, start = b"", b"", 128 + 4 + 12 * len(tags)
    for name, content in tags.items():
        content += bytes(-len(content) % 4)
        table += name + struct.pack(">II", start + len(body), len(content))
        body += content
    size = start + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"none", 0x04000000 if connection == b"XYZ " else 0x02000000, kind, space,
                         connection) + struct.pack(">6H", 2020, 1, 1, 0, 0, 0) + b"acsp"
    header += bytes(68 - len(header)) + _xyz(D50)[8:]
    return header + bytes(128 - len(header)) + struct.pack(">I", len(tags)) + table + body
