"""The fine stage's training: it learns, resumes exactly and leaves usable weights; each face has one albedo."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from core.config import FineConfig
from core.errors import ConfigError
from core.model.fine import FineStage
from core.model.weights import autoencoder_fingerprint, load_weights, read_metadata
from core.pipeline import LatentFace
from training import checkpoint
from training.config import FineTraining, FineWeights
from training.data.fine_batches import FineBatches, MappedRenders, as_crop, keep_half, light_twice
from training.objective.fine import FineObjective, lamp_difference
from training.train_fine import train

SIZE = 32
NOTHING = FineWeights(*[0.0] * 9)


@pytest.fixture
def config(photo_pack, render_pack, split_weights):
    model = FineConfig(image_size=SIZE, coarse_size=SIZE, width=8, levels=2)
    return FineTraining(weights=str(split_weights), photos=str(photo_pack), renders=str(render_pack), batch=4, steps=6,
                        warmup=1, log_every=1, model=model)


@pytest.fixture
def batches(config):
    return FineBatches(config, LatentFace.from_pretrained(config.weights).autoencoder)


def losses(run):
    return [json.loads(line)["loss"] for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_resume_is_exact(config, trained_twice):
    whole, resumed = trained_twice(train, config)
    assert losses(resumed) == losses(whole)
    first, second = (checkpoint.load(run)["averaged"] for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_leaves_weights_that_name_their_autoencoder(config, tmp_path):
    run = checkpoint.new_run(tmp_path, "fine", config.to_dict())
    train(replace(config, steps=2), run)
    about = read_metadata(run / "fine.safetensors")
    assert about["steps"] == "2"
    assert about["autoencoder"] == autoencoder_fingerprint(load_weights(config.weights)[1])


def test_loss_falls(config, tmp_path):
    run = checkpoint.new_run(tmp_path, "longer", config.to_dict())
    train(replace(config, batch=8, steps=40, lr=3e-3), run)
    found = losses(run)
    assert np.mean(found[-8:]) < 0.9 * np.mean(found[:8])


def test_two_lamps_can_be_told_to_give_one_albedo(config, batches):
    batch = batches.draw(0)
    torch.manual_seed(0)
    objective = FineObjective(FineStage(config.model), replace(NOTHING, lamps=1.0), bf16=False)
    optimizer = torch.optim.Adam(objective.parameters(), 1e-2)
    found = []
    for _ in range(30):
        terms = objective(batch)
        found.append((terms["lamps"] + terms["photo_lamps"]).item())
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
    assert found[-1] < 0.7 * found[0]


def test_lamps_are_compared_up_to_gain():
    albedo, mask = torch.rand(1, 3, 16, 16), torch.ones(2, 1, 16, 16)
    assert lamp_difference(torch.cat([albedo, 0.5 * albedo]), mask) < 1e-6
    assert lamp_difference(torch.cat([albedo, albedo.flip(-1)]), mask) > 1e-3


def test_a_relit_copy_keeps_its_photos_surface(batches):
    batch = batches.draw(3)
    photo, relit = batch.coarse[:1], batch.coarse[1:2]
    assert torch.equal(photo.canon_depth, relit.canon_depth) and photo.view == relit.view
    assert not torch.equal(batch.photo[:1], batch.photo[1:2])


def test_a_render_is_lit_twice_and_has_one_albedo(config, render_pack):
    renders, generator = MappedRenders(render_pack, SIZE), torch.Generator().manual_seed(0)
    lit, known = light_twice(renders[torch.tensor([3, 7])], torch.rand(2, 3, SIZE, SIZE), config.model, generator)
    assert lit.shape == (4, 3, SIZE, SIZE) and 0 <= lit.min() and lit.max() <= 1
    assert torch.equal(known.canon_albedo[:2], known.canon_albedo[2:])
    assert torch.equal(known.canon_depth[:2], known.canon_depth[2:])
    assert (lit[:2] - lit[2:]).abs().mean() > 0.01


def test_mapped_renders_are_those_of_the_file(render_pack):
    renders = MappedRenders(render_pack, SIZE)
    with np.load(render_pack / "rig_0000.npz") as stored:
        for key, array in renders[torch.tensor([11, 0])].items():
            assert np.array_equal(array.numpy(), stored[key][[11, 0]])


def test_a_cameras_image_becomes_a_crop_that_is_wider():
    """The crop of an n-pixel autoencoder, at n pixels, is its camera's image."""
    image = torch.rand(1, 3, SIZE, SIZE)
    assert torch.allclose(as_crop(image, SIZE), image, atol=1e-5)
    ramp = torch.linspace(-1, 1, 2 * SIZE).expand(1, 1, 2 * SIZE, -1)
    found = as_crop(ramp, SIZE)[0, 0, 0]
    wanted = ((torch.arange(2 * SIZE) + 0.5) / SIZE - 1) * SIZE / (SIZE - 1)
    # Bicubic interpolation repeats a ramp to some hundredths of a pixel; one of the two conventions taken for the
    # other is half a pixel at the rim.
    assert torch.allclose(found[2:-2], wanted[2:-2], atol=3e-3)


def test_half_of_some_faces_is_taken_away(config):
    kept = keep_half(200, config, torch.Generator().manual_seed(0))
    some = (kept < 0.5).any(-1).flatten()
    assert 0.25 < some.float().mean() < 0.55
    left, right = kept[some][..., 0], kept[some][..., -1]
    assert ((left < 0.5) != (right < 0.5)).all(), "one side stays"


def test_missing_renders_are_said(config, tmp_path):
    with pytest.raises(ConfigError, match="--size 32"):
        train(replace(config, renders=str(tmp_path)), tmp_path)
    larger = replace(config, model=replace(config.model, image_size=64))
    with pytest.raises(ConfigError, match="32 px and the fine stage wants 64"):
        train(larger, tmp_path)
