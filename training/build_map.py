"""Build the latent map that the app shows, of London faces, rendered faces or your own photos.

    python -m training.build_map --london london/                             # the bundled map; about 3 minutes
    python -m training.build_map --again                                      # the same faces, for new weights
    python -m training.build_map --people 0 --photos photos/ --out own.npz    # your own photos alone

Only the bundled map, maps that this command wrote, and with --again the map that is read, are replaced unasked.
A map belongs to the weights that it was built with: build it again when they change.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from core.environment import escape_output
from core.errors import ConfigError, LatentFaceError
from core.export.visualize import to_uint8
from core.faces import Crop, Face, face_from_crop
from core.faces.detect import locate
from core.faces.load_image import read_photo
from core.files import prepare_folder
from core.geometry.shading import shade
from core.latent_map.builder import ESTIMATES, THUMBNAIL, MapBuilder, add_photo
from core.latent_map.map import BUNDLED, LatentMap
from core.pipeline import LatentFace
from training.data.face_pack import name_photo
from training.data.renders import random_light
from training.rig.rig import Rig

PER_PERSON = 8
"""Renders of each synthetic person."""
VIEW_SCALE = 0.6
"""Factor on the rig's poses: faces of the map look roughly at the viewer."""
BACKGROUND = (0.62, 0.64, 0.67)
"""Colour behind rendered heads, RGB in [0, 1]."""
LONDON = "Photos: DeBruine & Jones (2017), Face Research Lab London Set, CC BY 4.0, doi:10.6084/m9.figshare.5047666."
RENDERED = "Rendered: ICT-FaceKit (MIT) with textures derived from the London Set (CC BY 4.0)."


def london(folder: Path, size: int) -> Iterator[tuple[Face, str, dict]]:
    """Face, name and columns of each photo of the London Set.

    Args:
        folder: with london.csv and aligned512/.
        size: side of the model's images, pixels.

    Raises:
        ConfigError: there is no london.csv.
        ImageUnreadable: one of the photos, which is named.
    """
    if not (folder / "london.csv").is_file():
        raise ConfigError(f"There is no london.csv in {folder}: name the folder that holds it and aligned512/.")
    with open(folder / "london.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in tqdm(rows, desc="London Set", unit="photo"):
        with name_photo(folder / "aligned512" / row["file"]) as path:
            photo = read_photo(path)
        found = locate(photo)
        face = replace(_aligned_face(photo, size), blendshapes=found[0].blendshapes if found else None)
        yield face, f"London Set {row['person']}, {row['expression']}", {
            "age": float(row["age"].replace("NA", "nan")), "sex": row["sex"], "person": f"London Set {row['person']}",
            "source": "London Set"}


def rendered(people: int, seed: int, size: int) -> Iterator[tuple[Face, str, dict]]:
    """Face, name and columns of `PER_PERSON` renders of each of `people` people who are not in the training renders."""
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    smiles = [rig.expression_names.index(name) for name in ("mouthSmile_L", "mouthSmile_R")]
    for number in tqdm(range(1, people + 1), desc="rendered", unit="person"):
        person = rig.sample_person(rng)
        for _ in range(PER_PERSON):
            view = rig.sample_view(rng) * VIEW_SCALE
            sample = rig.render(person, rig.sample_expression(rng), view, THUMBNAIL)
            shading = shade(torch.from_numpy(sample.normal)[None], random_light(1, generator))[0]
            head = torch.from_numpy(sample.albedo).movedim(-1, 0) / 255 * shading
            background = torch.tensor(BACKGROUND)[:, None, None]
            face = _aligned_face(to_uint8(torch.where(torch.from_numpy(sample.mask), head, background)), size)
            yield face, f"Rendered person {number}", {
                "smile": float(sample.expression[smiles].mean()), "person": f"Rendered person {number}",
                "source": "rendered"}


def _aligned_face(photo: np.ndarray, size: int) -> Face:
    """The face of a photo (n, n, 3) uint8 that is aligned already."""
    centre = (len(photo) - 1) / 2
    return face_from_crop(photo, Crop((centre, centre), len(photo)), size)


def again(old: LatentMap, size: int) -> Iterator[tuple[Face, str, dict]]:
    """Face, name and known columns of each face of a map, without what the weights estimated."""
    for number, name in enumerate(tqdm(old.names, desc="faces", unit="face")):
        known = {column: values[number].item() for column, values in old.columns.items() if column not in ESTIMATES}
        thumbnail = old.thumbnails[number]
        yield _aligned_face(read_photo(thumbnail), size), str(name), {"thumbnail": thumbnail, **known}


def build(options: argparse.Namespace) -> None:
    """Build the map of the command line's options and write it.

    Raises:
        LatentFaceError: there are too few faces, a source or the weights are missing, or the map cannot be written.
    """
    overwrite = options.overwrite or options.again or options.out == BUNDLED
    prepare_folder(options.out.parent, [options.out.name], overwrite)
    model = LatentFace.from_pretrained(options.weights)
    builder, size, sources = MapBuilder(model), model.config.image_size, []
    if options.again:
        old = LatentMap.read(options.out)
        sources.append((old.credit, again(old, size)))
    else:
        if options.london:
            sources.append((LONDON, london(options.london, size)))
        if options.people:
            sources.append((RENDERED, rendered(options.people, options.seed, size)))
    for _, faces in sources:
        for face, name, columns in faces:
            builder.add(face, name, **columns)
    if options.photos:
        paths = [path for path in sorted(options.photos.rglob("*")) if path.is_file()]
        for path in tqdm(paths, desc="photos", unit="photo"):
            name = path.relative_to(options.photos).as_posix().encode("utf-8", "backslashreplace").decode()
            if reason := add_photo(builder, path, name):
                tqdm.write(f"{name}: {reason}", file=sys.stderr)
    with tqdm(builder.embed(), desc="layouts") as bar:
        for kind in bar:
            bar.set_postfix_str(kind)
    builder.finish(" ".join(credit for credit, _ in sources)).write(options.out, overwrite)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.build_map", description="Build a latent map of faces.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--again", action="store_true", help="use the faces of the map at --out, and no others")
    parser.add_argument("--london", type=Path, help="folder with london.csv and aligned512/")
    parser.add_argument("--people", type=int, default=40, help=f"number of rendered people, {PER_PERSON} renders each")
    parser.add_argument("--photos", type=Path, help="folder of photos, searched recursively")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the renders")
    parser.add_argument("--weights", type=Path, help="weights file; by default the bundled one")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="file to write")
    parser.add_argument("--overwrite", action="store_true", help="also replace a file that LatentFace did not write")
    escape_output()
    try:
        build(parser.parse_args(arguments))
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
