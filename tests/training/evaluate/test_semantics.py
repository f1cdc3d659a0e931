"""Figures of directions: on factors that are known, and the whole command on untrained weights."""

import json

import numpy as np
import pytest
import torch

from core.config import DiffusionConfig, ModelConfig, SemanticsConfig
from core.errors import ConfigError, WeightsMissing
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.semantics import SemanticBasis
from core.model.weights import (
    autoencoder_fingerprint,
    diffusion_path,
    load_autoencoder,
    save_weights,
    semantics_path,
)
from training.evaluate.__main__ import parser
from training.evaluate.protocols import semantics
from training.evaluate.protocols.semantics import NAMES, dci, directions, explained, run
from training.render_validation import render_all

GROUPS = ["brows", "brows", "jaw", "eyes"]


def factors() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(400, 4))


def test_one_direction_for_each_group_is_disentangled():
    truth = factors()
    truth[:, 1] = truth[:, 0]
    figures = dci(truth[:, [0, 2, 3]] * [1, -2, 3], truth, GROUPS)
    assert all(figures[key] > 0.95 for key in ("disentanglement", "completeness", "gap", "informativeness"))


def test_mixtures_of_all_groups_are_not():
    truth = factors()
    mixed = truth @ (np.ones((4, 4)) - 2 * np.eye(4)) / 2
    figures = dci(mixed, truth, GROUPS)
    assert figures["informativeness"] > 0.95
    assert all(figures[key] < 0.3 for key in ("disentanglement", "completeness", "gap"))


def test_what_scores_do_not_know_is_not_explained():
    assert explained(np.random.default_rng(1).normal(size=(400, 4)), factors()) < 0.05


def test_every_way_gives_as_many_directions_of_one_sigma():
    codes = torch.randn(100, 512, generator=torch.Generator().manual_seed(0)) * 3
    ways = directions(Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8)), torch.randn(5, 512), codes)
    assert set(ways) == set(NAMES) - {"mediapipe"}
    for name in ("pca", "sefa", "random"):
        unit = torch.nn.functional.normalize(ways[name], dim=1)
        assert torch.allclose((codes @ unit.T).std(0), ways[name].norm(dim=1), rtol=1e-3)
    sefa = ways["sefa"]
    assert not sefa[:3, 256:].any() and not sefa[3:, :256].any()


@pytest.fixture
def weights(split_weights, tmp_path):
    """Untrained weights with a random expression basis; returns the autoencoder's file."""
    path = tmp_path / "autoencoder.safetensors"
    path.write_bytes(split_weights.read_bytes())
    autoencoder = load_autoencoder(path)
    diffusion = Diffusion(DiffusionConfig(width=32, blocks=1, image_size=32))
    diffusion.expression_basis.regressor.normal_()
    diffusion.expression_basis.landmarks.uniform_(-0.8, 0.8)
    fingerprint = {"autoencoder": autoencoder_fingerprint(autoencoder.state_dict())}
    save_weights(diffusion_path(path), diffusion.state_dict(), diffusion.config, fingerprint)
    config = SemanticsConfig(image_size=32, names=("a", "b"), parts=("identity", "expression"))
    basis = SemanticBasis(config)
    basis.directions.normal_()
    save_weights(semantics_path(path), basis.state_dict(), config, fingerprint)
    return path


def test_command_measures_every_figure(weights, tmp_path, monkeypatch):
    np.savez(tmp_path / "renders.npz", **render_all(people=5, size=32, seed=1))
    (tmp_path / "london").mkdir()
    (tmp_path / "network.tgz").touch()
    monkeypatch.setattr(semantics, "DISPLAY", 64)
    monkeypatch.setattr(semantics.london, "read", lambda folder, size: (
        torch.rand(4, 3, size, size), np.arange(4), np.zeros(4, bool), np.ones(4, bool)))
    monkeypatch.setattr(semantics.Descriptor, "read", lambda path: lambda photos: photos.mean((2, 3)))
    run(parser().parse_args(["semantics", "--weights", str(weights), "--renders", str(tmp_path / "renders.npz"),
                             "--london", str(tmp_path / "london"), "--people", "2",
                             "--descriptor", str(tmp_path / "network.tgz"), "--out", str(tmp_path / "report.json")]))
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    assert set(figures) == set(semantics.ROWS)
    assert all(set(figures[key]) == set(NAMES) - {"mediapipe"} for key in list(semantics.ROWS)[:7])
    assert np.isfinite([value for row in figures.values() for value in row.values()]).all()
    assert 0 <= figures["semantics.pose"]["found"] <= 1 and 0 <= figures["semantics.identity"]["found"] <= 1


def test_command_says_what_it_needs(weights, tmp_path):
    renders = tmp_path / "renders.npz"
    arguments = ["semantics", "--weights", str(weights), "--renders", str(renders)]
    with pytest.raises(ConfigError, match="There is no"):
        run(parser().parse_args(arguments))
    renders.touch()
    with pytest.raises(ConfigError, match="--london"):
        run(parser().parse_args([*arguments, "--descriptor", str(renders)]))
    semantics_path(weights).unlink()
    with pytest.raises(WeightsMissing, match="fit_semantics"):
        run(parser().parse_args(arguments))
