"""How good the autoencoder is: geometry, light, pose and codes, on renders and on photos.

The data, each of which may be missing:

    renders   npz: im, ca (N, n, n, 3) uint8 image and canonical albedo; cd, zin (N, n, n) depth in the canonical
              frame (at most 1.07) and in the view; cm, mi (N, n, n) bool, their masks; view (N, 5) pitch, yaw,
              roll in radians, shift; light (N, 4) ambient, diffuse, dx, dy; id (N,) person; ex (N, 57) expression
    rig-pack  folder of training.render_pack
    photos    face pack (training.data.face_pack) with train and val, pitch_deg and yaw_deg in val.csv, and for groups
              sex, age, ethnicity; val_landmarks.npz: landmarks (N, 478, 3) in pixels of a crop of 128;
              {train,val}_blendshapes.npz: scores (N, 52)
    london    london.csv (file, person, expression, split) and aligned512/
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.errors import ConfigError
from core.faces import Face
from core.model.weights import read_metadata, weights_path
from core.pipeline import LatentFace
from core.types import Factors
from training.evaluate import london, photos, plots, renders
from training.evaluate.comparison import write_report
from training.evaluate.groups import by_group
from training.evaluate.measurement import Measurement
from training.evaluate.report import gaps, group_table, read_previous, table

TABLE_WIDTH = 150
"""Characters; a pipe or a narrow window would squeeze the table beyond reading."""


class Refined(LatentFace):
    """The model whose `analyze` refines by default."""

    def analyze(self, images: Tensor | np.ndarray | Sequence[Face], refine: bool = True) -> Factors:
        """See `LatentFace.analyze`."""
        return super().analyze(images, refine)


def run(options: Namespace) -> dict:
    """Measure what was asked for, print the tables, write report and figures.

    Returns:
        What is written with --out: weights, their metadata, figures, figures by group, seconds per source.

    Raises:
        ConfigError: no data, or a file that is not there.
    """
    from rich.console import Console

    _check(options)
    previous = read_previous(options.previous) if options.previous else {}
    console = Console(width=max(TABLE_WIDTH, Console().width))
    model = (Refined if options.refine else LatentFace).from_pretrained(options.weights)
    path = weights_path(options.weights)
    report = {"weights": path.name, "metadata": read_metadata(path), "figures": {}, "groups": {}, "seconds": {}}
    head = mean_head(options.renders) if options.renders else None
    sources = {
        "renders": lambda: renders.measure(model, options.renders, options.rig_pack, options.rig_count),
        "photos": lambda: photos.measure(model, options.photos, head, options.train_limit, options.val_limit),
        "london": lambda: Measurement(london.measure(model, options.london))}
    measured = {}
    for name, measure in sources.items():
        if getattr(options, name):
            start = time.monotonic()
            with console.status(f"measuring on {name}"):
                measured[name] = measure()
            report["figures"] |= measured[name].figures
            report["seconds"][name] = round(time.monotonic() - start, 1)
    if "photos" in measured:
        report["groups"] = by_group(measured["photos"], photos.figures)
    _print(console, report, previous)
    write_report(report, options)
    if options.figures:
        images = plots.plot(model, measured, gaps(report["groups"], report["figures"]))
        plots.save(options.figures, images, options.overwrite)
    return report


def _check(options: Namespace) -> None:
    if not (options.renders or options.photos or options.london):
        raise ConfigError("There is nothing to measure on: name --renders, --photos or --london.")
    for path in filter(None, (options.renders, options.photos, options.london, options.rig_pack, options.previous)):
        if not Path(path).exists():
            raise ConfigError(f"There is no {path}.")


def _print(console, report: dict, previous: dict) -> None:
    about = ", ".join(f"{key} {value}" for key, value in report["metadata"].items())
    console.print(table(report["figures"], f"{report['weights']} ({about})", previous))
    for attribute, groups in report["groups"].items():
        console.print(group_table(attribute, groups, report["figures"]))
    console.print("seconds:", report["seconds"])


def mean_head(path: Path) -> Tensor:
    """(H, W) mean canonical depth of the renders."""
    with np.load(path) as arrays:
        return torch.from_numpy(arrays["cd"].astype(np.float32).mean(0))
