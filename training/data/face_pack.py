"""Reader of face packs: tar shards of JPEG beside a csv file, all decoded once into memory.

Layout of a pack (of FairFace, and of what `python -m training.prepare` writes):

    pack/train.csv         one row per face; the column `name` is the image's name without `.jpg`
    pack/train-000.tar     shards of `<name>.jpg`, square, aligned as core.faces does it
    pack/train-001.tar

    pack = FacePack("pack", size=64)          # pack.images (N, 3, 64, 64) uint8, pack.columns["age"][i]
"""

from __future__ import annotations

import contextlib
import csv
import io
import tarfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.errors import ConfigError, ImageUnreadable, LatentFaceError

DECODE_THREADS = 2
BATCH = 256
"""Images of a shard that are held in memory as JPEG."""


class FacePack(torch.utils.data.Dataset):
    """All faces of one split of a pack, decoded and resized.

    Args:
        folder_or_csv: the pack's folder, or one of its csv files, whose stem then is the split.
        size: side of the square images, pixels.
        split: name of the csv file and the shards to read.
        limit: number of rows to read, the first of the csv file; None: all.

    Attributes:
        images: (N, 3, size, size) uint8 RGB, in the order of the csv file.
        columns: the csv file as one numpy array of N values per column: float where every value is a number (an empty
            one is NaN), else text. Codes with leading zeros, such as names, stay text.

    Raises:
        ConfigError: the pack has no such split, no faces in it, a damaged shard, or lacks an image.
        ImageUnreadable: an image is damaged.
    """

    def __init__(self, folder_or_csv: str | Path, size: int = 64, split: str = "train", limit: int | None = None):
        path = Path(folder_or_csv)
        folder, split = (path.parent, path.stem) if path.suffix == ".csv" else (path, split)
        self.columns = read_columns(folder / f"{split}.csv", limit)
        if not len(self.columns["name"]):
            raise ConfigError(f"{folder / f'{split}.csv'} lists no faces: prepare a pack from photos that show some.")
        self.images = _read_images(folder, split, self.columns["name"], size)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int | slice | list[int] | np.ndarray | Tensor) -> Tensor:
        """Images as float32 (…, 3, size, size) in [0, 1]."""
        return self.images[index].float() / 255


def read_columns(csv_path: str | Path, limit: int | None = None) -> dict[str, np.ndarray]:
    """Columns of a csv file by name; for their types see `FacePack.columns`.

    Raises:
        ConfigError: there is no such file, or it has no column `name`.
    """
    if not Path(csv_path).is_file():
        raise ConfigError(f"There is no {csv_path}: name a folder made by `python -m training.prepare`.")
    with open(csv_path, newline="", encoding="utf-8", errors="surrogateescape") as file:
        reader = csv.DictReader(file)
        rows = [row for row, _ in zip(reader, range(limit if limit is not None else 2**31), strict=False)]
        names = reader.fieldnames or []
    if "name" not in names:
        raise ConfigError(f"{csv_path} has no column `name`: it is not the csv file of a face pack.")
    columns = {key: _column([row[key] for row in rows]) for key in names if key != "name"}
    return {"name": np.array([row["name"] for row in rows], dtype=str), **columns}


@contextlib.contextmanager
def name_photo(path: str | Path) -> Iterator[str | Path]:
    """Yield the path of a photo, and name it in the ImageUnreadable that is raised where it cannot be read."""
    try:
        yield path
    except (LatentFaceError, OSError, ValueError, SyntaxError, EOFError) as error:  # what Pillow and NumPy raise
        raise ImageUnreadable(f"{path} cannot be read: fetch it again, or leave it out. ({error})") from error


def decode(jpeg: bytes, size: int) -> np.ndarray:
    """Decode one JPEG to (size, size, 3) uint8 RGB. Shrinking averages over the area of each new pixel.

    Pixel edges map to pixel edges, as everywhere in alignment (core.faces.align).
    """
    image = Image.open(io.BytesIO(jpeg)).convert("RGB")
    if image.size != (size, size):
        shrinks = image.width >= size
        image = image.resize((size, size), Image.Resampling.BOX if shrinks else Image.Resampling.BICUBIC)
    return np.asarray(image)


def _column(values: list[str]) -> np.ndarray:
    """A column of strings as floats where that loses nothing, else as text."""
    if any(len(v) > 1 and v[0] == "0" and v[1].isdigit() for v in values):
        return np.array(values, dtype=str)
    try:
        return np.array([float(v) if v else np.nan for v in values])
    except ValueError:
        return np.array(values, dtype=str)


def _read_images(folder: Path, split: str, names: np.ndarray, size: int) -> Tensor:
    """(N, 3, size, size) uint8 of the named images, from all shards of a split."""
    images = torch.zeros(len(names), 3, size, size, dtype=torch.uint8)
    rows = {name: row for row, name in enumerate(names)}

    def store(item: tuple[int, bytes]) -> None:
        row, jpeg = item
        with name_photo(f"{names[row]}.jpg of {folder}"):
            images[row] = torch.from_numpy(decode(jpeg, size).copy()).permute(2, 0, 1)

    with ThreadPoolExecutor(DECODE_THREADS) as pool:
        for shard in sorted(folder.glob(f"{split}-*.tar")):
            if not rows:
                break
            for batch in _batches(_select(shard, rows)):
                list(pool.map(store, batch))
    if rows:
        raise ConfigError(f"{folder} lacks {len(rows)} images of {split}.csv, first {min(rows)}.jpg: "
                          "copy its missing tar shards, or prepare the pack again.")
    return images


def _select(shard: Path, rows: dict[str, int]) -> Iterator[tuple[int, bytes]]:
    """Yield (row, bytes) of the images of a shard whose names are in `rows`, and remove these from `rows`."""
    try:
        with tarfile.open(shard) as tar:
            for member in tar:
                row = rows.pop(Path(member.name).stem, None) if rows else None
                file = tar.extractfile(member) if row is not None else None
                if row is not None and file is not None:
                    yield row, file.read()
    except tarfile.TarError as error:
        raise ConfigError(f"{shard} is damaged ({error}): copy it again, or prepare the pack again.") from error


def _batches(items: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    """Group items into lists of `BATCH`, so that no shard is held in memory whole."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    yield batch
