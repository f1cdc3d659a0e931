"""One image that shows the factors of some faces, and renders of them.

    python -m benchmarks.gallery --out assets/readme.jpg --overwrite [--weights FILE] [PHOTO ...]

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

from core import LatentFace, Light, View
from core.export.visualize import depth_to_gray, normal_to_color, to_uint8
from core.files import prepare_folder, writing

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"
COLUMNS = ("photo, depth, normals, albedo, shading, reconstruction; with the photo's detail: frontal, turned left, "
           "turned right, lit from the left, lit from the right and turned")


def row(model: LatentFace, path: Path, size: int) -> Tensor:
    """(3, size, columns · size) of one photo, [0, 1]."""
    faces = model.find_faces(path)[:1]
    factors = model.analyze(faces)
    face = model.texture(factors, faces)
    frontal, left, right = View.of(), View.of(yaw=math.radians(28)), View.of(yaw=math.radians(-28))
    maps = [faces[0].full[None], depth_to_gray(factors.canon_depth), normal_to_color(factors.canon_normal),
            factors.canon_albedo, factors.shading]
    columns = [F.interpolate(part, (size, size), mode="bicubic", antialias=True) for part in maps]
    columns += [model.render(factors, size=size)]
    columns += [model.render(face, view, size=size) for view in (frontal, left, right)]
    columns += [model.render(face, frontal, Light.of(0.35, 0.75, 1.2, 0.1), size),
                model.render(face, right, Light.of(0.35, 0.75, -1.2, 0.1), size)]
    return torch.cat([part.expand(-1, 3, -1, -1) for part in columns], -1)[0].clamp(0, 1)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=f"An image whose columns are: {COLUMNS}.")
    parser.add_argument("photos", nargs="*", type=Path, help="photos; the bundled examples by default")
    parser.add_argument("--out", type=Path, required=True, help="JPEG to write")
    parser.add_argument("--overwrite", action="store_true", help="also replace a file that LatentFace did not write")
    parser.add_argument("--weights", type=Path, help="weights; the bundled ones by default")
    parser.add_argument("--size", type=int, default=192, help="side of each column in pixels (default: 192)")
    options = parser.parse_args()
    prepare_folder(options.out.parent, [options.out.name], options.overwrite)
    model = LatentFace.from_pretrained(options.weights)
    photos = options.photos or sorted(EXAMPLES.glob("*.jpg"))
    rows = torch.cat([row(model, path, options.size) for path in photos], 1)
    with writing(options.out, options.overwrite) as part:
        Image.fromarray(to_uint8(rows)).save(part, "JPEG", quality=90)


if __name__ == "__main__":
    main()
