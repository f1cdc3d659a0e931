"""python -m core frontalize: a face from the front, in the photo's light."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.cli.render import RenderVerb

if TYPE_CHECKING:
    from torch import Tensor

    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import Factors


@dataclass(frozen=True, kw_only=True)
class Frontalize(RenderVerb):
    """Render a photo's face from the front in the photo's light, as PNG."""

    file = "frontal.png"
    title = "the face from the front"

    def render(self, model: LatentFace, factors: Factors, face: Face) -> Tensor:
        from core.types import View

        view = View.of(0, 0, 0, *factors.view.translation[0].tolist())
        return model.render(self.textured(model, factors, face), view, size=self.size)
