"""Curves of runs are drawn where a run has what they show."""

import json

import numpy as np
from PIL import Image

from training.config import AutoencoderTraining
from training.tools.curves import draw


def ink(path):
    """Part of a picture that has a colour."""
    picture = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return ((picture.max(2) - picture.min(2)) > 60).mean()


def test_a_run_has_a_line_for_each_term_it_knows(tmp_path):
    found = []
    for name, terms in {"photos": ("plain",), "hybrid": ("plain", "depth", "view", "light", "albedo")}.items():
        run = tmp_path / name
        run.mkdir()
        (run / "config.json").write_text(json.dumps(AutoencoderTraining().to_dict()))
        rows = [{"step": step, **dict.fromkeys(terms, 1 / step)} for step in range(1, 40)]
        (run / "metrics.jsonl").write_text("\n".join(map(json.dumps, rows)))
        draw([run], tmp_path / f"{name}.png")
        found.append(ink(tmp_path / f"{name}.png"))
    assert found[1] > 3 * found[0] > 0
