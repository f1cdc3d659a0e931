"""python -m core edit: a face changed by named amounts, in its whole photo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli.render import Render
from core.errors import ArgumentInvalid

if TYPE_CHECKING:
    from PIL import Image

    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import Factors, TexturedFace


@dataclass(frozen=True, kw_only=True)
class Edit(Render):
    """Change a photo's face by named amounts, and its pose and light, in the whole photo, as PNG."""

    set: tuple[str, ...] = ()
    """names with amounts, such as smile=0.8 'red lips=1'; a wrong name is answered with the nearest ones"""
    change_identity: bool = False
    """expressions may change the identity coordinates of the codes"""
    whole: bool = True
    """the face alone, --size pixels, instead of the whole photo"""

    file = "edited.png"
    title = "an edited face"

    def check(self) -> None:
        super().check()
        parse_amounts(self.set)
        if self.whole and (self.background, self.detail) != ("Photo", "Photo"):
            raise ArgumentInvalid("--background and --detail need --no-whole: the whole photo keeps its own.")

    def image(self, model: LatentFace, factors: Factors, face: Face, photo: Path) -> Image.Image:
        from PIL import Image

        from core.faces import recut

        if not self.whole:
            return super().image(model, factors, face, photo)
        edited = self.textured(model, factors, recut(photo, face))
        return Image.fromarray(model.paste(edited, photo, face.crop, self.view(factors.view),
                                           self.light(factors.light)))

    def textured(self, model: LatentFace, factors: Factors, face: Face) -> TexturedFace:
        amounts = parse_amounts(self.set)
        return model.edit(super().textured(model, factors, face), amounts, not self.change_identity)


def parse_amounts(texts: tuple[str, ...]) -> dict[str, float]:
    """Amounts by name of texts such as "smile=0.8"; ArgumentInvalid for others."""
    amounts = {}
    for text in texts:
        name, equals, amount = text.rpartition("=")
        try:
            amounts[name.strip()] = float(amount)
        except ValueError:
            equals = ""
        if not equals:
            raise ArgumentInvalid(f"--set takes names with amounts, such as smile=0.8, got {text!r}.")
    return amounts
