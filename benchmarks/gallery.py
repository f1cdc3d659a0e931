"""One picture of what the model finds in faces and makes of them.

    python -m benchmarks.gallery --out assets/readme.jpg [--weights FILE] [PHOTO ...]

Rows are photos (the bundled examples by default); columns are `COLUMNS`.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.export.visualize import depth_grey, normal_colours, pixels
from core.pipeline import LatentFace
from core.rendering.compositor import composite
from core.rendering.texture_transfer import texture_from_model, texture_from_photo
from core.types import Light, View

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"
COLUMNS = ("photo, depth, normals, albedo, shading, reconstruction; with the photo's detail: frontal, turned left, "
           "turned right, lit from the left, lit from the right and turned")


def row(model: LatentFace, path: Path, size: int) -> Tensor:
    """(3, size, columns · size) of one photo."""
    face = model.find_faces(path)[0]
    factors = model.analyze([face])
    own, detailed = texture_from_model(factors), texture_from_photo(factors, face.full[None])
    frontal, left, right = View.of(), View.of(yaw=math.radians(28)), View.of(yaw=math.radians(-28))
    maps = [face.full[None], depth_grey(factors.canon_depth), normal_colours(factors.canon_normal),
            factors.canon_albedo, factors.shading]
    columns = [F.interpolate(part, (size, size), mode="bicubic", antialias=True) for part in maps]
    columns += [composite(own, factors.view, factors.light, size)]
    columns += [composite(detailed, view, factors.light, size) for view in (frontal, left, right)]
    columns += [composite(detailed, frontal, Light.of(0.35, 0.75, 1.2, 0.1), size),
                composite(detailed, right, Light.of(0.35, 0.75, -1.2, 0.1), size)]
    return torch.cat([part.expand(-1, 3, -1, -1) for part in columns], -1)[0].clamp(0, 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=f"A picture whose columns are: {COLUMNS}.")
    parser.add_argument("photos", nargs="*", type=Path, help="photos; the bundled examples by default")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    parser.add_argument("--weights", type=Path, help="weights; the bundled ones by default")
    parser.add_argument("--size", type=int, default=192, help="side of each part in pixels (default: 192)")
    options = parser.parse_args()
    model = LatentFace.from_pretrained(options.weights)
    photos = options.photos or sorted(EXAMPLES.glob("*.jpg"))
    picture = torch.cat([row(model, path, options.size) for path in photos], 1)
    Image.fromarray(pixels(picture)).save(options.out, quality=90)


if __name__ == "__main__":
    main()
