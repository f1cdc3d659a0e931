"""Curves of training runs."""

import json

import numpy as np
from PIL import Image

from training.tools.curves import plot_runs


def ink(path):
    """Share of the colored pixels of an image."""
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return ((image.max(2) - image.min(2)) > 60).mean()


def test_a_run_has_a_curve_for_each_term_that_it_logged(tmp_path):
    found = []
    for name, terms in {"photos": ("l1",), "hybrid": ("l1", "depth", "view", "light", "albedo")}.items():
        run = tmp_path / name
        run.mkdir()
        rows = [{"step": step, "raw": dict.fromkeys(terms, 1 / step)} for step in range(1, 40)]
        rows.insert(20, {"step": 20, "validation": {"l1": 0.1}})
        (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
        plot_runs([run], tmp_path / f"{name}.png")
        found.append(ink(tmp_path / f"{name}.png"))
    assert found[1] > 3 * found[0] > 0
