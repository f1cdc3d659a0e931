"""Make the latent map that the app shows: London faces, rendered faces, or photos of one's own.

    python -m training.build_map --london london/                             # the bundled map; about 3 minutes
    python -m training.build_map --again                                      # the same faces, for new weights
    python -m training.build_map --people 0 --photos photos/ --out own.npz    # photos of one's own, and no others

A map belongs to the weights it was made with: make it again when they change.
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

from core.errors import ConfigError, LatentFaceError
from core.export.visualize import pixels
from core.faces import Crop, Face, face_from_crop
from core.faces.detect import locate
from core.faces.load_image import read_photo
from core.geometry.shading import shade
from core.latent_map.builder import ESTIMATES, PICTURE, MapBuilder, add_photo
from core.latent_map.map import BUNDLED, LatentMap
from core.pipeline import LatentFace
from training.data.renders import random_light
from training.rig.rig import Rig

PER_PERSON = 8
"""Renders of each synthetic person."""
TURN = 0.6
"""Views of the rendered people, as a part of the rig's: a gallery looks at its visitor."""
BEHIND = (0.62, 0.64, 0.67)
"""Colour behind rendered heads."""
LONDON = "Photos: DeBruine & Jones (2017), Face Research Lab London Set, CC BY 4.0, doi:10.6084/m9.figshare.5047666."
RENDERED = "Rendered: ICT-FaceKit (MIT) with textures derived from the London Set (CC BY 4.0)."


def london(folder: Path, size: int) -> Iterator[tuple[Face, str, dict]]:
    """Face, name and columns of each photo of a folder with london.csv and aligned512/.

    Raises:
        ConfigError: there is no london.csv.
    """
    if not (folder / "london.csv").is_file():
        raise ConfigError(f"There is no london.csv in {folder}: name the folder that holds it and aligned512/.")
    with open(folder / "london.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in tqdm(rows, desc="London Set", unit="photo"):
        photo = read_photo(folder / "aligned512" / row["file"])
        found = locate(photo)
        face = replace(_whole(photo, size), blendshapes=found[0].blendshapes if found else None)
        yield face, f"London Set {row['person']}, {row['expression']}", {
            "age": float(row["age"].replace("NA", "nan")), "sex": row["sex"], "person": f"London Set {row['person']}",
            "source": "London Set"}


def rendered(people: int, seed: int, size: int) -> Iterator[tuple[Face, str, dict]]:
    """Face, name and columns of `PER_PERSON` renders each of synthetic people who were not trained on."""
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    smiles = [rig.expression_names.index(name) for name in ("mouthSmile_L", "mouthSmile_R")]
    for number in tqdm(range(1, people + 1), desc="rendered", unit="person"):
        person = rig.sample_person(rng)
        for _ in range(PER_PERSON):
            view = rig.sample_view(rng) * TURN
            sample = rig.render(person, rig.sample_expression(rng), view, PICTURE)
            shading = shade(torch.from_numpy(sample.normal)[None], random_light(1, generator))[0]
            head = torch.from_numpy(sample.albedo).movedim(-1, 0) / 255 * shading
            behind = torch.tensor(BEHIND)[:, None, None]
            face = _whole(pixels(torch.where(torch.from_numpy(sample.mask), head, behind)), size)
            yield face, f"Rendered person {number}", {
                "smile": float(sample.expression[smiles].mean()), "person": f"Rendered person {number}",
                "source": "rendered"}


def _whole(picture: np.ndarray, size: int) -> Face:
    """A picture (n, n, 3) that is aligned already."""
    return face_from_crop(picture, Crop(((len(picture) - 1) / 2,) * 2, len(picture)), size)


def again(old: LatentMap, size: int) -> Iterator[tuple[Face, str, dict]]:
    """Face, name and columns of each face of a map, all that does not come from the weights."""
    for number, name in enumerate(tqdm(old.names, desc="faces", unit="face")):
        known = {column: values[number].item() for column, values in old.columns.items() if column not in ESTIMATES}
        picture = old.pictures[number]
        yield _whole(read_photo(picture), size), str(name), {"picture": picture, **known}


def build(options: argparse.Namespace) -> None:
    """Make the map of the command line's options and write it."""
    model = LatentFace.from_pretrained(options.weights)
    maker, size, sources = MapBuilder(model), model.config.image_size, []
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
            maker.add(face, name, **columns)
    if options.photos:
        paths = [path for path in sorted(options.photos.rglob("*")) if path.is_file()]
        for path in tqdm(paths, desc="photos", unit="photo"):
            add_photo(maker, path, path.relative_to(options.photos).as_posix())
    with tqdm(maker.lay_out(), desc="layouts") as bar:
        for kind in bar:
            bar.set_postfix_str(kind)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    maker.finish(" ".join(credit for credit, _ in sources)).write(options.out)


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the head of this file."""
    parser = argparse.ArgumentParser(prog="python -m training.build_map", description=__doc__.split("\n")[0],
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--again", action="store_true", help="take the faces of the map at --out, and no others")
    parser.add_argument("--london", type=Path, help="folder with london.csv and aligned512/")
    parser.add_argument("--people", type=int, default=40, help=f"rendered people, {PER_PERSON} renders each")
    parser.add_argument("--photos", type=Path, help="folder of photos, searched with its subfolders")
    parser.add_argument("--seed", type=int, default=0, help="random seed of the renders")
    parser.add_argument("--weights", type=Path, help="weights file; by default the bundled one")
    parser.add_argument("--out", type=Path, default=BUNDLED, help="file to write")
    try:
        build(parser.parse_args(arguments))
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
