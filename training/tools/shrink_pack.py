"""Make a face pack small enough to travel: the same pictures as WebP, in a given number of bytes.

    python -m training.tools.shrink_pack packs/photos small/photos --bytes 30000000

Only what training reads goes along: the pictures of split train, and their names. In as many bytes WebP keeps a picture
of 128 pixels better than JPEG keeps one of 64.
"""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from core.errors import ConfigError, LatentFaceError
from training.data.face_pack import FacePack

SIZE = 128
"""Side of the pictures: twice the model's, as training wants them."""
QUALITIES = (90, 80, 70, 60)
"""Of WebP; the first at which all pictures fit is taken. Where none is low enough, only some pictures go along."""
SAMPLE = 500
"""Pictures by which a quality is judged."""
HEADER = 80
"""Bytes of a picture's header in the tar file, once that is compressed."""
SPARE = 0.02
"""Share of the bytes that is left, as the other pictures may be longer."""


def encode(picture: np.ndarray, quality: int) -> bytes:
    """WebP of a picture (3, n, n) uint8."""
    file = io.BytesIO()
    Image.fromarray(picture.transpose(1, 2, 0)).save(file, "webp", quality=quality)
    return file.getvalue()


def shrink(photos: Path, out: Path, budget: int) -> tuple[int, int]:
    """Write the small pack.

    Args:
        photos: face pack (training.data.face_pack).
        out: folder for train.csv and train-000.tar.
        budget: bytes that these may have, once compressed: the pictures are, but not the tar file's headers.

    Returns:
        How many pictures it holds (all, or as many as fit, evenly from all), and their quality.

    Raises:
        ConfigError: there is no such pack, or no picture fits.
    """
    pack, budget = FacePack(photos, SIZE), budget * (1 - SPARE)
    images, count = pack.images.numpy(), len(pack)
    for quality in QUALITIES:
        each = HEADER + np.mean([len(encode(picture, quality)) for picture in images[:: -(-count // SAMPLE)]])
        if each * count <= budget:
            break
    kept = min(count, int(budget / each))
    if kept < 1:
        raise ConfigError(f"No photo fits in {budget:.0f} bytes.")
    out.mkdir(parents=True, exist_ok=True)
    with tarfile.open(out / "train-000.tar", "w") as tar, open(out / "train.csv", "w", newline="") as file:
        names = csv.writer(file)
        names.writerow(["name"])
        for index in tqdm(np.linspace(0, count - 1, kept).astype(int), unit="photo"):
            data, name = encode(images[index], quality), pack.columns["name"][index]
            member = tarfile.TarInfo(f"{name}.webp")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
            names.writerow([name])
    return kept, quality


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m training.tools.shrink_pack", description=__doc__.split("\n")[0])
    parser.add_argument("photos", type=Path, help="face pack")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--bytes", type=int, required=True, help="size of the small pack, once compressed")
    options = parser.parse_args()
    try:
        print("{} photos in WebP's quality {}".format(*shrink(options.photos, options.out, options.bytes)))
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
