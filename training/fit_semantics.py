"""Find semantics without labels: directions in the codes by which faces are edited (core.model.semantics).

    python -m training.fit_semantics --photos packs/photos --renders packs/rig64 --out semantics.safetensors
    python -m training.fit_semantics --photos packs/photos --renders packs/rig64 --out semantics.safetensors \
        --names training/configs/semantics.yaml

Identity directions come from the identity parts of photos and renders, expression directions from how the renders of
one person differ. No age, sex, expression or other label is used. Without --names every direction is kept, named by the
region where it acts; a file of names keeps those that it lists, as somebody called them who looked at the renders.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError, LatentFaceError

if TYPE_CHECKING:
    from torch import Tensor

    from core.model.semantics import Part
    from core.pipeline import LatentFace
    from training.fitting.semantics import Directions

COUNTS: dict[Part, dict[str, int]] = {"identity": {"shape": 8, "albedo": 8}, "expression": {"shape": 9, "albedo": 6}}
"""Components of each part by kind of map."""
TINT: dict[Part, slice] = {"identity": slice(2, 4), "expression": slice(1, 4)}
"""Channels of the maps (training.fitting.semantics.symmetric_maps) whose mean is the light's: an identity has a
brightness of its own, an expression has none."""
CHUNK = 250
"""Faces analysed at once."""
TINTED = 1000
"""Faces from which pose, light and the light's colour are regressed."""


def parser() -> argparse.ArgumentParser:
    """The command line."""
    result = argparse.ArgumentParser(prog="python -m training.fit_semantics",
                                     description="Find directions in the codes by which faces are edited.")
    add = result.add_argument
    add("--weights", type=Path, metavar="FILE", help="autoencoder, with diffusion.safetensors beside it "
        "(default: the bundled weights)")
    add("--photos", type=Path, required=True, metavar="FOLDER", help="face pack (python -m training.prepare)")
    add("--renders", type=Path, required=True, metavar="FOLDER", help="renders (python -m training.render_pack)")
    add("--count", type=int, default=1000, metavar="N", help="photos, and renders, to use (default: 1000)")
    add("--names", type=Path, metavar="FILE", help="YAML file: name of a direction to keep: its suggested name, with a "
        "minus sign where it points the other way")
    add("--seed", type=int, default=0, metavar="N", help="of light, backgrounds and decompositions (default: 0)")
    add("--out", type=Path, required=True, metavar="FILE", help="safetensors file; it belongs beside the autoencoder")
    add("--overwrite", action="store_true", help="also replace a file LatentFace did not write")
    return result


def fit(model: LatentFace, photos: Path, renders: Path, count: int, seed: int) -> dict[Part, Directions]:
    """Directions by part of the codes.

    Args:
        model: with diffusion and expression basis.
        photos: face pack.
        renders: folder of training.render_pack.
        count: of photos, and of renders, rounded up to chunks.
        seed: of light, backgrounds and decompositions.
    """
    import torch

    from core.types import CodePair, Codes
    from training.data.code_frames import person_means, rendered_frames
    from training.data.face_pack import FacePack
    from training.fitting.regions import face_mask
    from training.fitting.semantics import fit_directions, project_out, symmetric_maps

    size, depth_size = model.config.image_size, model.config.code_size
    generator = torch.Generator().manual_seed(seed)
    face = face_mask(model.require_basis().landmarks, size)
    images = FacePack(photos, size, limit=count).images.float() / 255
    frames = list(rendered_frames(str(renders), count, 1, images, generator))
    people = torch.cat([part.person for part in frames]).unique(return_inverse=True)[1]
    faces = [_analyzed(model, part) for part in (*images.split(CHUNK), *(part.data for part in frames))]
    codes, identity, nuisance = (torch.cat(parts) for parts in zip(*faces, strict=True))

    def maps(rows: Tensor) -> Tensor:
        return torch.cat([symmetric_maps(*model.autoencoder.decode(Codes.of(CodePair.of_rows(part, depth_size))))
                          for part in rows.split(CHUNK)])

    mean = codes.mean(0)
    with torch.no_grad():
        some = torch.randperm(len(codes), generator=generator)[:TINTED]
        colors = (maps(codes[some]) * face).mean((2, 3))
        rendered = codes[len(images):]
        changes: dict[Part, Tensor] = {"identity": identity - identity.mean(0),
                                       "expression": rendered - person_means(rendered, people)[people]}
        found: dict[Part, Directions] = {}
        for part, rows in changes.items():
            left_out = project_out(codes[some], torch.cat([nuisance[some], colors[:, TINT[part]]], 1))
            found[part] = fit_directions(rows @ left_out, mean, maps, face, COUNTS[part], seed, TINT[part],
                                         depth_size, joint=part == "expression")
        return found


