"""python -m core augment: each face at several amounts of one semantic, to balance a collection (arXiv 2103.16605)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.render import RenderVerb
from core.errors import ArgumentInvalid

if TYPE_CHECKING:
    from core.faces import Face
    from core.pipeline import LatentFace


@dataclass(frozen=True, kw_only=True)
class Augment(RenderVerb):
    """Render a photo's face at several amounts of one semantic, in its own pose and light, as PNG."""

    along: str
    """name of the semantic, such as smile; a wrong name is answered with the nearest ones"""
    amounts: tuple[float, ...]
    """amounts, added to the face's own: sigma of found directions, weights of expressions"""
    size: int = 256
    """side of the renders, 16 to 2048 pixels"""
    stamp: bool = False
    """a visible watermark beside the metadata, which always say that the renders are synthetic"""

    def check(self) -> None:
        super().check()
        if not self.amounts:
            raise ArgumentInvalid("--amounts needs at least one number.")

    def names(self) -> list[str]:
        return [f"{self.along.replace(' ', '_')}_{amount:+g}.png" for amount in self.amounts]

    def write(self, model: LatentFace, photo: Path, faces: Sequence[Face], index: int, folder: Path) -> dict[str, Any]:
        from core.export.report import report

        face = faces[index]
        factors = model.analyze([face])
        textured = self.textured(model, factors, face)
        for name, amount in zip(self.names(), self.amounts, strict=True):
            edited = model.edit(textured, {self.along: amount})
            title = f"the face with {amount:+g} of {self.along!r}"
            self.save(self.to_image(model.render(edited, size=self.size)), folder / name, title)
        return {**report(factors, face), "files": self.names()}
