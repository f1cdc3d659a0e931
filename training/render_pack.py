"""Render rig faces once into shards that training reads.

Run: python -m training.render_pack --count 40000 --size 64 --seed 0 --workers 1 --out packs/rig64

A shard is an uncompressed npz of SHARD samples, consecutive samples showing the same person. It depends on
nothing but its seed: an interrupted run continues where it stopped; finished shards can be read meanwhile.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.rig.rig import Rig

SHARD = 2000
PER_PERSON = 6
NEAREST, FARTHEST = 0.9, 1.1  # the depths that become 0 and 65535; farther ones saturate


def encode_depth(depth):
    """Camera depth to uint16."""
    scaled = (np.clip(depth, NEAREST, FARTHEST) - NEAREST) / (FARTHEST - NEAREST)
    return np.round(scaled * 65535).astype(np.uint16)


def decode_depth(encoded):
    """uint16 of `encode_depth` to float32 camera depth."""
    return encoded.astype(np.float32) * ((FARTHEST - NEAREST) / 65535) + NEAREST


def encode_normal(normal):
    """Unit normals to int8; divide by 127 to read them."""
    return np.round(normal * 127).astype(np.int8)


def encode_sample(sample):
    """Compact arrays of one RigSample, keyed as in the shard."""
    return {
        "canon_depth": encode_depth(sample.canon_depth), "canon_mask": sample.canon_mask.astype(np.uint8),
        "canon_albedo": sample.canon_albedo, "canon_normal": encode_normal(sample.canon_normal),
        "canon_cover": sample.canon_cover, "cover": sample.cover, "cover_normal": encode_normal(sample.cover_normal),
        "depth": encode_depth(sample.depth), "mask": sample.mask.astype(np.uint8),
        "albedo": sample.albedo, "normal": encode_normal(sample.normal),
        "view": sample.view, "expression": sample.expression.astype(np.float16),
        "identity": sample.identity.astype(np.float16), "person": np.int32(sample.person)}


def render_shard(shard, split, seed, size, out, count=SHARD):
    """Write shard number `shard` unless it exists; readers never see a half-written file."""
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
    temporary = path.with_suffix(".part")
    with open(temporary, "wb") as file:
        np.savez(file, **{key: np.stack([sample[key] for sample in samples]) for key in samples[0]})
    temporary.rename(path)
    return path


def main():
    parser = argparse.ArgumentParser(description="Render rig faces into shards.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--count", type=int, default=40000, help=f"samples, rounded up to shards of {SHARD}")
    parser.add_argument("--size", type=int, default=64, help="image side in pixels")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--split", choices=("rig", "heldout"), default="rig", help="people to mix")
    parser.add_argument("--workers", type=int, default=1, help="processes, one shard each at a time")
    parser.add_argument("--out", type=Path, default=Path("packs/rig64"), help="folder for the shards")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    task = partial(render_shard, split=args.split, seed=args.seed, size=args.size, out=args.out)
    shards = range(-(-args.count // SHARD))
    with ProcessPoolExecutor(args.workers) as pool:
        for _ in tqdm(pool.map(task, shards), total=len(shards), unit="shard"):
            pass


if __name__ == "__main__":
    main()
