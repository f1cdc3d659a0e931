"""Configurations: an unknown key or a wrong value is one sentence that names it."""

from dataclasses import fields

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.config import DiffusionConfig, ModelConfig, from_dict
from core.errors import ConfigError
from training.config import AutoencoderTraining, DiffusionTraining, load_config


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
    ({"batch": 4, "renders_share": 0.9}, "no photo"),
    ({"model": 64}, "ModelConfig"),
    ({"lr": True}, "lr"),
    ({"lr": float("nan")}, "lr"),
    ([], "AutoencoderTraining"),
])
def test_wrong_settings_are_named(values, named):
    with pytest.raises(ConfigError, match=named) as caught:
        from_dict(AutoencoderTraining, values)
    assert "\n" not in str(caught.value)


def test_unknown_key_of_a_part_names_the_part_and_its_keys():
    with pytest.raises(ConfigError, match="'depht'. LossWeights has: .*view_depth"):
        from_dict(AutoencoderTraining, {"loss": {"depht": 1.0}})


def test_yaml_numbers_in_scientific_notation_are_numbers(tmp_path):
    (tmp_path / "small.yaml").write_text("lr: 1e-4\nloss: {depth: 2e2}\nweight_decay: 1")
    config = load_config(AutoencoderTraining, tmp_path / "small.yaml")
    assert (config.lr, config.loss.depth, config.weight_decay) == (1e-4, 200.0, 1.0)
    assert isinstance(config.weight_decay, float)


def test_unreadable_file(tmp_path):
    broken = tmp_path / "broken.yaml"
    broken.write_text("lr: [1")
    for path in (broken, tmp_path / "missing.yaml"):
        with pytest.raises(ConfigError, match=path.name):
            load_config(AutoencoderTraining, path)


@pytest.mark.parametrize("name", ["hybrid", "self_supervised", "smoke"])
def test_bundled_configs_load(name, request):
    load_config(AutoencoderTraining, request.config.rootpath / f"training/configs/{name}.yaml")


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(
    [10**400, 2**63, -1, 0, 64, "1e-4", "a\nb", "\ud800"])
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2)
                      | st.dictionaries(st.text(max_size=5), inner, max_size=2), max_leaves=4)
FUZZED = settings(max_examples=200, deadline=None, derandomize=True, database=None,
                  suppress_health_check=[HealthCheck.function_scoped_fixture])


def keys_of(cls) -> st.SearchStrategy[str]:
    """Names of a configuration's settings, and others."""
    return st.sampled_from([field.name for field in fields(cls)]) | st.text(max_size=5)


@pytest.mark.parametrize("cls", [ModelConfig, DiffusionConfig, AutoencoderTraining, DiffusionTraining])
@FUZZED
@given(data=st.data())
def test_any_values_are_a_configuration_or_refused_with_a_sentence(cls, data):
    values = data.draw(VALUES | st.dictionaries(keys_of(cls), VALUES, max_size=3))
    try:
        assert isinstance(from_dict(cls, values), cls)
    except ConfigError as error:
        assert str(error).endswith(".") and len(str(error).splitlines()) == 1


@FUZZED
@given(content=st.binary(max_size=100) | st.text(max_size=100).map(lambda text: text.encode(errors="surrogatepass"))
       | st.text("lr:[]{}-&*!|>'\"# \n\t1e%@`0", max_size=40).map(str.encode))
def test_any_file_is_a_configuration_or_refused_with_its_name(content, tmp_path):
    (tmp_path / "any.yaml").write_bytes(content)
    try:
        load_config(AutoencoderTraining, tmp_path / "any.yaml")
    except ConfigError as error:
        assert str(error).endswith(".") and len(str(error).splitlines()) == 1
