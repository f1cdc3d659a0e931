"""Render the validation set: lit faces of people whose textures no training render used.

    python -m training.render_validation --out packs/heldout.npz
    python -m training.evaluate geometry --renders packs/heldout.npz

The file holds, for N renders of n × n pixels: im (N, n, n, 3) uint8; canonical depth cd, mask cm and albedo ca; depth
zin and mask mi in the input view; view (pitch, yaw, roll in radians, tx, ty); light (ambient, diffuse, dx, dy); person
id and expression weights ex. The same seed makes the same file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from tqdm import tqdm

from core.errors import LatentFaceError
from core.export.visualize import to_uint8
from core.files import prepare_folder, writing
from core.geometry.shading import shade
from core.types import Light
from training.data.renders import random_light, sensor_noise
from training.rig.rig import FAR_DEPTH, Rig, RigSample

PER_PERSON = 6
"""Renders of each person."""


def render_image(sample: RigSample, light: Light, generator: torch.Generator) -> np.ndarray:
    """Image of a render, lit, in front of soft blotches of color, with a little noise.

    Args:
        sample: unlit, n × n pixels.
        light: one light.
        generator: source of background and noise.

    Returns:
        (n, n, 3) uint8 RGB.
    """
    shading = shade(torch.from_numpy(sample.normal)[None], light)
    head = torch.from_numpy(sample.albedo).movedim(-1, 0)[None] / 255 * shading
    behind = F.interpolate(torch.rand(1, 3, 4, 4, generator=generator), head.shape[-2:], mode="bilinear")
    image = sensor_noise(torch.where(torch.from_numpy(sample.mask), head, behind).clamp(0, 1), generator)
    return to_uint8(image[0])


def render_all(people: int, size: int, seed: int) -> dict[str, np.ndarray]:
    """The arrays of the module's docstring, by name: `PER_PERSON` renders of each person."""
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(seed)
    generator = torch.Generator().manual_seed(seed)
    rows = []
    for person_id in tqdm(range(people), unit="person"):
        person = rig.sample_person(rng)
        for _ in range(PER_PERSON):
            sample = rig.render(person, rig.sample_expression(rng), rig.sample_view(rng), size)
            light = random_light(1, generator)
            slope = light.direction[0, :2] / light.direction[0, 2]
            numbers = torch.stack([light.ambient[0], light.diffuse[0], *slope]).numpy()
            rows.append({"im": render_image(sample, light, generator), "cd": sample.canon_depth.clip(max=FAR_DEPTH),
                         "cm": sample.canon_mask, "ca": sample.canon_albedo, "zin": sample.depth, "mi": sample.mask,
                         "view": sample.view, "light": numbers,
                         "id": person_id, "ex": sample.expression})
    return {key: np.stack([row[key] for row in rows]) for key in rows[0]}


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.render_validation",
                                     description="Render people whom training never uses, for training.evaluate.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("packs/heldout.npz"), help="file to write")
    parser.add_argument("--people", type=int, default=134, help=f"number of people, {PER_PERSON} renders each")
    parser.add_argument("--size", type=int, default=64, help="side of the renders, pixels")
    parser.add_argument("--seed", type=int, default=1, help="random seed")
    parser.add_argument("--overwrite", action="store_true", help="also replace a file that LatentFace did not write")
    options = parser.parse_args(arguments)
    try:
        prepare_folder(options.out.parent, [options.out.name], options.overwrite)
        arrays: dict[str, Any] = render_all(options.people, options.size, options.seed)
        with writing(options.out, options.overwrite) as part, open(part, "wb") as file:
            np.savez_compressed(file, **arrays)
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
