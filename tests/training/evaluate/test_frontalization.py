"""Frontalization is measured right: the truth is in place, and known answers get the figures they deserve."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from core.config import ModelConfig
from core.errors import ConfigError
from core.model.autoencoder import Autoencoder
from core.model.weights import save_weights
from training.evaluate.__main__ import parser
from training.evaluate.protocols import frontalization as front
from training.rig.rig import Rig

SIZE = 32


@pytest.fixture(scope="module")
def heads() -> front.Turned:
    return front.turned_heads(2, SIZE)


def test_render_and_crop_hold_the_model_s_pixels():
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(0)
    person, view = rig.sample_person(rng), rig.sample_view(rng)
    size = front._render_size(SIZE)
    small, large = (rig.render(person, np.zeros(57, np.float32), view, side) for side in (SIZE, size))
    both = small.mask & large.mask[::front.STEP, ::front.STEP]
    assert both.sum() > 0.9 * small.mask.sum()
    assert np.allclose(large.depth[::front.STEP, ::front.STEP][both], small.depth[both], atol=1e-4)
    ramp = torch.arange(float(size)).expand(1, 1, size, size)
    shrunk = torch.nn.functional.avg_pool2d(front._crop(ramp), front.STEP)
    assert torch.allclose(shrunk[..., 1:-1], ramp[:, :, ::front.STEP, ::front.STEP][..., 1:-1])


def test_turning_hides_the_side_the_nose_points_to(heads):
    axis = torch.arange(heads.image.shape[-1]) - (heads.image.shape[-1] - 1) / 2
    share = heads.hidden.sum((1, 2)) / (heads.hidden | heads.visible).sum((1, 2))
    far = heads.yaw.abs() > 30
    across = (heads.hidden * axis).sum((1, 2))
    assert (across[far].sign() == -heads.yaw[far].sign()).all()
    assert not (heads.hidden & heads.visible).any()
    assert share[heads.yaw.abs() >= 45].min() > 0.1 > share[heads.yaw.abs() < 30].max()


def test_nothing_is_hidden_from_the_front():
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(0)
    render = rig.render(rig.sample_person(rng), rig.sample_expression(rng), np.zeros(5, np.float32), 46)
    assert front._seen(render)[0].numpy()[render.canon_mask].all()


def test_mirroring_replaces_the_hidden_half():
    images = torch.rand(2, 3, 8, 8)
    left_hidden, right_hidden = front.mirrored(images, torch.tensor([30.0, -30.0]))
    assert torch.equal(left_hidden[..., 4:], images[0, ..., 4:])
    assert torch.equal(left_hidden, left_hidden.flip(-1))
    assert torch.equal(right_hidden[..., :4], images[1, ..., :4])
    assert torch.equal(right_hidden, right_hidden.flip(-1))


def test_errors_are_told_apart_by_what_was_visible(heads):
    wrong = torch.where(heads.hidden[:, None], heads.truth + 0.25, heads.truth)
    figures = front.errors({"wrong": wrong}, heads)
    for band in front.BANDS:
        assert figures[f"front.hidden.{band}"]["wrong"] == pytest.approx(0.25, abs=1e-6)
        assert figures[f"front.visible.{band}"]["wrong"] == 0


def test_identity_is_found_in_the_truth_and_not_in_somebody_else(heads):
    def descriptor(images):
        return torch.nn.functional.adaptive_avg_pool2d(images, 4).flatten(1)

    someone_else = heads.truth.roll(len(front.YAW_BANDS), 0)
    figures = front.identity(descriptor, {"truth": heads.truth, "else": someone_else}, heads)
    for band in front.BANDS:
        assert figures[f"front.rank1.{band}"] == {"truth": 1, "else": 0}
        assert figures[f"front.distance.{band}"]["truth"] == pytest.approx(0, abs=1e-3)
        assert figures[f"front.distance.{band}"]["else"] == pytest.approx(figures[front.OTHERS]["truth"], rel=1e-3)


def test_command_writes_report_and_sheet(tmp_path):
    config, weights = ModelConfig(image_size=SIZE, width=8, pose_width=8), tmp_path / "weights.safetensors"
    save_weights(weights, Autoencoder(config).state_dict(), config, {})
    front.run(parser().parse_args(["frontalization", "--weights", str(weights), "--people", "2",
                                   "--out", str(tmp_path / "report.json"), "--figures", str(tmp_path / "figures")]))
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    without_descriptor = ("visible", "hidden", "lights", "people", "ratio")
    assert set(figures) == {key for key in front.ROWS if key.split(".")[1] in without_descriptor}
    assert all(math.isfinite(value) for values in figures.values() for value in values.values())
    assert figures["albedo.lights"]["nothing"] > 0.05  # images of one face do change with the light
    size = front.STEP * SIZE
    assert Image.open(tmp_path / "figures/frontalization.png").size == (6 * size, 9 * size)


def test_one_person_is_refused():
    with pytest.raises(ConfigError, match="--people"):
        front.run(parser().parse_args(["frontalization", "--people", "1"]))
