"""python -m core analyze: every factor of a face as PNG, the numbers as JSON, and a textured mesh."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.faces import FaceVerb
from core.export.provenance import DEPTH16, png_bytes
from core.files import writing

if TYPE_CHECKING:
    from torch import Tensor

    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import Factors, TexturedFace

FILES = {
    "input.png": "the aligned photo as the model sees it",
    "full.png": "the aligned photo at full resolution",
    "depth.png": "canonical depth, near is light",
    "depth16.png": DEPTH16,
    "normals.png": "canonical normals: red to the right, green up, blue to the camera",
    "albedo.png": "canonical albedo",
    "shading.png": "canonical shading, white is ambient + diffuse",
    "canonical.png": "canonical image: albedo × shading",
    "reconstruction.png": "the canonical image in the photo's pose",
    "confidence.png": "confidence, white is 1",
    "frontal.png": "seen from the front, decoded",
    "frontal_detail.png": "seen from the front, with the photo's own detail",
    "face.glb": "textured mesh",
}
"""What is written for a face."""
REPORT = "analysis.json"
SIZE = 256
"""Side of the images of the model's maps, pixels."""


@dataclass(frozen=True, kw_only=True)
class Analyze(FaceVerb):
    """Write every factor of a photo's face as PNG, the numbers as JSON and a textured mesh as GLB."""

    refine: bool = False
    """move what was found to where it explains the photo better: pose, light and depth gain, about a second a face"""

    def names(self) -> list[str]:
        return [*FILES, REPORT]

    def write(self, model: LatentFace, photo: Path, faces: Sequence[Face], index: int, folder: Path) -> dict[str, Any]:
        face = faces[index]
        return write_results(model, model.analyze([face], self.refine), face, folder, self.overwrite)


def write_results(model: LatentFace, factors: Factors, face: Face, folder: Path,
                  overwrite: bool = False) -> dict[str, Any]:
    """Write images, JSON and mesh of one face into a folder, all of them or none; returns what the JSON holds."""
    from core.export.maps import depth16, map_image
    from core.export.report import report

    textured = model.texture(factors, [face])
    images = {name: map_image(values, SIZE) for name, values in _maps(model, factors, face, textured).items()}
    images["depth16.png"] = depth16(factors.canon_depth[0])
    results = {**report(factors, face), "files": FILES}
    contents = {name: png_bytes(image, FILES[name], name not in ("input.png", "full.png"))
                for name, image in images.items()}
    contents[REPORT] = json.dumps(results, indent=2, ensure_ascii=False).encode()
    mesh = model.mesh(textured)
    with ExitStack() as files:
        for name, content in contents.items():
            files.enter_context(writing(folder / name, overwrite)).write_bytes(content)
        mesh.write(folder / "face.glb", overwrite)
    return results


def _maps(model: LatentFace, factors: Factors, face: Face, textured: TexturedFace) -> dict[str, Tensor]:
    """Images (1, 1 or 3, H, W) of one face, [0, 1], by the name of their file."""
    from core.export.visualize import depth_to_gray, normal_to_color
    from core.types import View

    frontal, brightest = View.of(), (factors.light.ambient + factors.light.diffuse).clamp(min=1e-3)
    return {
        "input.png": factors.image, "full.png": face.full[None],
        "depth.png": depth_to_gray(factors.canon_depth),
        "normals.png": normal_to_color(factors.canon_normal),
        "albedo.png": factors.canon_albedo, "shading.png": factors.shading / brightest,
        "canonical.png": factors.canon_image, "reconstruction.png": factors.recon_image,
        "confidence.png": factors.confidence,
        "frontal.png": model.render(factors, frontal, size=SIZE),
        "frontal_detail.png": model.render(textured, frontal, size=face.full.shape[-1]),
    }
