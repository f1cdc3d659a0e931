"""Data sets of expressions, read as they are laid out by those who give them away.

    RAF-DB       EmoLabel/list_patition_label.txt (`train_00001.jpg 5`), Image/aligned/train_00001_aligned.jpg
    AffectNet    {train,val}_set/annotations/12_exp.npy, {train,val}_set/images/12.jpg; or, as it was given away first,
                 Manually_Annotated_file_lists/{training,validation}.csv, Manually_Annotated_Images/123/abc.jpg
    FER2013      fer2013.csv (emotion, pixels, Usage), icml_face_data.csv (emotion, Usage, pixels), or train.csv and
                 test.csv (emotion, pixels)
    folders      {train,test}/happy/any.jpg, as copies of the three are often passed on
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.errors import ConfigError
from training.data.face_pack import name_photo

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
RAF_DB = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
AFFECTNET = ("neutral", "happiness", "sadness", "surprise", "fear", "disgust", "anger", "contempt")
FER2013 = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
FER2013_PARTS = ("Training", "PrivateTest", "PublicTest")


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
        ConfigError: none of the layouts, an empty part, no such part, or a damaged row.
    """
    root = Path(root)
    for reader in (_raf_db, _affectnet, _affectnet_lists, _fer2013, _folders):
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
    rows = [line.split() for line in listing.read_text(encoding="utf-8").splitlines() if line.strip()]
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
            with name_photo(root / f"{name}_set" / "annotations" / f"{image.stem}_exp.npy") as path:
                label = int(np.load(path))
            # Beyond the eight expressions: none, uncertain, no face.
            if label < len(AFFECTNET):
                sources.append(image)
                labels.append(label)
        parts[name] = Part(sources, np.array(labels))
    return AFFECTNET, parts


def _affectnet_lists(root: Path):
    lists = root / "Manually_Annotated_file_lists"
    if not lists.is_dir():
        return None
    parts = {}
    for name in ("training", "validation"):
        with name_photo(lists / f"{name}.csv") as path, open(path, newline="", encoding="utf-8") as file:
            rows = [(row["subDirectory_filePath"], int(row["expression"])) for row in csv.DictReader(file)]
        chosen = [(root / "Manually_Annotated_Images" / file, label) for file, label in rows if label < len(AFFECTNET)]
        parts[name] = Part([file for file, _ in chosen], np.array([label for _, label in chosen]))
    return AFFECTNET, parts


def _fer2013(root: Path):
    whole = next((path for path in (root / "fer2013.csv", root / "icml_face_data.csv") if _has_pixels(path)), None)
    if whole:
        rows = list(_fer2013_rows(whole))
        return FER2013, {name: _part(row[1:] for row in rows if row[0] == name) for name in FER2013_PARTS}
    files = {name: root / f"{name}.csv" for name in ("train", "test")}
    if not _has_pixels(files["train"]):
        return None
    return FER2013, {name: _part(row[1:] for row in _fer2013_rows(path, name)) for name, path in files.items()
                     if path.is_file()}


def _has_pixels(path: Path) -> bool:
    """Whether a csv file is there and has a column of pixels."""
    if not path.is_file():
        return False
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        return "pixels" in map(str.strip, next(csv.reader(file), []))


def _fer2013_rows(path: Path, part: str | None = None) -> Iterator[tuple[str, np.ndarray, int]]:
    """Part, image (H, H) uint8 and label of each row; `part` is that of a file without the column Usage."""
    with open(path, newline="", encoding="utf-8", errors="replace") as file:
        reader = csv.reader(file)
        header = [name.strip() for name in next(reader)]
        if "emotion" not in header or part is None and "Usage" not in header:
            raise ConfigError(f"{path} has no labels: it needs the columns emotion and pixels, as icml_face_data.csv "
                              "has them.")
        try:
            for row in reader:
                values = dict(zip(header, row, strict=False))
                pixels = np.array(values["pixels"].split(), np.uint8)
                image, label = pixels.reshape(2 * [math.isqrt(len(pixels))]), int(values["emotion"])
                name = part or values["Usage"].strip()
                if not image.size or label not in range(len(FER2013)) or not part and name not in FER2013_PARTS:
                    raise ValueError("impossible values")
                yield name, image, label
        except (KeyError, ValueError, OverflowError, csv.Error) as error:
            raise ConfigError(f"{path}, line {reader.line_num}, is damaged: fetch the file again.") from error


def _part(rows: Iterable[tuple[np.ndarray, int]]) -> Part:
    rows = list(rows)
    return Part([image for image, _ in rows], np.array([label for _, label in rows]))


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
