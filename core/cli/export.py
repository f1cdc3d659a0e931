"""python -m core export: a face as one file of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.cli.faces import FaceVerb
from core.export.provenance import DEPTH16, png_bytes, watermark
from core.files import write_bytes

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import Factors, TexturedFace

Kind = Literal["glb", "obj", "turntable", "turntable-mp4", "depth", "normals", "albedo", "codes-npz", "codes-json",
               "session"]
FILE_NAMES: dict[Kind, str] = {
    "glb": "face.glb", "obj": "face-obj.zip", "turntable": "turntable.gif", "turntable-mp4": "turntable.mp4",
    "depth": "depth16.png", "normals": "normals.png", "albedo": "albedo.png", "codes-npz": "codes.npz",
    "codes-json": "codes.json", "session": "session.latentface"}
TURNTABLE_SIZE, MAP_SIZE = 384, 256
"""Sides of a turntable's frames and of normals and albedo, pixels."""


@dataclass(frozen=True, kw_only=True)
class Export(FaceVerb):
    """Write a photo's face as one file: 3-D face, turntable, map, codes, or a session for the app."""

    kind: Kind = "glb"
    """kind of file"""
    stamp: bool = True
    """no visible watermark on turntables"""

    def names(self) -> list[str]:
        return [FILE_NAMES[self.kind]]

    def write(self, model: LatentFace, photo: Path, faces: Sequence[Face], index: int, folder: Path) -> dict[str, Any]:
        from core.export.report import report

        face, path = faces[index], folder / FILE_NAMES[self.kind]
        factors = model.analyze([face])
        if self.kind in ("glb", "obj"):
            model.mesh(model.texture(factors, [face])).write(path, self.overwrite)
        elif self.kind in ("turntable", "turntable-mp4"):
            self._write_turntable(model.texture(factors, [face]), path)
        elif self.kind == "session":
            self._write_session(model, photo, faces, index, path)
        else:
            write_bytes(path, self._contents(model, factors, face)[self.kind](), self.overwrite)
        return {**report(factors, face), "files": self.names()}

    def _write_turntable(self, face: TexturedFace, path: Path) -> None:
        from PIL import Image

        from core.export import turntable

        frames: list[Image.Image] = []
        for array in turntable.turntable(face, face.light, TURNTABLE_SIZE):
            image = Image.fromarray(array)
            frames.append(watermark(image) if self.stamp else image)
        write = turntable.write_gif if self.kind == "turntable" else turntable.write_mp4
        write(frames, path, self.overwrite)

    def _write_session(self, model: LatentFace, photo: Path, faces: Sequence[Face], index: int, path: Path) -> None:
        from core.export.session_file import SavedSession, write_session
        from core.faces.load_image import read_photo

        write_session(SavedSession(read_photo(photo), list(faces), index, model.fingerprint, {}), path, self.overwrite)

    def _contents(self, model: LatentFace, factors: Factors, face: Face) -> dict[str, Callable[[], bytes]]:
        """Content by kind, of the kinds that are no renders."""
        from core.export.maps import codes_json, codes_npz, depth16
        from core.export.visualize import normal_to_color

        def codes() -> Any:
            return model.split(factors.codes) if model.diffusion else factors.codes

        return {
            "depth": lambda: png_bytes(depth16(factors.canon_depth[0]), DEPTH16),
            "normals": lambda: _map_png(normal_to_color(factors.canon_normal),
                                        "canonical normals: red to the right, green up, blue to the camera"),
            "albedo": lambda: _map_png(factors.canon_albedo, "canonical albedo"),
            "codes-npz": lambda: codes_npz(factors, codes()),
            "codes-json": lambda: codes_json(factors, face, codes()),
        }


def _map_png(maps: Tensor, title: str) -> bytes:
    """Maps (1, 3, H, W) as an upsampled PNG."""
    from core.export.maps import map_image

    return png_bytes(map_image(maps, MAP_SIZE), title)
