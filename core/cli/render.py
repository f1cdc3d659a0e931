"""python -m core render: a face in a pose and a light; and what verbs share that give one render of a face."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from core.cli.faces import FaceVerb
from core.export.provenance import png_bytes, watermark
from core.files import write_bytes

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import Factors, Light, TexturedFace, View

Detail = Literal["Photo", "Decoded"]


@dataclass(frozen=True, kw_only=True)
class RenderVerb(FaceVerb):
    """A verb that writes one render of each face."""

    detail: Detail = "Photo"
    """the photo's own detail, or the decoded maps alone"""
    size: int = 512
    """side of the render, 16 to 2048 pixels"""
    stamp: bool = True
    """no visible watermark; the metadata says that the render is synthetic all the same"""

    file = "render.png"
    title = "the face in a chosen pose and light"

    def check(self) -> None:
        from core.arguments import check_size

        check_size(self.size)

    def names(self) -> list[str]:
        return [self.file]

    def write(self, model: LatentFace, photo: Path, faces: Sequence[Face], index: int, folder: Path) -> dict[str, Any]:
        from core.export.report import report

        face = faces[index]
        factors = model.analyze([face])
        self.save(self.image(model, factors, face, photo), folder / self.file, self.title)
        return {**report(factors, face), "files": [self.file]}

    def image(self, model: LatentFace, factors: Factors, face: Face, photo: Path) -> Image.Image:
        """What is written: the render."""
        return self.to_image(self.render(model, factors, face))

    def to_image(self, render: Tensor) -> Image.Image:
        """A render (1, 3 or 4, size, size) as an image."""
        from core.export.maps import map_image

        return _rgba_image(render) if render.shape[1] == 4 else map_image(render, self.size)

    def save(self, image: Image.Image, path: Path, title: str) -> None:
        """Write an image that is marked as synthetic, with the watermark where it is wanted."""
        write_bytes(path, png_bytes(watermark(image) if self.stamp else image, title), self.overwrite)

    def render(self, model: LatentFace, factors: Factors, face: Face) -> Tensor:
        """(1, 3 or 4, size, size) in [0, 1]."""
        raise NotImplementedError

    def textured(self, model: LatentFace, factors: Factors, face: Face) -> TexturedFace:
        """The face with the detail that was chosen."""
        return model.texture(factors, [face] if self.detail == "Photo" else None)


@dataclass(frozen=True, kw_only=True)
class Render(RenderVerb):
    """Render a photo's face in another pose and light, as PNG. Omitted values are as in the photo; angles: degrees."""

    yaw: float | None = None
    """-60 to 60: turned to the left or right"""
    pitch: float | None = None
    """-30 to 30: turned up or down"""
    roll: float | None = None
    """-30 to 30: tilted"""
    light_from_right: float | None = None
    """-75 to 75: direction of the light"""
    light_from_above: float | None = None
    """-75 to 75"""
    ambient: float | None = None
    """0 to 1: light from everywhere"""
    diffuse: float | None = None
    """0 to 1: light from one direction"""
    background: Literal["Photo", "White", "Black", "Clear"] = "Photo"
    """what is behind the face; Clear is transparent"""

    def check(self) -> None:
        from core.arguments import MAX_ANGLES, MAX_LIGHT_ANGLE, check_number

        super().check()
        directions = {"light_from_right": MAX_LIGHT_ANGLE, "light_from_above": MAX_LIGHT_ANGLE}
        ranges = {name: (-end, end) for name, end in (MAX_ANGLES | directions).items()}
        for name, (low, high) in {**ranges, "ambient": (0, 1), "diffuse": (0, 1)}.items():
            if (value := getattr(self, name)) is not None:
                check_number(name, value, low, high)

    def render(self, model: LatentFace, factors: Factors, face: Face) -> Tensor:
        from core.arguments import BACKGROUNDS

        return model.render(self.textured(model, factors, face), self.view(factors.view), self.light(factors.light),
                            self.size, BACKGROUNDS[self.background])

    def view(self, estimated: View) -> View:
        """The pose that was chosen."""
        rotation = estimated.rotation.clone()
        for axis, angle in enumerate((self.pitch, self.yaw, self.roll)):
            if angle is not None:
                rotation[:, axis] = math.radians(angle)
        return replace(estimated, rotation=rotation)

    def light(self, estimated: Light) -> Light:
        """The light that was chosen."""
        from core.types import Light

        if all(value is None for value in (self.light_from_right, self.light_from_above, self.ambient, self.diffuse)):
            return estimated
        dx, dy, dz = estimated.direction[0].tolist()
        across, above = dx / dz, dy / dz
        if self.light_from_right is not None:
            across = -math.tan(math.radians(self.light_from_right))
        if self.light_from_above is not None:
            above = math.tan(math.radians(self.light_from_above))
        ambient = estimated.ambient[0].item() if self.ambient is None else self.ambient
        diffuse = estimated.diffuse[0].item() if self.diffuse is None else self.diffuse
        return Light.of(ambient, diffuse, across, above)


def _rgba_image(render: Tensor) -> Image.Image:
    """A render (1, 4, H, W) with alpha as an image."""
    from PIL import Image

    from core.export.visualize import to_uint8

    return Image.fromarray(to_uint8(render[0]))
