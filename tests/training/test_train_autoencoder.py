"""Training of the autoencoder: it learns, validates, resumes exactly and writes usable weights."""

import json
from dataclasses import replace

import pytest
import torch

from core.config import ModelConfig
from core.errors import ArgumentInvalid, ConfigError
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


def lines(run, key="loss"):
    """Lines of metrics.jsonl that have a key."""
    found = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return [line for line in found if key in line]


def losses(run):
    return [line["loss"] for line in lines(run)]


def test_resume_is_exact(config, trained_twice):
    whole, resumed = trained_twice(train, config)
    assert losses(resumed) == losses(whole)
    assert lines(resumed, "validation") == lines(whole, "validation")
    first, second = (checkpoint.load(run)["averaged"] for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_writes_weights_config_and_sheets(config, tmp_path):
    run = checkpoint.new_run(tmp_path, "hybrid", config.to_dict())
    train(config, run)
    assert run.name == "0001-hybrid" and checkpoint.new_run(tmp_path, "next", {}).name == "0002-next"
    assert "revision" in json.loads((run / "config.json").read_text())
    assert (run / "sheet-000003.png").is_file()
    model = LatentFace.from_pretrained(run / "model.safetensors")
    assert model.config == config.model
    assert torch.isfinite(model.analyze(torch.rand(2, 3, 32, 32)).recon_image).all()


def test_raw_and_weighted_terms_are_logged_and_sum_to_the_loss(config, tmp_path):
    train(replace(config, steps=1), tmp_path)
    line, weights = lines(tmp_path)[0], config.loss.weigh(dict.fromkeys(lines(tmp_path)[0]["raw"], 1.0))
    assert {"depth", "l1", "mean_shape", "render_gradient"} <= line["raw"].keys() == line["weighted"].keys()
    assert line["weighted"] == pytest.approx({name: weights[name] * value for name, value in line["raw"].items()})
    assert line["loss"] == pytest.approx(sum(line["weighted"].values()), rel=1e-5)
    assert line["weighted"]["depth"] == pytest.approx(220 * line["raw"]["depth"])


def test_validation_measures_held_out_photos_and_renders(config, tmp_path):
    train(replace(config, steps=3, validate_every=2), tmp_path)
    found = lines(tmp_path, "validation")
    assert [line["step"] for line in found] == [2, 3]
    assert found[0]["validation"].keys() == {"l1", "depth", "view_depth", "normal", "albedo", "view", "light"}
    assert all(0 < value < 10 for value in found[0]["validation"].values())


def test_a_run_folder_may_have_any_name(config, tmp_path):
    run = tmp_path / "renamed"
    run.mkdir()
    train(replace(config, steps=1), run)
    assert read_metadata(run / "model.safetensors")["regime"] == "renamed"
    assert checkpoint.name_of_run(tmp_path / "0012-self-made") == "self-made"


def test_training_without_warm_up_runs(config, tmp_path):
    train(replace(config, steps=1, warmup=0), tmp_path)
    assert lines(tmp_path)[0]["lr"] == config.lr


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


def test_the_second_part_of_the_albedo_code_is_added_to_trained_weights(config, tmp_path):
    first = checkpoint.new_run(tmp_path, "hybrid", config.to_dict())
    train(config, first)
    weights = first / "model.safetensors"
    added = replace(config, start_from=str(weights), only="detail_coder.cleaner", steps=2,
                    model=replace(config.model, detail_size=8))
    second = checkpoint.new_run(tmp_path, "detail", added.to_dict())
    train(added, second)
    (_, before), (found, after) = (load_weights(run / "model.safetensors") for run in (first, second))
    assert found.detail_size == 8
    assert not [name for name in before if not torch.equal(before[name], after[name])]
    assert after["detail_coder.encoder.weight"].any() and after["detail_coder.cleaner.out.weight"].any()


def test_the_diffusion_models_loss_fine_tunes_the_encoders(config, split_weights, tmp_path):
    tuned = replace(config, steps=2, start_from=str(split_weights), loss=replace(config.loss, time_invariance=1.0))
    run = checkpoint.new_run(tmp_path, "tuned", tuned.to_dict())
    train(tuned, run)
    assert all(line["raw"][name] > 0 for line in lines(run) for name in ("time_invariance", "render_time_invariance"))
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


def test_missing_data_is_named_in_the_error(config, tmp_path):
    with pytest.raises(ConfigError, match="render_pack"):
        train(replace(config, renders=str(tmp_path)), tmp_path)
    with pytest.raises(ConfigError, match="prepare"):
        train(replace(config, photos=str(tmp_path)), tmp_path)
    with pytest.raises(ConfigError, match="checkpoint"):
        checkpoint.load(tmp_path)


def test_an_unknown_rasterizer_is_refused_before_any_work(config, tmp_path):
    with pytest.raises(ArgumentInvalid, match="opengl"):
        train(replace(config, rasterizer="opengl"), tmp_path)
    assert not list(tmp_path.iterdir())
