"""Tiny face packs of random images, for tests."""

import csv
import io
import tarfile
from pathlib import Path

import numpy as np
from PIL import Image


def random_jpegs(random, names):
    """Yield each name with the JPEG of a random image of 128 px."""
    for name in names:
        file = io.BytesIO()
        small = Image.fromarray(random.integers(0, 255, (8, 8, 3), dtype=np.uint8))
        small.resize((128, 128)).save(file, "jpeg")
        yield name, file.getvalue()


def write_csv(path: Path, rows: list[dict]):
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


def write_photos(folder: Path, random, count: int = 12):
    folder.mkdir()
    for split in ("train", "val"):
        names = [f"{index:06d}" for index in range(count)]
        write_csv(folder / f"{split}.csv", [{"name": name, "pitch_deg": random.normal(), "yaw_deg": 5 * index - 27.5,
                                             "sex": "Male" if index % 2 else "Female"}
                                            for index, name in enumerate(names)])
        with tarfile.open(folder / f"{split}-000.tar", "w") as tar:
            for name, jpeg in random_jpegs(random, names):
                info = tarfile.TarInfo(f"{name}.jpg")
                info.size = len(jpeg)
                tar.addfile(info, io.BytesIO(jpeg))
        np.savez(folder / f"{split}_blendshapes.npz", scores=random.uniform(size=(count, 52)))
    landmarks = random.uniform(20, 100, (count, 478, 3)).astype(np.float16)
    np.savez(folder / "val_landmarks.npz", landmarks=landmarks)
