"""What is a face doing? A linear probe and fine-tuning on data sets of labelled expressions.

`--root` has one of the layouts of training.evaluate.datasets: RAF-DB, AffectNet, FER2013. The papers' features for this
are expression + code. Fine-tuning goes on from the encoders of depth and albedo, with a linear layer on both codes.
"""

from __future__ import annotations

import copy
from argparse import Namespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.pipeline import LatentFace
from training.data.augment import augment
from training.evaluate.comparison import Row, finish
from training.evaluate.datasets import read_expressions
from training.evaluate.faces import read_faces
from training.evaluate.features import Features, encode

STRENGTHS = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse regularisation that the probe may choose from, on its training rows."""
BATCH, RATE = 64, 3e-4
"""Of fine-tuning: images a step; learning rate at the start, falling to 0 along a cosine."""
ROWS = {
    "probe": Row("linear probe, accuracy", 3),
    "probe_mean": Row("linear probe, mean accuracy of the classes", 3),
    "tuned": Row("fine-tuned, accuracy", 3),
    "tuned_mean": Row("fine-tuned, mean accuracy of the classes", 3),
}


def run(options: Namespace) -> dict:
    """Measure, print the table, write the report.

    Raises:
        ConfigError: the folder has no known layout, or lacks the part.
    """
    data = read_expressions(options.root, options.split)
    model = LatentFace.from_pretrained(options.weights)
    features = Features(model, options.baselines, options.cache)
    (train, missed), (test, missed_too) = (read_faces(part.sources, features.size, options.aligned, options.cache)
                                           for part in (data.train, data.test))
    figures: dict[str, dict[str, float]] = {key: {} for key in ROWS}
    for column, (learnt, asked) in features(train, test).items():
        answers = probe(learnt, data.train.labels, asked)
        figures["probe"][column], figures["probe_mean"][column] = accuracies(answers, data.test.labels)
    if options.epochs:
        for column, network in features.networks.items():
            answers = fine_tune(network, train, data.train.labels, test, len(data.classes), options.epochs)
            figures["tuned"][column], figures["tuned_mean"][column] = accuracies(answers, data.test.labels)
    title = (f"{len(train)} + {len(test)} faces, {len(data.classes)} expressions, no face found in "
             f"{missed + missed_too}")
    return finish(ROWS, figures, title, options)


def probe(train: np.ndarray, labels: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Classes (N,) of test rows by logistic regression on standardised features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GridSearchCV, ShuffleSplit
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=300))
    search = GridSearchCV(pipeline, {"logisticregression__C": STRENGTHS},
                          cv=ShuffleSplit(1, test_size=0.2, random_state=0))
    return search.fit(train, labels).predict(test)


def accuracies(answers: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Share of right answers, and its mean over the classes that occur."""
    right = answers == labels
    return float(right.mean()), float(np.mean([right[labels == one].mean() for one in np.unique(labels)]))


def fine_tune(network: nn.Module, train: Tensor, labels: np.ndarray, test: Tensor, classes: int,
              epochs: int) -> np.ndarray:
    """Classes (M,) of test images by a copy of the network that has been trained on.

    Args:
        network: images (B, 3, H, W) in [0, 1] to codes (B, 512); left as it is.
        train: (N, 3, H, W) uint8, which are changed as in the model's own training.
        labels: (N,) of them.
        test: (M, 3, H, W) uint8.
        classes: how many there are.
        epochs: passes over `train`.
    """
    generator = torch.Generator().manual_seed(0)
    network = copy.deepcopy(network).requires_grad_(True)
    with torch.no_grad():
        width = network(train[:1].float() / 255).shape[1]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(network, nn.LayerNorm(width), nn.Linear(width, classes))
    steps = epochs * -(-len(train) // BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    truth = torch.from_numpy(labels)
    for _ in range(epochs):
        for index in torch.randperm(len(train), generator=generator).split(BATCH):
            images = augment(train[index].float() / 255, train.shape[-1], generator).image
            optimizer.zero_grad()
            F.cross_entropy(model(images), truth[index]).backward()
            optimizer.step()
            schedule.step()
    model.eval().requires_grad_(False)
    return encode(lambda images: {"scores": model(images).numpy()}, test)["scores"].argmax(1)
