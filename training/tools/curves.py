"""Curves of training runs: every term of the loss over the steps, divided by its weight.

    python -m training.tools.curves runs/0001-self_supervised runs/0002-hybrid --out curves.png
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

WINDOW = 5
"""Lines of metrics.jsonl that a point of a curve is the mean of."""
TERMS = {"plain": "photos: L1 of the reconstruction", "same_view": "photos: pose between two copies",
         "same_depth": "photos: depth between two copies", "depth": "renders: canonical depth, L1",
         "view": "renders: pose", "light": "renders: light", "albedo": "renders: albedo, L1",
         "expression": "renders: expressions, squared error"}


def read_run(run: Path) -> tuple[dict[str, float], list[dict[str, float]]]:
    """Weights of the terms, and what was written down every few steps."""
    weights = json.loads((run / "config.json").read_text(encoding="utf-8"))["loss"]
    return weights, [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]


def draw(runs: list[Path], out: Path) -> None:
    """Draw a plot for each term, a line in it for each run that has the term."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, plots = plt.subplots(2, (len(TERMS) + 1) // 2, figsize=(15, 6), layout="constrained")
    for number, run in enumerate(runs):
        weights, rows = read_run(run)
        for plot, (term, title) in zip(plots.flat, TERMS.items(), strict=False):
            plot.set(title=title, xlabel="step", yscale="log")
            if term not in rows[0]:
                continue
            values, steps = (np.array([row[key] for row in rows]) for key in (term, "step"))
            means = np.convolve(values / weights[term], np.ones(WINDOW) / WINDOW, "valid")
            plot.plot(steps[WINDOW - 1:], means, label=run.name, color=f"C{number}", linewidth=1.2)
    handles, names = max((plot.get_legend_handles_labels() for plot in plots.flat), key=lambda pair: len(pair[0]))
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    figure.savefig(out, dpi=80)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Curves of training runs: every term of the loss over the steps.")
    parser.add_argument("runs", type=Path, nargs="+", help="folders of training.train_autoencoder")
    parser.add_argument("--out", type=Path, required=True, help="picture to write")
    options = parser.parse_args()
    draw(options.runs, options.out)


if __name__ == "__main__":
    main()
