"""Do edited faces repair unbalanced data? Guided extrapolation, after Zheng et al. (arXiv 2103.16605).

    python -m training.evaluate augment --photos fairface

A linear probe learns from frozen features whether a face smiles, by MediaPipe's scores. Of the faces that it learns
from, 95 % do not smile. Some of those are edited along a semantic and added as smiling ones; the same people, rendered
without the edit, are added as they are, so that being a render tells nothing. It is tested on other people, half of
whom smile. Beside it: the unbalanced photos alone, with weights by class, and as many photos that are balanced.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConfigError
from core.pipeline import LatentFace
from core.rendering.texture_transfer import texture_from_photo
from training.data.face_pack import FacePack
from training.evaluate.comparison import Row, finish
from training.evaluate.features import PIXELS
from training.evaluate.metrics import pixel_pca
from training.evaluate.renders import features
from training.evaluate.swap import landmarks

SMILING, UNSMILING = 0.5, 0.05
"""MediaPipe's score, mean of both sides, above which a face smiles, and below which it does not."""
RARE = 0.05
"""Part of the unbalanced photos that smile."""
STRENGTH = 1e-2
"""Inverse regularisation of the probe, the same for all."""
TEST = 200
"""Photos of each class to test on."""
SIZE = 128
"""Pixels of the photos that are edited."""
WAYS = {"unbalanced": "95 : 5", "weighted": "95 : 5, weighted by class", "augmented": "95 : 5, augmented",
        "both": "95 : 5, augmented, weighted by class",
        "balanced": "50 : 50, as many photos"}
ROWS = {f"{way}.{key}": Row(f"{name}: {what}", 3) for way, name in WAYS.items()
        for key, what in (("accuracy", "accuracy"), ("recall", "smiling faces found"))}
ROWS["spread"] = Row("largest standard deviation of an accuracy over the draws", 3, "neither")


def run(options: Namespace) -> dict:
    """Measure, print the table, write the report.

    Raises:
        ConfigError: the pack has too few faces that do or do not smile.
        ArgumentInvalid: a semantic or an amount that there is not.
    """
    model = LatentFace.from_pretrained(options.weights)
    rare = round(RARE * options.count)
    needed = {"train": (options.count - rare, options.count // 2), "val": (TEST, TEST)}
    (plain, smiling), test = (_classes(options.photos, split, numbers) for split, numbers in needed.items())
    edited, unedited = edits(model, plain[:options.edited].float() / 255, options.along, options.amounts)
    small = [F.interpolate(part.float(), (model.config.image_size,) * 2, mode="area").byte()
             for part in (plain, smiling, edited, unedited, *test)]
    columns = {"code": [features(model, part) for part in small], "pca": pixel_pca(*small, size=PIXELS, components=128)}
    figures: dict[str, dict[str, float]] = {}
    for column, (plain_rows, smiling_rows, edited_rows, unedited_rows, *asked) in columns.items():
        rows, truth = np.concatenate(asked), np.repeat([False, True], [len(part) for part in asked])
        found: dict[str, list[np.ndarray]] = {way: [] for way in WAYS}
        for draw in range(options.draws):
            order = np.random.default_rng(draw).permutation(len(smiling_rows))
            few, half = smiling_rows[order[:rare]], options.count // 2
            sets = {"unbalanced": (plain_rows, few), "weighted": (plain_rows, few),
                    "augmented": (np.concatenate([plain_rows, unedited_rows]), np.concatenate([few, edited_rows])),
                    "balanced": (plain_rows[:half], smiling_rows[order[:half]])}
            sets["both"] = sets["augmented"]
            for way, classes in sets.items():
                found[way].append(probe(*classes, rows, way in ("weighted", "both")) == truth)
        for way, right in found.items():
            values = {"accuracy": np.mean(right), "recall": np.mean(right, 0)[truth].mean()}
            for key, value in values.items():
                figures.setdefault(f"{way}.{key}", {})[column] = float(value)
        spread = max(np.mean(right, 1).std() for right in found.values())
        figures.setdefault("spread", {})[column] = float(spread)
    title = (f"{options.count} photos, {options.edited} of them edited along {options.along!r} by "
             f"{', '.join(map(str, options.amounts))}; tested on {2 * TEST}, mean of {options.draws} draws")
    return finish(ROWS, figures, title, options)


def _classes(folder: Path, split: str, numbers: tuple[int, int]) -> list[Tensor]:
    """The first so many photos, uint8 (N, 3, SIZE, SIZE), that do not smile, and that do."""
    with np.load(folder / f"{split}_blendshapes.npz") as arrays:
        names = arrays["names"].tolist()
        sides = [names.index(f"mouthSmile{side}") for side in ("Left", "Right")]
        score = arrays["scores"][:, sides].astype(np.float32).mean(1)
    chosen = [np.flatnonzero(member)[:count] for member, count in
              zip((score < UNSMILING, score > SMILING), numbers, strict=True)]
    for found, count in zip(chosen, numbers, strict=True):
        if len(found) < count:
            raise ConfigError(f"{folder} has {len(found)} of the {count} photos of a class that are needed in "
                              f"{split}: choose a smaller --count.")
    images = FacePack(folder, SIZE, split, int(max(found[-1] for found in chosen)) + 1).images
    return [images[torch.from_numpy(found)] for found in chosen]


def edits(model: LatentFace, photos: Tensor, along: str, amounts: list[float]) -> list[Tensor]:
    """Photos (N, 3, SIZE, SIZE) in [0, 1] rendered in their own pose and light, at every amount and unedited; uint8."""
    edited, unedited = [], []
    for photo in photos.split(1):
        factors = model.analyze(F.interpolate(photo, (model.config.image_size,) * 2, mode="area"))
        face = texture_from_photo(factors, photo, landmarks(photo))
        unedited.append(model.render(face, size=SIZE))
        edited += [model.render(model.edit(face, {along: amount}), size=SIZE) for amount in amounts]
    return [(torch.cat(part) * 255).round().byte() for part in (edited, unedited)]


def probe(negative: np.ndarray, positive: np.ndarray, asked: np.ndarray, weighted: bool = False) -> np.ndarray:
    """Whether rows (M, F) are of the second class, bool (M,), by logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows, labels = np.concatenate([negative, positive]), np.repeat([False, True], [len(negative), len(positive)])
    model = LogisticRegression(C=STRENGTH, max_iter=500, class_weight="balanced" if weighted else None)
    return make_pipeline(StandardScaler(), model).fit(rows, labels).predict(asked)
