"""Render faces of the rig into shards that training reads.

    python -m training.render_pack --count 40000 --size 64 --seed 0 --workers 1 --out packs/rig64

A shard is an uncompressed npz file of SHARD samples, of which PER_PERSON consecutive ones show the same person. It
depends on the seed and its own number alone: the same command continues an interrupted run, and finished shards can be
read meanwhile.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from core.errors import LatentFaceError
from core.files import prepare_folder, replacing
from training.rig.rig import Rig, RigSample

SHARD = 2000
"""Samples of a shard."""
PER_PERSON = 6
"""Samples of each person."""
NEAREST, FARTHEST = 0.9, 1.1
"""Depths that are stored as 0 and 65535; depths outside are clamped."""


def encode_depth(depth: np.ndarray) -> np.ndarray:
    """Depth in camera-distance units to uint16, the same shape."""
    scaled = (np.clip(depth, NEAREST, FARTHEST) - NEAREST) / (FARTHEST - NEAREST)
    return np.round(scaled * 65535).astype(np.uint16)


def decode_depth(encoded: np.ndarray) -> np.ndarray:
    """The result of `encode_depth` to float32 depth in camera-distance units."""
    return encoded.astype(np.float32) * ((FARTHEST - NEAREST) / 65535) + NEAREST


def encode_normal(normal: np.ndarray) -> np.ndarray:
    """Unit normals to int8, the same shape; divide by 127 to decode them."""
    return np.round(normal * 127).astype(np.int8)


def encode_sample(sample: RigSample) -> dict[str, np.ndarray | np.generic]:
    """Compact arrays of one sample, by their names in the shard."""
    return {
        "canon_depth": encode_depth(sample.canon_depth), "canon_mask": sample.canon_mask.astype(np.uint8),
        "canon_albedo": sample.canon_albedo, "canon_normal": encode_normal(sample.canon_normal),
        "canon_cover": sample.canon_cover, "cover": sample.cover, "cover_normal": encode_normal(sample.cover_normal),
        "depth": encode_depth(sample.depth), "mask": sample.mask.astype(np.uint8),
        "albedo": sample.albedo, "normal": encode_normal(sample.normal),
        "view": sample.view, "expression": sample.expression.astype(np.float16),
        "identity": sample.identity.astype(np.float16), "person": np.int32(sample.person)}


def render_shard(shard: int, split: str, seed: int, size: int, out: str | Path, count: int = SHARD) -> Path:
    """Write a shard unless it exists. Other processes never see an incomplete file.

    Args:
        shard: number of the shard.
        split: people to mix: "rig" for training, "heldout" for evaluation.
        seed: random seed of the pack.
        size: side of the renders, pixels.
        out: folder of the pack.
        count: number of samples.

    Returns:
        The shard's path.

    Raises:
        OutputUnwritable: the shard cannot be written.
    """
    path = Path(out) / f"{split}_{shard:04d}.npz"
    if path.exists():
        return path
    rig, rng = Rig.load(split=split), np.random.default_rng([seed, shard])
    samples = []
    for k in range(count):
        if k % PER_PERSON == 0:
            person = rig.sample_person(rng, varied=True)
            person.id = shard * SHARD + k
        sample = rig.render(person, rig.sample_expression(rng), rig.sample_view(rng), size,
                            rig.sample_accessories(person, rng))
        samples.append(encode_sample(sample))
    arrays: dict[str, Any] = {key: np.stack([sample[key] for sample in samples]) for key in samples[0]}
    with replacing(path) as part, open(part, "wb") as file:
        np.savez(file, **arrays)
    return path


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.render_pack",
                                     description="Render faces of the rig into shards.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--count", type=int, default=40000, help=f"number of samples, rounded up to shards of {SHARD}")
    parser.add_argument("--size", type=int, default=64, help="side of the renders, pixels")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--split", choices=("rig", "heldout"), default="rig", help="people to mix")
    parser.add_argument("--workers", type=int, default=1, help="number of processes; each renders one shard at a time")
    parser.add_argument("--out", type=Path, default=Path("packs/rig64"), help="folder for the shards")
    args = parser.parse_args(arguments)
    try:
        render(args)
    except LatentFaceError as error:
        sys.exit(str(error))


def render(args: argparse.Namespace) -> None:
    """Render the shards of the command line's options that are not there yet."""
    prepare_folder(args.out)
    task = partial(render_shard, split=args.split, seed=args.seed, size=args.size, out=args.out)
    shards = range(-(-args.count // SHARD))
    with ProcessPoolExecutor(args.workers) as pool:
        for _ in tqdm(pool.map(task, shards), total=len(shards), unit="shard"):
            pass


if __name__ == "__main__":
    main()
