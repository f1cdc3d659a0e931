"""Warnings by skin tone: limits, shares, and the spoilt copies."""

import json

import numpy as np
import pytest
import torch

from core.export.quality import LIMITS, Quality
from tests.training.packs import write_photos
from training.evaluate.__main__ import parser
from training.evaluate.groups import TONES
from training.evaluate.protocols import warnings


def qualities(count: int, **values: torch.Tensor) -> Quality:
    """Measures well above every limit, but for those given."""
    names = Quality.__dataclass_fields__
    return Quality(**{name: values.get(name, torch.full((count,), 2.0)) for name in names})


def test_a_limit_suits_the_skin_tone_that_lies_lowest():
    values = torch.cat([torch.linspace(0.5, 0.9, 1001), torch.linspace(0.2, 0.6, 1001)])
    tones = np.repeat(["light", "dark"], 1001)
    limits = warnings.calibrate(qualities(2002, contrast=values), tones)
    assert limits["contrast"] == pytest.approx(0.2 + 0.4 * warnings.MOST_WARNED, abs=1e-3)
    assert limits["brightness"] == 2 and set(limits) == {*LIMITS, "typical_spread"}


def test_a_few_photos_of_a_skin_tone_set_no_limit():
    values, tones = torch.linspace(0.5, 0.9, 1010), np.repeat(["light", "dark"], [1001, 9])
    values[1001:] = 0
    assert warnings.calibrate(qualities(1010, contrast=values), tones)["contrast"] > 0.4


def test_shares_count_each_photo_once():
    low = torch.tensor([0.0, 2.0, 2.0, 2.0])
    found = warnings.shares(qualities(4, contrast=low, brightness=low.flip(0), sharpness=low))
    assert found["photos"] == 4 and found["warned"] == 50 and found["contrast"] == 25 and found["uncovered"] == 0


def test_copies_are_spoilt_as_they_are_named():
    photo = torch.rand(2, 3, 64, 64)
    dark, flat, blurred = (warnings.CHANGES[name](photo) for name in ("darkened", "flat", "blurred"))
    assert torch.allclose(dark, 0.1 * photo)
    assert torch.allclose(flat.std((1, 2, 3)), 0.1 * photo.std((1, 2, 3)), rtol=0.05)
    assert torch.allclose(flat.mean((2, 3)), photo.mean((2, 3)), atol=0.05)
    assert blurred.std() < 0.3 * photo.std() and torch.equal(warnings.CHANGES["unaltered"](photo), photo)


def test_command_measures_and_calibrates(tmp_path, monkeypatch):
    monkeypatch.setattr(warnings, "LEAST", 1)
    write_photos(tmp_path / "photos", np.random.default_rng(0))
    arguments = ["warnings", "--photos", str(tmp_path / "photos"), "--limit", "4"]
    warnings.run(parser().parse_args([*arguments, "--out", str(tmp_path / "report.json")]))
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    assert set(warnings.CHANGES) <= set(figures)
    assert sum(figures[f"unaltered.{tone}"]["photos"] for tone in TONES if f"unaltered.{tone}" in figures) == 4
    assert figures["darkened"]["brightness"] == 100
    limits = warnings.run(parser().parse_args([*arguments, "--calibrate"]))
    assert set(limits) == {*LIMITS, "typical_spread"}
