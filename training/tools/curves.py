"""Plot the raw terms of the loss of training runs over the steps.

    python -m training.tools.curves runs/0001-self_supervised runs/0002-hybrid --out curves.png
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np

from core.arguments import check_choice
from core.errors import LatentFaceError
from core.files import writing

WINDOW = 5
"""Lines of metrics.jsonl that are averaged for each point of a curve."""
TERMS = {"l1": "photos: L1 of the reconstruction", "same_view": "photos: pose, two copies",
         "same_depth": "photos: depth, two copies", "depth": "renders: canonical depth, L1",
         "view": "renders: pose", "light": "renders: light", "albedo": "renders: albedo, L1",
         "expression": "renders: expression weights, squared error"}
"""Terms that are plotted, and the titles of their plots."""


def read_terms(run: Path) -> tuple[list[int], list[dict[str, float]]]:
    """Steps of a run, and the raw terms of the loss at each of them."""
    lines = map(json.loads, (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines())
    logged = [line for line in lines if "raw" in line]
    return [line["step"] for line in logged], [line["raw"] for line in logged]


def plot_runs(runs: list[Path], out: Path, overwrite: bool = False) -> None:
    """Write an image with a plot for each of `TERMS`, in it a curve for each run that has the term.

    Args:
        runs: run folders.
        out: PNG, SVG or PDF file by its ending; PNG without one.
        overwrite: as for `core.files.writing`, which also names the errors.

    Raises:
        ArgumentInvalid: another ending.
    """
    kind = check_choice("the file's ending", out.suffix.lower() or ".png", (".png", ".svg", ".pdf"))
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, plots = plt.subplots(2, (len(TERMS) + 1) // 2, figsize=(15, 6), layout="constrained")
    for number, run in enumerate(runs):
        steps, terms = read_terms(run)
        for plot, (term, title) in zip(plots.flat, TERMS.items(), strict=False):
            plot.set(title=title, xlabel="step", yscale="log")
            if term not in terms[0]:
                continue
            means = np.convolve([row[term] for row in terms], np.ones(WINDOW) / WINDOW, "valid")
            plot.plot(steps[WINDOW - 1:], means, label=run.name, color=f"C{number}", linewidth=1.2)
    handles, names = max((plot.get_legend_handles_labels() for plot in plots.flat), key=lambda pair: len(pair[0]))
    figure.legend(handles, names, loc="outside lower center", ncols=len(names))
    with writing(out, overwrite) as part:
        figure.savefig(part, dpi=80, format=kind[1:])


def main() -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.tools.curves",
                                     description="Plot the raw terms of the loss of training runs.")
    parser.add_argument("runs", type=Path, nargs="+", help="run folders of training.train_autoencoder")
    parser.add_argument("--out", type=Path, required=True, help="image file to write")
    parser.add_argument("--overwrite", action="store_true", help="also replace a file that LatentFace did not write")
    options = parser.parse_args()
    try:
        plot_runs(options.runs, options.out, options.overwrite)
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