def _analyzed(model: LatentFace, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Codes (N, D), identity parts (N, D), and pose and light (N, 10) of images."""
    import torch

    factors = model.analyze(images, fine=False)
    identity = model.split(factors.codes).identity
    light, view = factors.light, factors.view
    return (factors.codes.pair.rows, identity.rows,
            torch.cat([view.rotation, view.translation, light.ambient[:, None], light.diffuse[:, None],
                       light.direction], 1))


def suggest_names(found: dict[Part, Directions], regions: dict[str, Tensor]) -> dict[str, tuple[Part, int]]:
    """Suggested name to part and number of each direction: its part, kind, strongest region, and a running number."""
    from training.fitting.regions import strongest_region

    names: dict[str, tuple[Part, int]] = {}
    for part, directions in found.items():
        for k, kind in enumerate(directions.kinds):
            stem, number = f"{part} {kind} {strongest_region(directions.influence[k], regions)}", 1
            while f"{stem} {number}" in names:
                number += 1
            names[f"{stem} {number}"] = part, k
    return names


def read_names(path: Path | None, suggested: Collection[str]) -> dict[str, tuple[str, int]]:
    """Name to suggested name and sign (1 or −1) of the directions to keep: of a file, else all as they are suggested.

    Raises:
        ConfigError: no such file, not a mapping of names, or a direction that was not found.
    """
    if path is None:
        return {name: (name, 1) for name in suggested}
    import yaml

    from core.model.semantics import EXPRESSIONS

    try:
        chosen = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read as YAML: {error}.") from error
    if not isinstance(chosen, dict) or not all(isinstance(value, str) for value in chosen.values()):
        raise ConfigError(f"{path} must hold lines `name: suggested name`.")
    kept = {str(name): (value.removeprefix("-"), -1 if value.startswith("-") else 1) for name, value in chosen.items()}
    for name, (value, _) in kept.items():
        if name in EXPRESSIONS:
            raise ConfigError(f"{path}: {name!r} is the name of an expression weight: choose another.")
        if value not in suggested:
            raise ConfigError(f"{path}: {name!r} names {value!r}, and there is no such direction: run without --names "
                              "to see what there is.")
    return kept


def save(path: Path, model: LatentFace, found: dict[Part, Directions], kept: dict[str, tuple[str, int]],
         suggested: dict[str, tuple[Part, int]], overwrite: bool) -> None:
    """Write the directions to keep, bound to their autoencoder; errors as of core.files.writing."""
    import torch

    from core.config import SemanticsConfig
    from core.model.weights import autoencoder_fingerprint, save_weights

    rows = [(found[suggested[name][0]], suggested[name][1], sign) for name, sign in kept.values()]
    ranges = [one.ranges[k] if sign > 0 else -one.ranges[k].flip(0) for one, k, sign in rows]
    state = {"directions": torch.stack([one.rows[k] * sign for one, k, sign in rows]),
             "influence": torch.stack([one.influence[k] for one, k, _ in rows]), "ranges": torch.stack(ranges)}
    sizes = model.config.code_size, model.config.albedo_code_size, model.config.image_size
    config = SemanticsConfig(*sizes, tuple(kept),
                             tuple(suggested[name][0] for name, _ in kept.values()))
    fingerprint = autoencoder_fingerprint(model.autoencoder.state_dict())
    save_weights(path, state, config, {"stage": "semantics", "autoencoder": fingerprint}, overwrite)


def show(model: LatentFace, found: dict[Part, Directions], suggested: dict[str, tuple[Part, int]]) -> None:
    """Print each direction's figures and the expression weights that its codes are read as, a help to name it."""
    from rich.console import Console
    from rich.table import Table

    from core.model.expression_basis import EXPRESSION_NAMES
    from core.types import CodePair

    table, basis = Table(title="directions, best first"), model.require_basis()
    for column in ("suggested name", "explained", "local", "overlap", "range, sigma", "expression weights by 1 sigma"):
        table.add_column(column)
    for name, (part, k) in suggested.items():
        one = found[part]
        read = (basis.predict(CodePair.of_rows(one.rows[k:k + 1], model.config.code_size)) * basis.gain)[0]
        weights = ", ".join(f"{EXPRESSION_NAMES[j]} {read[j]:.2f}" for j in read.abs().topk(4).indices.tolist())
        low, high = one.ranges[k].tolist()
        table.add_row(name, f"{one.explained[k]:.3f}", f"{one.locality[k]:.2f}", f"{one.overlap[k]:.2f}",
                      f"{low:.1f} … {high:.1f}", weights)
    Console(width=150).print(table)


def main(arguments: list[str]) -> None:
    """Find the directions, show them, and write those to keep."""
    options = parser().parse_args(arguments)
    from core.files import prepare_folder
    from core.pipeline import LatentFace
    from training.fitting.regions import region_maps

    if options.count < 100:
        raise ConfigError(f"--count must be 100 at least, got {options.count}: directions need many faces.")
    prepare_folder(options.out.parent, [options.out.name], options.overwrite)
    model = LatentFace.from_pretrained(options.weights)
    regions = region_maps(model.require_basis().landmarks, model.config.image_size)
    found = fit(model, options.photos, options.renders, options.count, options.seed)
    suggested = suggest_names(found, regions)
    show(model, found, suggested)
    save(options.out, model, found, read_names(options.names, suggested), suggested, options.overwrite)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
