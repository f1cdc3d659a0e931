"""What identity and expression know of each other, beside encoders that were trained otherwise.

The data is that of training.evaluate.protocols.geometry; each source may be missing. On renders: is the nearest other
render the same person, and is the nearest stranger's expression the same; what a linear probe reads. On the London Set:
neutral and smiling faces. On photos: MediaPipe's blendshapes.
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from core.errors import ConfigError
from core.pipeline import LatentFace
from training.data.face_pack import FacePack
from training.evaluate import plots, swap
from training.evaluate.comparison import Row, show, table, write_report
from training.evaluate.descriptor import Descriptor
from training.evaluate.features import Features
from training.evaluate.london import DRAWS, change, read
from training.evaluate.metrics import probe_accuracy, probe_r2, rank1
from training.evaluate.photos import LEAST_SPREAD
from training.evaluate.renders import training_renders

ROWS = {
    "rig.rank1": Row("renders: rank-1, same person with another expression, view and light"),
    "rig.stranger": Row("renders: expression of the nearest stranger (0 chance, 1 as near as there is one)"),
    "rig.expression": Row("renders: R² of expression weights, linear"),
    "rig.person": Row("renders: person read by a linear classifier, accuracy"),
    "london.rank1": Row("London: rank-1, smiling → neutral"),
    "london.changed": Row("London: rank-1, smiling with changed light, tint, crop and side → neutral"),
    "london.smile": Row("London: smile, linear, accuracy on people left out"),
    "photo.blendshapes": Row("photos: R² of MediaPipe's blendshapes, linear"),
}


def run(options: Namespace) -> dict:
    """Measure what was asked for, print the tables, write report and figures.

    Returns:
        What is written with --out: figures by column.

    Raises:
        ConfigError: no data, or a file that is not there.
        WeightsMissing: the weights have no diffusion model beside them.
    """
    sources = [options.renders, options.photos, options.london]
    if not any(sources):
        raise ConfigError("There is nothing to measure on: name --renders, --photos or --london.")
    for path in filter(None, (*sources, options.rig_pack, options.descriptor)):
        if not Path(path).exists():
            raise ConfigError(f"There is no {path}.")
    model = LatentFace.from_pretrained(options.weights)
    features = Features(model, options.baselines, options.cache)
    figures: dict[str, dict[str, float]] = {}
    if options.renders:
        figures |= on_renders(features, options.renders, options.rig_pack, options.rig_count)
        figures |= swap.on_renders(model, options.pairs)
    if options.london:
        figures |= on_london(features, options.london)
        figures |= swap.on_london(model, options.london, options.descriptor and Descriptor.read(options.descriptor))
    if options.photos:
        figures |= on_photos(features, options.photos, options.train_limit)
    show(table(ROWS, figures, "identity against expression"),
         table(swap.ROWS, figures, "renders: A with B's expression, against the true one", swap.NAMES),
         table(swap.TRANSFER_ROWS, figures, "London: A's neutral face with B's smile", swap.TRANSFER_NAMES))
    write_report({"figures": figures}, options)
    if options.figures and options.london:
        plots.save(options.figures, swap.sheets(model, options.london), options.overwrite)
    return figures


def on_renders(features: Features, path: Path, pack: Path | None, count: int) -> dict[str, dict[str, float]]:
    """Figures on renders of held-out people; `pack` and `count`: renders of other people that the probe learns from."""
    with np.load(path) as arrays:
        image = torch.from_numpy(arrays["im"]).movedim(-1, 1).contiguous()
        ids, weights = arrays["id"], arrays["ex"].astype(np.float64)
    train, train_weights = training_renders(pack, count) if pack else (image, None)
    result = {key: {} for key in ROWS if key.startswith("rig.")}
    for column, (learnt, rows) in features(train, image).items():
        result["rig.rank1"][column] = rank1(rows, rows, ids, ids, same=True)
        result["rig.stranger"][column] = stranger(rows, ids, weights)
        result["rig.person"][column] = float(probe_accuracy(rows, ids, np.arange(len(ids))).mean())
        if train_weights is not None:
            result["rig.expression"][column] = probe_r2(learnt, train_weights, rows, weights, "variance_weighted")
    return {key: values for key, values in result.items() if values}


def stranger(rows: np.ndarray, ids: np.ndarray, weights: np.ndarray) -> float:
    """How like each image's expression is that of the most similar (cosine) image of another person.

    Args:
        rows: (N, F) features.
        ids: (N,) person.
        weights: (N, E) what the face does.

    Returns:
        Squared distance between the weights of the two, so that 0 is a stranger at random and 1 the best there is.
    """
    from sklearn.metrics.pairwise import cosine_similarity, euclidean_distances

    others = ids[:, None] != ids
    similarity = np.where(others, cosine_similarity(rows), -np.inf)
    distance = np.where(others, euclidean_distances(weights, squared=True), np.inf)
    found = distance[np.arange(len(rows)), similarity.argmax(1)].mean()
    chance, best = distance[others].mean(), distance.min(1).mean()
    return float((chance - found) / (chance - best))


def on_london(features: Features, folder: Path) -> dict[str, dict[str, float]]:
    """Figures of training.evaluate.london by column; people of split `heldout` ask, all are beside."""
    photos, people, smiles, heldout = read(Path(folder), 2 * features.size)
    generator = torch.Generator().manual_seed(0)
    smiling = [change(photos[smiles], generator) for _ in range(DRAWS)]
    groups = [F.avg_pool2d(part, 2) for part in (photos, *smiling)]
    asked, result = heldout[smiles], {key: {} for key in ROWS if key.startswith("london.")}
    for column, (plain, *changed) in features(*groups, components=64).items():
        def found(queries: np.ndarray, gallery: np.ndarray = plain) -> float:
            return rank1(queries[asked], gallery[~smiles], people[smiles][asked], people[~smiles])

        result["london.rank1"][column] = found(plain[smiles])
        result["london.changed"][column] = float(np.mean([found(copy) for copy in changed]))
        result["london.smile"][column] = float(probe_accuracy(plain, smiles, people)[heldout].mean())
    return result


def on_photos(features: Features, folder: Path, limit: int | None) -> dict[str, dict[str, float]]:
    """R² of the blendshapes that vary, by column; learnt from the first `limit` photos of split train."""
    folder = Path(folder)
    images, scores = [], []
    for split, count in (("train", limit), ("val", None)):
        images.append(FacePack(folder, features.size, split, count).images)
        with np.load(folder / f"{split}_blendshapes.npz") as arrays:
            scores.append(arrays["scores"][:count].astype(np.float64))
    shown = scores[1].std(0) > LEAST_SPREAD
    return {"photo.blendshapes": {column: probe_r2(train, scores[0][:, shown], test, scores[1][:, shown])
                                  for column, (train, test) in features(*images, components=512).items()}}
