"""Make a small copy of a face pack: the same images as WebP, in a given number of bytes.

    python -m training.tools.shrink_pack packs/photos small/photos --bytes 30000000

The copy holds what training reads: the images of split train, and their names. In the same number of bytes, WebP keeps
an image of 128 pixels better than JPEG keeps one of 64.
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
from core.files import prepare_folder, writing
from training.data.face_pack import FacePack

SIZE = 128
"""Side of the images, pixels: twice that of the model's, as training prefers."""
QUALITIES = (90, 80, 70, 60)
"""WebP qualities to try in this order, until all images fit. At the last one, images are left out if need be."""
SAMPLE = 500
"""Images that are encoded to estimate the size of the pack."""
HEADER = 80
"""Bytes of an image's header in the tar file after compression."""
SPARE = 0.02
"""Share of the bytes that is kept in reserve, since the estimate may be too low."""


def encode(image: np.ndarray, quality: int) -> bytes:
    """WebP file of an image (3, n, n) uint8 RGB."""
    file = io.BytesIO()
    Image.fromarray(image.transpose(1, 2, 0)).save(file, "webp", quality=quality)
    return file.getvalue()


def shrink(photos: Path, out: Path, budget: int, overwrite: bool = False) -> tuple[int, int]:
    """Write the small pack.

    Args:
        photos: folder of a face pack (training.data.face_pack).
        out: folder for train.csv and train-000.tar.
        budget: largest size of these in bytes, compressed (the tar file's headers are not compressed yet).
        overwrite: as for `core.files.writing`, which also names the errors.

    Returns:
        Number of images (all, or as many as fit, evenly spaced), and their quality.

    Raises:
        ConfigError: there is no such pack, or no image fits.
    """
    prepare_folder(out, ["train-000.tar", "train.csv"], overwrite)
    pack, usable = FacePack(photos, SIZE), budget * (1 - SPARE)
    images, count = pack.images.numpy(), len(pack)
    quality, each = QUALITIES[0], 0.0
    for quality in QUALITIES:
        each = HEADER + float(np.mean([len(encode(image, quality)) for image in images[:: -(-count // SAMPLE)]]))
        if each * count <= usable:
            break
    kept = min(count, int(usable / each))
    if kept < 1:
        raise ConfigError(f"No photo fits in {budget} bytes.")
    with writing(out / "train-000.tar", overwrite) as shard, writing(out / "train.csv", overwrite) as table, \
            tarfile.open(shard, "w") as tar, open(table, "w", newline="", encoding="utf-8") as file:
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
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.tools.shrink_pack",
                                     description="Make a small copy of a face pack.")
    parser.add_argument("photos", type=Path, help="face pack")
    parser.add_argument("out", type=Path, help="folder to write")
    parser.add_argument("--bytes", type=int, required=True, help="largest size of the small pack, compressed")
    parser.add_argument("--overwrite", action="store_true", help="also replace files that LatentFace did not write")
    options = parser.parse_args()
    try:
        kept, quality = shrink(options.photos, options.out, options.bytes, options.overwrite)
        print(f"{kept} photos as WebP of quality {quality}")
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
