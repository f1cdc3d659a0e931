"""Command line of the model.

    python -m core analyze photo.jpg --out folder/              # the largest face
    python -m core analyze photo.jpg --out folder/ --face 2     # the second largest
    python -m core analyze photo.jpg --out folder/ --all        # folder/face1, folder/face2, ...
    python -m core analyze photo.jpg --out folder/ --refine     # closer to the photo, a second more

A face gives PNGs of every factor, analysis.json and face.glb. Results of an earlier run are replaced, other files only
with --overwrite.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from core.environment import escape_output
from core.errors import FaceNotFound, LatentFaceError
from core.export.provenance import DEPTH16, png_bytes
from core.files import prepare_folder, remove_written, writing

if TYPE_CHECKING:
    from core.faces import Face
    from core.pipeline import LatentFace
    from core.types import Factors

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


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 2 with one sentence on stderr."""
    escape_output()
    options = _parser().parse_args(arguments)
    try:
        analyze(options.photo, options.out, None if options.all else options.face, options.weights, options.refine,
                options.rasterizer, options.overwrite)
    except LatentFaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def analyze(photo: Path, out: Path, number: int | None = 1, weights: Path | None = None, refine: bool = False,
            rasterizer: str = "grid", overwrite: bool = False) -> None:
    """Analyze a photo and write everything that was found.

    With all faces, results of an earlier run for faces that there are no more are removed.

    Args:
        photo: image file.
        out: folder for the results, made where it is missing.
        number: which face, 1 is the largest; None for all of them, each in a folder of its own.
        weights: weights file; the bundled one by default.
        refine: see LatentFace.analyze.
        rasterizer: see LatentFace.from_pretrained.
        overwrite: also replace files that LatentFace did not write.

    Raises:
        FaceNotFound: no face, or fewer than `number`.
        OutputExists, OutputUnwritable: see core.files.writing.
        LatentFaceError: see LatentFace.from_pretrained and find_faces.
    """
    prepare_folder(out, _names() if number else (), overwrite)
    from core.pipeline import LatentFace

    model = LatentFace.from_pretrained(weights, rasterizer)
    faces = model.find_faces(photo)
    if number is not None and not 1 <= number <= len(faces):
        raise FaceNotFound(f"There is no face {number} in this photo: choose from 1 (the largest) to {len(faces)}.")
    folders = {number: out} if number else {index: out / f"face{index}" for index in range(1, len(faces) + 1)}
    for folder in folders.values():
        prepare_folder(folder, _names(), overwrite)
    for index, folder in folders.items():
        face = faces[index - 1]
        warnings = write_results(model, model.analyze([face], refine), face, folder, overwrite)
        print(f"Face {index} of {len(faces)}: {folder}")
        for sentence in warnings:
            print(f"  {sentence}")
    if not number:
        _remove_faces_after(len(faces), out)


def write_results(model: LatentFace, factors: Factors, face: Face, folder: Path, overwrite: bool = False) -> list[str]:
    """Write images, JSON and mesh of one face into a folder, all of them or none; returns the warnings."""
    from core.export.maps import depth16, map_image
    from core.export.report import report
    from core.export.visualize import depth_to_gray, normal_to_color
    from core.types import View

    textured, frontal = model.texture(factors, [face]), View.of()
    brightest = (factors.light.ambient + factors.light.diffuse).clamp(min=1e-3)
    maps = {
        "input.png": factors.image, "full.png": face.full[None],
        "depth.png": depth_to_gray(factors.canon_depth),
        "normals.png": normal_to_color(factors.canon_normal),
        "albedo.png": factors.canon_albedo, "shading.png": factors.shading / brightest,
        "canonical.png": factors.canon_image, "reconstruction.png": factors.recon_image,
        "confidence.png": factors.confidence,
        "frontal.png": model.render(factors, frontal, size=SIZE),
        "frontal_detail.png": model.render(textured, frontal, size=face.full.shape[-1]),
    }
    images = {name: map_image(values, SIZE) for name, values in maps.items()}
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
    return results["warnings"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m core", description="From a photo of a face to depth, albedo, "
                                     "light and pose.")
    commands = parser.add_subparsers(required=True, metavar="command")
    about = "write every factor of a photo's face as PNG, the numbers as JSON and a textured mesh as GLB"
    command = commands.add_parser("analyze", help=about, description=about[0].upper() + about[1:] + ".")
    command.add_argument("photo", type=Path, help="image file (JPEG, PNG, WebP, ...)")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="folder for the results")
    which = command.add_mutually_exclusive_group()
    which.add_argument("--face", type=int, default=1, metavar="N", help="which face, 1 is the largest (default: 1)")
    which.add_argument("--all", action="store_true", help="all faces, each in a folder of its own")
    command.add_argument("--refine", action="store_true", help="move what was found to where it explains the photo "
                         "better: pose, light and depth gain, about a second a face")
    command.add_argument("--rasterizer", choices=("grid", "pytorch3d"), default="grid",
                         help="what renders depth: the project's own, or PyTorch3D (requirements-pytorch3d.txt)")
    command.add_argument("--weights", type=Path, metavar="FILE", help="weights file (default: the bundled one)")
    command.add_argument("--overwrite", action="store_true", help="also replace files that LatentFace did not write")
    return parser


def _names() -> list[str]:
    """Names of everything that is written for a face."""
    return [*FILES, REPORT]


def _remove_faces_after(count: int, out: Path) -> None:
    """Remove what an earlier run wrote for faces with larger numbers."""
    for folder in out.glob("face*"):
        if re.fullmatch("face[0-9]+", folder.name) and int(folder.name[4:]) > count and folder.is_dir():
            remove_written(folder)
