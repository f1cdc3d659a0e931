"""python -m core swap: a face with the expression of another photo's face."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli.faces import load_model
from core.cli.render import RenderVerb

if TYPE_CHECKING:
    from torch import Tensor

    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import Factors, TexturedFace


@dataclass(frozen=True, kw_only=True)
class Swap(RenderVerb):
    """Render a photo's face with the expression of the donor's face, in the photo's pose and light, as PNG."""

    donor: Path
    """photo whose expression is used"""
    donor_face: int = 1
    """which face of the donor's photo, 1 is the largest"""
    albedo: float = 1.0
    """strength, 0 to 1.5"""
    depth: float = 1.0
    """strength of the shape, 0 to 1.5; only for --detail Decoded"""

    file = "swap.png"
    title = "the identity of one photo with the expression of another"

    def check(self) -> None:
        from core.arguments import check_strength

        super().check()
        check_strength("albedo", self.albedo)
        check_strength("depth", self.depth)

    def render(self, model: LatentFace, factors: Factors, face: Face) -> Tensor:
        donor = _open_donor(self.donor, self.donor_face, self.weights, self.rasterizer)
        if self.detail == "Decoded":
            return model.render(model.swap(factors, donor.factors, self.depth, self.albedo), size=self.size)
        return model.render(model.reenact(model.texture(factors, [face]), donor, self.albedo), size=self.size)


@functools.lru_cache(1)
def _open_donor(photo: Path, number: int, weights: str | None, rasterizer: str) -> TexturedFace:
    """The donor's face, once for all photos of this process."""
    from core.arguments import check_face

    model = load_model(weights, rasterizer)
    faces = model.find_faces(photo)
    face = faces[check_face(number, len(faces), "donor_face") - 1]
    return model.texture(model.analyze([face]), [face])
