"""python -m core head: a face as a whole head with named expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.faces import FaceVerb

if TYPE_CHECKING:
    from core.faces import Face
    from core.pipeline import LatentFace


@dataclass(frozen=True, kw_only=True)
class MakeHead(FaceVerb):
    """Write a photo's face as a textured head with morph targets, life size, as GLB."""

    def names(self) -> list[str]:
        return ["head.glb"]

    def write(self, model: LatentFace, photo: Path, faces: Sequence[Face], index: int, folder: Path) -> dict[str, Any]:
        from core.export.report import report

        factors = model.analyze([faces[index]])
        model.head(model.texture(factors, [faces[index]])).write(folder / "head.glb", self.overwrite)
        return {**report(factors, faces[index]), "files": self.names()}
