"""Kinds of files that a face is exported as: the same on the command line, on the page and in the HTTP API."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

    from core.faces import Face
    from core.types import Codes, Factors, SplitCodes

Maps = Literal["depth", "normals", "albedo", "codes-npz", "codes-json"]
"""Kinds that are written from factors and codes alone, see `content`."""
Kind = Literal["turntable", "turntable-mp4", "glb", "obj", Maps, "session"]
FILE_NAMES: dict[Kind, str] = {
    "turntable": "turntable.gif", "turntable-mp4": "turntable.mp4", "glb": "face.glb", "obj": "face-obj.zip",
    "depth": "depth16.png", "normals": "normals.png", "albedo": "albedo.png", "codes-npz": "codes.npz",
    "codes-json": "codes.json", "session": "session.latentface"}
TURNTABLE_SIZE, MAP_SIZE = 384, 256
"""Sides of a turntable's frames, and of normals and albedo, which are upsampled: pixels."""


def content(kind: Maps, factors: Factors, face: Face, codes: Callable[[], Codes | SplitCodes]) -> bytes:
    """The content of a file of maps or codes.

    Args:
        kind: of the file.
        factors: of one face.
        face: the aligned photo.
        codes: gives its codes; called only for files of codes.
    """
    from core.export.maps import codes_json, codes_npz, depth16
    from core.export.provenance import DEPTH16, png_bytes
    from core.export.visualize import normal_to_color

    if kind == "depth":
        return png_bytes(depth16(factors.canon_depth[0]), DEPTH16)
    if kind == "normals":
        return _map_png(normal_to_color(factors.canon_normal),
                        "canonical normals: red to the right, green up, blue to the camera")
    if kind == "albedo":
        return _map_png(factors.canon_albedo, "canonical albedo")
    return codes_npz(factors, codes()) if kind == "codes-npz" else codes_json(factors, face, codes())


def _map_png(maps: Tensor, title: str) -> bytes:
    """Maps (1, 3, H, W) as an upsampled PNG."""
    from core.export.maps import map_image
    from core.export.provenance import png_bytes

    return png_bytes(map_image(maps, MAP_SIZE), title)
