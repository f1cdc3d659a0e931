"""The command that repeats the training: its stages, and its comparison with expected figures."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from core.errors import WeightsMismatch
from core.model.weights import load_autoencoder
from training import reproduce
from training.cli import parse
from training.config import AutoencoderTraining, DiffusionTraining, FineTraining

SETTINGS = yaml.safe_load(reproduce.EXPECTED.read_text(encoding="utf-8"))


def test_training_starts_from_the_bundled_weights_without_the_second_part(tmp_path):
    reproduce.write_start(tmp_path / "start.safetensors", SETTINGS["start"])
    assert load_autoencoder(tmp_path / "start.safetensors").detail_coder is None
    with pytest.raises(WeightsMismatch, match="measure its figures again"):
        reproduce.write_start(tmp_path / "other.safetensors", "0" * 64)


def test_whole_length_is_that_of_the_configurations():
    steps = {}
    for stage in reproduce.stages(Path("photos"), Path("out"), 1, 2):
        module, *arguments = stage.command
        settings = {"training.train_autoencoder": AutoencoderTraining, "training.train_diffusion": DiffusionTraining,
                    "training.train_fine": FineTraining}.get(module)
        if settings:
            options, config = parse(arguments, settings, module)
            steps[module] = config.steps, parse(["--config", options.config], settings, module)[1].steps
    assert len(steps) == 3 and all(given == configured for given, configured in steps.values())


def test_finished_stages_are_left_out_and_figures_compared(tmp_path, monkeypatch, capsys):
    ran = []

    def run(command, check):
        ran.append(command[2])
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(reproduce.subprocess, "run", run)
    scale = min(SETTINGS["figures"])
    every = [stage.command[0] for stage in reproduce.stages(tmp_path, tmp_path, scale, 2)]
    for report, figures in SETTINGS["figures"][scale].items():
        measured: dict = {}
        for name, (value, _) in figures.items():
            key, column = name.split()
            measured.setdefault(key, {})[column] = value
        (tmp_path / f"{report}.json").write_text(json.dumps({"figures": measured}), encoding="utf-8")
    command = ["--photos", str(tmp_path), "--out", str(tmp_path), "--scale", str(scale)]
    reproduce.main(command)
    assert ran == [module for module in every if module != "training.evaluate"]
    measured[key][column] = 9e9
    (tmp_path / f"{report}.json").write_text(json.dumps({"figures": measured}), encoding="utf-8")
    with pytest.raises(SystemExit, match="outside their tolerance"):
        reproduce.main(command)
