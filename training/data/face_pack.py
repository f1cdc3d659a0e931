"""Reader of face packs: tar shards of JPEG next to one csv, all decoded once into memory.

Layout of a pack (FairFace's, and what `python -m training.prepare` writes):

    pack/train.csv         one row per face; the column `name` is the picture's name without `.jpg`
    pack/train-000.tar     shards of `<name>.jpg`, square, aligned as core.faces does it
    pack/train-001.tar

    pack = FacePack("pack", size=64)          # pack.images (N, 3, 64, 64) uint8, pack.columns["age"][i]
"""

import csv
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from core.errors import ConfigError

DECODE_THREADS = 2
BATCH = 256


class FacePack(torch.utils.data.Dataset):
    """Every face of one split of a pack, decoded at the wanted size.

    Args:
        folder_or_csv: the pack's folder, or one of its csv files (whose stem then is the split).
        size: side of the square pictures in pixels.
        split: which csv and shards of the folder to read.
        limit: read only the first so many rows.

    Attributes:
        images: (N, 3, size, size) uint8 RGB, in the csv's order.
        columns: the csv as one numpy array of N values per column; float where every value is a number
            (an empty one is NaN), else text. Codes with leading zeros such as names stay text.

    Raises:
        ConfigError: the pack has no such split, or its shards lack a row's picture.
    """

    def __init__(self, folder_or_csv, size=64, split="train", limit=None):
        path = Path(folder_or_csv)
        folder, split = (path.parent, path.stem) if path.suffix == ".csv" else (path, split)
        self.columns = read_columns(folder / f"{split}.csv", limit)
        self.images = _read_images(folder, split, self.columns["name"], size)

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        """Return image(s) as float32 (…, 3, size, size) in [0, 1]; index may be a slice or an array."""
        return self.images[index].float() / 255


def read_columns(csv_path, limit=None):
    """Read a csv into a dict of numpy columns (see FacePack for the types)."""
    if not Path(csv_path).is_file():
        raise ConfigError(f"There is no {csv_path}: name a folder made by `python -m training.prepare`.")
    with open(csv_path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = [row for row, _ in zip(reader, range(limit if limit is not None else 2**31), strict=False)]
        names = reader.fieldnames or []
    if "name" not in names:
        raise ConfigError(f"{csv_path} has no column `name`: it is not the csv of a face pack.")
    columns = {key: _column([row[key] for row in rows]) for key in names if key != "name"}
    return {"name": np.array([row["name"] for row in rows], dtype=str), **columns}


def decode(jpeg, size):
    """Decode one JPEG to (size, size, 3) uint8 RGB; shrinking averages over the area of each new pixel.

    Pixel edges map to pixel edges, as everywhere in alignment (core.faces.align).
    """
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    if image.size != (size, size):
        shrinks = image.width >= size
        image = image.resize((size, size), Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC)
    return np.asarray(image)


def _column(values):
    """Turn one column of strings into floats where that loses nothing, else keep text."""
    if any(len(v) > 1 and v[0] == "0" and v[1].isdigit() for v in values):
        return np.array(values, dtype=str)
    try:
        return np.array([float(v) if v else np.nan for v in values])
    except ValueError:
        return np.array(values, dtype=str)


def _read_images(folder, split, names, size):
    """Decode the named pictures from all shards of a split into one (N, 3, size, size) uint8 tensor."""
    images = torch.zeros(len(names), 3, size, size, dtype=torch.uint8)
    rows = {name: row for row, name in enumerate(names)}

    def store(item):
        row, jpeg = item
        images[row] = torch.from_numpy(decode(jpeg, size).copy()).permute(2, 0, 1)

    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        for shard in sorted(folder.glob(f"{split}-*.tar")):
            if not rows:
                break
            for batch in _batches(_wanted(shard, rows)):
                list(pool.map(store, batch))
    if rows:
        raise ConfigError(f"{folder} lacks {len(rows)} pictures of {split}.csv, first {min(rows)}.jpg: "
                          "copy its missing tar shards, or prepare the pack again.")
    return images


def _wanted(shard, rows):
    """Yield (row, bytes) of the shard's pictures still in `rows`, and take them out of it."""
    with tarfile.open(shard) as tar:
        for member in tar:
            row = rows.pop(Path(member.name).stem, None) if rows else None
            if row is not None:
                yield row, tar.extractfile(member).read()


def _batches(items):
    """Group a generator into lists, so that one shard is never held in memory whole."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch
