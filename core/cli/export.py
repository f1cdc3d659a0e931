"""python -m core export: a face as one file of a kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.faces import FaceVerb
from core.export.kinds import FILE_NAMES, TURNTABLE_SIZE, Kind, content
from core.files import write_bytes

if TYPE_CHECKING:
    from PIL import Image

    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import TexturedFace


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
            write_bytes(path, content(self.kind, factors, face, lambda: model.split(factors.codes) if model.diffusion
                                      else factors.codes), self.overwrite)
        return {**report(factors, face), "files": self.names()}

    def _write_turntable(self, face: TexturedFace, path: Path) -> None:
        from PIL import Image

        from core.export import turntable
        from core.export.provenance import watermark

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
