"""Data sets of expressions, read as they are laid out by those who give them away.

    RAF-DB       EmoLabel/list_patition_label.txt (`train_00001.jpg 5`), Image/aligned/train_00001_aligned.jpg
    AffectNet    {train,val}_set/annotations/12_exp.npy, {train,val}_set/images/12.jpg
    FER2013      fer2013.csv (emotion, pixels, Usage)
    folders      {train,test}/happy/any.jpg, as copies of the three are often passed on
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import ConfigError

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
RAF_DB = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
AFFECTNET = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


@dataclass
class Part:
    """Labelled images."""

    sources: list[Path | np.ndarray]
    """Files, or grey images (H, W) uint8."""
    labels: np.ndarray
    """(N,) index into the classes."""


@dataclass
class Expressions:
    """A data set of expressions."""

    classes: tuple[str, ...]
    train: Part
    test: Part


def read_expressions(root: Path, split: str | None = None) -> Expressions:
    """Read whichever layout a folder has.

    Args:
        root: the data set's folder.
        split: the part to test on; by default test, val or the layout's own name for it.

    Raises:
        ConfigError: none of the layouts, an empty part, or no such part.
    """
    root = Path(root)
    for reader in (_raf_db, _affectnet, _fer2013, _folders):
        found = reader(root)
        if found:
            break
    else:
        raise ConfigError(f"{root} has none of the layouts of RAF-DB, AffectNet, FER2013 or train/<class>/ folders: "
                          "see training/evaluate/datasets.py.")
    classes, parts = found
    (learnt, train), *others = parts.items()
    tests = dict(others)
    chosen = split or next(iter(tests), "test")
    if chosen not in tests:
        raise ConfigError(f"{root} has no part {chosen!r}: choose --split from {', '.join(tests) or 'nothing'}.")
    for name, part in ((learnt, train), (chosen, tests[chosen])):
        if not part.sources:
            raise ConfigError(f"Part {name!r} of {root} holds no images: fetch it again.")
    return Expressions(classes, train, tests[chosen])


def _raf_db(root: Path):
    listing = next((path for path in (root / "EmoLabel" / "list_patition_label.txt",
                                      root / "basic" / "EmoLabel" / "list_patition_label.txt") if path.is_file()), None)
    if listing is None:
        return None
    images, parts = listing.parent.parent / "Image" / "aligned", {}
    rows = [line.split() for line in listing.read_text().splitlines() if line.strip()]
    for name in ("train", "test"):
        chosen = [(file, int(label) - 1) for file, label in rows if file.startswith(name)]
        parts[name] = Part([images / f"{Path(file).stem}_aligned.jpg" for file, _ in chosen],
                           np.array([label for _, label in chosen]))
    return RAF_DB, parts


def _affectnet(root: Path):
    if not (root / "train_set" / "annotations").is_dir():
        return None
    parts = {}
    for name in ("train", "val"):
        sources, labels = [], []
        for image in sorted((root / f"{name}_set" / "images").glob("*.jpg")):
            label = int(np.load(root / f"{name}_set" / "annotations" / f"{image.stem}_exp.npy"))
            # Beyond the eight expressions: none, uncertain, no face.
            if label < len(AFFECTNET):
                sources.append(image)
                labels.append(label)
        parts[name] = Part(sources, np.array(labels))
    return AFFECTNET, parts


def _fer2013(root: Path):
    path = root / "fer2013.csv"
    if not path.is_file():
        return None
    parts: dict[str, tuple[list, list[int]]] = {name: ([], []) for name in ("Training", "PrivateTest", "PublicTest")}
    with open(path, newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            (sources, labels), pixels = parts[row["Usage"]], np.array(row["pixels"].split(), np.uint8)
            sources.append(pixels.reshape(2 * [int(len(pixels) ** 0.5)]))
            labels.append(int(row["emotion"]))
    return FER2013, {name: Part(sources, np.array(labels)) for name, (sources, labels) in parts.items()}


def _folders(root: Path):
    if not (root / "train").is_dir():
        return None
    classes = tuple(sorted(path.name for path in (root / "train").iterdir() if path.is_dir()))
    parts = {}
    for name in ("train", "test", "val"):
        if (root / name).is_dir():
            files = [(file, label) for label, one in enumerate(classes)
                     for file in sorted((root / name / one).glob("*")) if file.suffix.lower() in IMAGE_SUFFIXES]
            parts[name] = Part([file for file, _ in files], np.array([label for _, label in files]))
    return classes, parts
