"""The training loop: it learns, resumes exactly and leaves usable weights; the command line speaks plainly."""

import json
from dataclasses import replace

import pytest
import torch

from core.config import ModelConfig
from core.errors import ConfigError
from core.model.weights import load_weights, read_metadata
from core.pipeline import LatentFace
from training import checkpoint
from training.cli import parse
from training.config import AutoencoderTraining
from training.train_autoencoder import main, train


@pytest.fixture
def config(photo_pack, render_pack):
    model = ModelConfig(image_size=32, width=8, pose_width=8)
    return AutoencoderTraining(photos=str(photo_pack), renders=str(render_pack), batch=8, steps=6, warmup=1,
                               log_every=1, sample_every=3, bf16=False, threads=1, model=model)


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_resume_is_exact(config, trained_twice):
    whole, resumed = trained_twice(train, config)
    assert losses(resumed) == losses(whole)
    first, second = (checkpoint.load(run)["averaged"] for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_leaves_what_it_promises(config, tmp_path):
    run = checkpoint.new_run(tmp_path, "hybrid", config.to_dict())
    train(config, run)
    assert run.name == "0001-hybrid" and checkpoint.new_run(tmp_path, "next", {}).name == "0002-next"
    assert "revision" in json.loads((run / "config.json").read_text())
    assert (run / "sheet-000003.png").is_file()
    model = LatentFace.from_pretrained(run / "model.safetensors")
    assert model.config == config.model
    assert torch.isfinite(model.analyze(torch.rand(2, 3, 32, 32)).recon_image).all()


def test_photos_alone_train_too(config, tmp_path):
    alone = replace(config, renders="", steps=2)
    run = checkpoint.new_run(tmp_path, "self_supervised", alone.to_dict())
    train(alone, run)
    assert "depth" not in (run / "metrics.jsonl").read_text().replace("same_depth", "")


def test_a_run_starts_from_weights(config, tmp_path):
    first = checkpoint.new_run(tmp_path, "hybrid", config.to_dict())
    train(config, first)
    weights = first / "model.safetensors"
    still = replace(config, start_from=str(weights), lr=0.0, steps=2)
    second = checkpoint.new_run(tmp_path, "hybrid", still.to_dict())
    train(still, second)
    (_, before), (_, after) = (load_weights(run / "model.safetensors") for run in (first, second))
    assert not [name for name in before if not torch.equal(before[name], after[name])]
    assert read_metadata(second / "model.safetensors")["steps"] == "8"
    with pytest.raises(ConfigError, match="another model"):
        train(replace(still, model=replace(config.model, width=16)), second)


def test_the_diffusion_models_loss_fine_tunes_the_encoders(config, split_weights, tmp_path):
    tuned = replace(config, steps=2, start_from=str(split_weights), loss=replace(config.loss, time_invariance=1.0))
    run = checkpoint.new_run(tmp_path, "tuned", tuned.to_dict())
    train(tuned, run)
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert all(line["time_invariance"] > 0 and line["render_time_invariance"] > 0 for line in lines)
    with pytest.raises(ConfigError, match="a diffusion model was made for"):
        train(replace(tuned, start_from=""), run)


def test_loss_falls(config, tmp_path):
    run = checkpoint.new_run(tmp_path, "longer", config.to_dict())
    train(replace(config, steps=40, lr=2e-3, sample_every=1000), run)
    found = losses(run)
    assert sum(found[-5:]) < sum(found[:5]) - 5


def test_flags_override_the_file(request, capsys):
    file = request.config.rootpath / "training/configs/smoke.yaml"
    flags = ["--config", str(file), "--lr", "1e-4", "--model.image-size", "128"]
    _, config = parse(flags, AutoencoderTraining, "training.train_autoencoder")
    assert (config.lr, config.model.image_size, config.steps) == (1e-4, 128, 60)
    main(["--config", str(file), "--dry-run"])
    assert "AutoencoderTraining" in capsys.readouterr().out


def test_missing_data_is_said(config, tmp_path):
    with pytest.raises(ConfigError, match="render_pack"):
        train(replace(config, renders=str(tmp_path)), tmp_path)
    with pytest.raises(ConfigError, match="prepare"):
        train(replace(config, photos=str(tmp_path)), tmp_path)
    with pytest.raises(ConfigError, match="checkpoint"):
        checkpoint.load(tmp_path)
