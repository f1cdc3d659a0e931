"""Are two photos of the same person? The protocol of Labeled Faces in the Wild, on ten folds.

`--root` holds `Name/Name_0001.jpg`; `--pairs` is LFW's pairs.txt: a line `10 300`, then for each fold 300 lines
`Name 1 2` (the same person) and 300 lines `Name 1 Other 3`. Two photos count as one person where the cosine of their
features is above a threshold; for each fold it is the best one on the other nine. The papers' features for this are
identity + code.
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
}


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
                          "name the folder that holds one folder per person.")
    model = LatentFace.from_pretrained(options.weights)
    features = Features(model, options.baselines, options.cache)
    faces, missed = read_faces(files, features.size, options.aligned, options.cache)
    rows = {name: row for row, name in enumerate(names)}
    first, second = np.array([[rows[name] for name in pair] for pair in pairs]).T
    figures: dict[str, dict[str, float]] = {key: {} for key in ROWS}
    for column, (found,) in features(faces).items():
        for key, value in verify(1 - paired_cosine_distances(found[first], found[second]), same, folds).items():
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
    return {"accuracy": float(np.mean(right)), "error": float(np.std(right, ddof=1) / np.sqrt(len(right))),
            "auc": float(roc_auc_score(same, scores))}


def best_threshold(scores: np.ndarray, same: np.ndarray) -> float:
    """The score above which calling pairs the same is most often right."""
    order = np.argsort(scores)
    # Right answers with the threshold at each score: strangers up to it, and the same people beyond it.
    right = np.cumsum(~same[order]) + same.sum() - np.cumsum(same[order])
    return float(scores[order][right.argmax()])


def read_pairs(path: Path) -> tuple[list[tuple[str, str]], np.ndarray, np.ndarray]:
    """Pairs of file names, whether they are the same person, and their fold.

    Raises:
        ConfigError: no such file, or lines that are no pairs.
    """
    try:
        head, *lines = Path(path).read_text(encoding="utf-8").strip().splitlines()
        folds, half = (int(number) for number in head.split())
        fields = [line.split() for line in lines]
        pairs = [(_file(one[0], one[1]), _file(one[-2] if len(one) == 4 else one[0], one[-1])) for one in fields]
    except (OSError, ValueError, IndexError) as error:
        raise ConfigError(f"{path} cannot be read as LFW's pairs.txt: {error}.") from error
    if len(pairs) != 2 * folds * half or folds < 2:
        raise ConfigError(f"{path} says {folds} folds of 2 × {half} pairs and holds {len(pairs)}: use LFW's pairs.txt.")
    return pairs, np.array([len(one) == 3 for one in fields]), np.arange(len(pairs)) // (2 * half)


def _file(name: str, number: str) -> str:
    return f"{name}/{name}_{int(number):04d}.jpg"
