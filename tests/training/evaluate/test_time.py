"""The protocol of films: what is true of a rendered film, and figures of tracks that are right, late or noisy."""

from argparse import Namespace
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.errors import ConfigError
from core.types import View
from training.evaluate.protocols import time
from training.evaluate.protocols.time import errors, rigged_film, run
from training.rig.rig import Rig


@pytest.fixture(scope="module")
def film():
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(4)
    return rigged_film(rig, rig.sample_person(rng), 2, rng, torch.Generator().manual_seed(4))


@pytest.fixture(scope="module")
def track(model, film):
    return model.track(film.frames)


def test_a_film_starts_neutral_moves_and_rests(film):
    assert not film.expression[0].any() and not film.rotation[0].any()
    rest = slice(-film.resting, None)
    assert (film.expression[rest] == film.expression[-1]).all() and film.expression[-1].any()
    assert film.resting == pytest.approx(time.RATE * time.REST, abs=1)
    assert [frame.time for frame in film.frames[:3]] == pytest.approx([0, 0.08, 0.16])


def test_a_perfect_track_has_no_error_and_noise_has(model, film, track):
    truth = replace(track.frames, expression=film.expression,
                    view=View(film.rotation.deg2rad(), torch.zeros(len(film.rotation), 2)))
    perfect = errors(model, [(film, replace(track, frames=truth))])
    assert perfect["time.expression"]["track"] == pytest.approx(1)
    assert perfect["time.change"]["track"] == pytest.approx(1)
    assert perfect["time.pose"]["track"] == pytest.approx(0, abs=1e-4)
    assert perfect["time.jitter"]["track"] == pytest.approx(0, abs=1e-4)
    shifted = replace(truth, expression=film.expression + 0.1, view=View(film.rotation.deg2rad() + 0.02 * torch.randn(
        film.rotation.shape), torch.zeros(len(film.rotation), 2)))
    noisy = errors(model, [(film, replace(track, frames=shifted))])
    assert noisy["time.expression"]["track"] < 0.9 and noisy["time.change"]["track"] == pytest.approx(1, abs=1e-4)
    assert noisy["time.jitter"]["track"] > 0.5 and noisy["time.pose"]["track"] > 0.5


def test_a_track_is_steadier_than_single_frames(model, film, track):
    figures = errors(model, [(film, track)])
    assert figures["time.jitter"]["track"] < figures["time.jitter"]["frames"]
    assert figures["time.pose"]["track"] < 4


def test_the_report_holds_every_figure(monkeypatch, film):
    monkeypatch.setattr(time, "rigged_films", lambda people, seconds: iter([film]))
    monkeypatch.setattr(time, "COUNTS", (1, 2))
    report = run(Namespace(weights=None, people=1, seconds=2, identities=3, out=None))
    assert set(report["figures"]) == {*list(time.ROWS)[:4], "time.rank1.1", "time.rank1.2"}
    assert 0 <= report["figures"]["time.rank1.2"]["track"] <= 1


@pytest.mark.parametrize(("wrong", "sentence"), [({"identities": 1}, "--identities 2"),
                                                  ({"seconds": 1}, "--seconds 2")])
def test_measurements_that_say_nothing_are_refused(wrong, sentence):
    with pytest.raises(ConfigError, match=sentence):
        run(Namespace(**{"weights": None, "people": 1, "seconds": 5, "identities": 2, "out": None} | wrong))
