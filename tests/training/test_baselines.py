"""Training of the baselines without 3-D."""

import json

import pytest
import torch

from core.config import ModelConfig
from core.errors import ConfigError
from core.model.weights import save_weights
from training.evaluate.features import read_baseline
from training.objective.baselines import ContrastiveEncoder, PlainAutoencoder, contrast
from training.train_baselines import BaselineTraining, Copies, main, train

MODEL = ModelConfig(image_size=32, width=8, pose_width=8)


@pytest.fixture
def config(photo_pack, render_pack):
    return BaselineTraining(photos=str(photo_pack), renders=str(render_pack), batch=8, steps=4, log_every=1, threads=1,
                            model=MODEL)


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_contrast_is_smallest_where_only_copies_agree():
    rows = torch.eye(4, 8)
    assert contrast(torch.cat([rows, rows])) < contrast(torch.cat([rows, rows.roll(1, 0)]))
    # All are equal: each of the seven others is as likely as the copy.
    assert contrast(torch.ones(8, 1)).item() == pytest.approx(torch.tensor(7.0).log().item(), rel=1e-5)


@pytest.mark.parametrize("network", [PlainAutoencoder, ContrastiveEncoder])
def test_a_baseline_learns_its_task(network):
    images = torch.nn.functional.interpolate(torch.rand(8, 3, 4, 4), (32, 32), mode="bilinear")
    first, second = (images * gain for gain in (0.9, 1.0))
    model = network(MODEL)
    optimizer, start = torch.optim.AdamW(model.parameters(), 2e-3), model.loss(first, second).item()
    for _ in range(10):
        optimizer.zero_grad()
        model.loss(first, second).backward()
        optimizer.step()
    assert model.loss(first, second).item() < 0.8 * start


def test_both_copies_show_the_same_photos_and_renders(config):
    first, second = Copies(config).draw(0)
    again, _ = Copies(config).draw(0)
    assert first.shape == second.shape == (4, 3, 32, 32)
    assert torch.equal(first, again) and not torch.equal(first, second)


def test_resume_is_exact_and_writes_weights_to_compare(config, trained_twice):
    whole, resumed = trained_twice(train, config)
    assert losses(resumed) == losses(whole)
    kind, network = read_baseline(resumed / "model.safetensors", 32)
    assert kind == "autoencoder" and network(torch.rand(1, 3, 32, 32)).shape == (1, 512)


def test_only_baselines_of_the_right_size_are_read(tmp_path):
    save_weights(tmp_path / "other.safetensors", PlainAutoencoder(MODEL).state_dict(), MODEL, {"kind": "autoencoder"})
    save_weights(tmp_path / "model.safetensors", {}, MODEL, {"stage": "autoencoder"})
    for path, size in ((tmp_path / "other.safetensors", 64), (tmp_path / "model.safetensors", 32),
                       (tmp_path / "missing.safetensors", 32)):
        with pytest.raises(ConfigError, match="train_baselines"):
            read_baseline(path, size)


def test_settings_are_shown_and_checked(capsys):
    main(["--kind", "contrastive", "--dry-run"])
    assert "contrastive" in capsys.readouterr().out
    with pytest.raises(ConfigError, match="batch"):
        BaselineTraining(batch=6)
