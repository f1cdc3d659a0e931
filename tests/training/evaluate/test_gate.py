"""The bundled weights give the figures that are published of them, on 24 renders of eight people held out of training.

New weights come with new figures, and this command writes them:

    python -m training.evaluate geometry --renders tests/data/gate.npz --out tests/data/gate.json

The renders were made once, by `python -m training.render_validation --out packs/heldout.npz` and

    arrays = dict(np.load("packs/heldout.npz"))
    keep = (arrays["id"] % 17 == 0) & (np.arange(804) % 6 < 3)
    depths = {key: arrays[key].astype(np.float16) for key in ("cd", "zin")}  # half the size; costs 2° of MAD
    np.savez_compressed("tests/data/gate.npz", **{key: value[keep] for key, value in (arrays | depths).items()})
"""

import json
from pathlib import Path

import pytest

from core.model.weights import BUNDLED
from training.evaluate.__main__ import parser
from training.evaluate.protocols.geometry import run

DATA = Path(__file__).parents[2] / "data"
NOISE = 0.002
"""Of a figure. Thread count, memory format and convolution library move figures by a millionth of their value, a
random change of every weight by 0.1 % moves them by up to 0.2 %, one by 1 % by up to 5 %."""


def test_bundled_weights_give_their_published_figures():
    published = json.loads((DATA / "gate.json").read_text())
    found = run(parser().parse_args(["geometry", "--weights", str(BUNDLED), "--renders", str(DATA / "gate.npz")]))
    assert found["metadata"] == published["metadata"], "The weights are new: write their figures, as said above."
    assert found["figures"].keys() == published["figures"].keys()
    for key, values in published["figures"].items():
        assert found["figures"][key] == pytest.approx(values, rel=NOISE), key
