"""Configurations: unknown keys and wrong values are errors that name what is known."""

import pytest

from core.config import ModelConfig, from_dict
from core.errors import ConfigError
from training.config import AutoencoderTraining, load_config


def test_round_trip():
    config = AutoencoderTraining(lr=1e-4, model=ModelConfig(image_size=128))
    assert from_dict(AutoencoderTraining, config.to_dict()) == config


@pytest.mark.parametrize(("values", "named"), [
    ({"learning_rate": 1e-3}, "learning_rate"),
    ({"loss": {"depht": 1.0}}, "depht"),
    ({"steps": "many"}, "steps"),
    ({"bf16": 1}, "bf16"),
    ({"model": {"image_size": 100}}, "image_size"),
    ({"batch": 6}, "batch"),
    ({"model": 64}, "ModelConfig"),
])
def test_wrong_settings_are_named(values, named):
    with pytest.raises(ConfigError, match=named):
        from_dict(AutoencoderTraining, values)


def test_unreadable_file(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("lr: [1")
    for path in (broken, tmp_path / "missing.yaml"):
        with pytest.raises(ConfigError, match=path.name):
            load_config(AutoencoderTraining, path)


@pytest.mark.parametrize("name", ["hybrid", "self_supervised", "smoke"])
def test_bundled_configs_load(name, request):
    load_config(AutoencoderTraining, request.config.rootpath / f"training/configs/{name}.yaml")
