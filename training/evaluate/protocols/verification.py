"""Are two photos of the same person? The protocol of Labeled Faces in the Wild, on ten folds.

`--root` holds the photos, `--pairs` is the data set's own list:

    LFW      pairs.txt: a line `10 300`, then for each fold 300 lines `Name 1 2` (the same person) and 300 lines
             `Name 1 Other 3`; photos Name/Name_0001.jpg
    SLLFW    pair_SLLFW.txt: a line for each photo, `Name/Name_0001.jpg`, two for each pair; photos as in LFW
    CPLFW    pairs_CPLFW.txt: a line for each photo, `Name_1.jpg 1`, two for each pair, 0 for different people

Two photos count as one person where the cosine of their features is above a threshold; for each fold it is the best one
on the other nine. `linear` is LatentFace's own protocol (paper section 4): a linear classifier on |a − b|, |a + b| and
|a · b|, fitted on the other nine folds. The papers' features for both are identity + code.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np

from core.errors import ConfigError
from core.pipeline import LatentFace
from training.evaluate.comparison import Row, finish
from training.evaluate.faces import read_faces
from training.evaluate.features import Features

ROWS = {
    "accuracy": Row("accuracy, mean of the folds", 3),
    "error": Row("its standard error", 3, "neither"),
    "auc": Row("area under the ROC curve, all pairs", 3),
    "linear": Row("linear classifier: accuracy, mean of the folds", 3),
    "linear_error": Row("its standard error", 3, "neither"),
}
FOLDS = 10
"""Of lists that do not say how many they have."""
STRENGTH = 1e-3
"""Inverse regularisation of the linear classifier."""


def run(options: Namespace) -> dict:
    """Measure, print the table, write the report.

    Raises:
        ConfigError: pairs that cannot be read, or photos that are not there.
    """
    from sklearn.metrics.pairwise import paired_cosine_distances

    pairs, same, folds = read_pairs(options.pairs)
    names = sorted({name for pair in pairs for name in pair})
    files = [Path(options.root) / name for name in names]
    lacking = [file for file in files if not file.is_file()]
    if lacking:
        raise ConfigError(f"{options.root} lacks {len(lacking)} of {len(files)} photos, first {lacking[0]}: "
                          "name the folder that the list's names are in.")
    model = LatentFace.from_pretrained(options.weights)
    features = Features(model, options.baselines, options.cache)
    faces, missed = read_faces(files, features.size, options.aligned, options.cache)
    rows = {name: row for row, name in enumerate(names)}
    first, second = np.array([[rows[name] for name in pair] for pair in pairs]).T
    figures: dict[str, dict[str, float]] = {key: {} for key in ROWS}
    for column, (found,) in features(faces).items():
        scores = 1 - paired_cosine_distances(found[first], found[second])
        measured = verify(scores, same, folds) | verify_linear(found[first], found[second], same, folds)
        for key, value in measured.items():
            figures[key][column] = value
    return finish(ROWS, figures, f"{len(pairs)} pairs of {len(names)} photos, no face found in {missed}", options)


def verify(scores: np.ndarray, same: np.ndarray, folds: np.ndarray) -> dict[str, float]:
    """Accuracy over folds, its standard error, and the area under the ROC curve.

    Args:
        scores: (P,) likeness of the pairs.
        same: (P,) bool.
        folds: (P,) fold of each pair.
    """
    from sklearn.metrics import roc_auc_score

    right = [np.mean((scores[folds == fold] > best_threshold(scores[folds != fold], same[folds != fold]))
                     == same[folds == fold]) for fold in np.unique(folds)]
    return _over_folds(right, "accuracy", "error") | {"auc": float(roc_auc_score(same, scores))}


def verify_linear(first: np.ndarray, second: np.ndarray, same: np.ndarray, folds: np.ndarray) -> dict[str, float]:
    """Accuracy over folds of a linear classifier on pairs of features (P, F); `same` and `folds` as of `verify`."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = np.concatenate([np.abs(first - second), np.abs(first + second), np.abs(first * second)], 1)
    right = []
    for fold in np.unique(folds):
        classifier = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, max_iter=300))
        classifier.fit(rows[folds != fold], same[folds != fold])
        right.append(classifier.score(rows[folds == fold], same[folds == fold]))
    return _over_folds(right, "linear", "linear_error")


def _over_folds(right: list, mean: str, error: str) -> dict[str, float]:
    """Mean and standard error of the folds' accuracies, under these names."""
    return {mean: float(np.mean(right)), error: float(np.std(right, ddof=1) / np.sqrt(len(right)))}


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The score above which calling pairs the same is most often right."""
    order = np.argsort(scores)
    # Right answers with the threshold at each score: strangers up to it, and the same people beyond it.
    right = np.cumsum(~same[order]) + same.sum() - np.cumsum(same[order])
    return float(scores[order][right.argmax()])


def read_pairs(path: Path) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """Pairs of file names, whether they are the same person, and their fold, of a list of LFW, SLLFW or CPLFW.

    Raises:
        ConfigError: no such file, or lines that are no pairs.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").strip().splitlines()
        return _photo_lines(lines) if lines and ".jpg" in lines[0] else _pair_lines(lines)
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(f"{path} cannot be read as pairs.txt of LFW, pair_SLLFW.txt or pairs_CPLFW.txt: "
                          f"{error}.") from error


def _pair_lines(lines: list[str]) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """Of LFW: a line for each pair."""
    folds, half = (int(number) for number in lines[0].split())
    fields = [line.split() for line in lines[1:]]
    pairs = [(_file(one[0], one[1]), _file(one[-2] if len(one) == 4 else one[0], one[-1])) for one in fields]
    if len(pairs) != 2 * folds * half or folds < 2:
        raise ValueError(f"it says {folds} folds of 2 × {half} pairs and holds {len(pairs)}")
    return pairs, np.array([len(one) == 3 for one in fields]), np.arange(len(pairs)) // (2 * half)


def _photo_lines(lines: list[str]) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """Of SLLFW and CPLFW: a line for each photo, with a label in CPLFW. Each fold gets as many pairs of both kinds."""
    if len(lines) % 2:
        raise ValueError(f"it holds {len(lines)} photos, which make no pairs")
    fields = [line.split() for line in lines]
    if any(one[1:] != other[1:] for one, other in zip(fields[::2], fields[1::2], strict=True)):
        raise ValueError("the two photos of a pair have different labels")
    pairs = [(one[0], other[0]) for one, other in zip(fields[::2], fields[1::2], strict=True)]
    same = np.array([one[1] != "0" if len(one) > 1 else Path(one[0]).parent == Path(other[0]).parent
                     for one, other in zip(fields[::2], fields[1::2], strict=True)])
    folds = np.empty(len(pairs), int)
    for kind in (True, False):
        count = int((same == kind).sum())
        if count < FOLDS:
            raise ValueError(f"it holds {count} pairs of {'one person' if kind else 'different people'}")
        folds[same == kind] = np.arange(count) * FOLDS // count
    return pairs, same, folds


def _file(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"
