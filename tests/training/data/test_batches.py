"""Batches: drawn from seed and number alone, and never from what is held out for validation."""

from dataclasses import replace

import pytest
import torch

from core.config import DiffusionConfig, ModelConfig
from core.types import View
from tests.training.frames import rendered_codes
from training.config import AutoencoderTraining, DiffusionTraining
from training.data.batches import Batches, CodeBatches, held_out_people


def frontal_plane(images):
    return torch.ones(len(images), 32, 32), View(torch.zeros(len(images), 3), torch.zeros(len(images), 2))


@pytest.fixture(scope="module")
def config(photo_pack, render_pack):
    model = ModelConfig(image_size=32, width=8, pose_width=8)
    return AutoencoderTraining(photos=str(photo_pack), renders=str(render_pack), batch=8, model=model)


def test_a_batch_depends_on_seed_and_number_alone(config):
    batches = Batches(config)
    batches.draw(0, frontal_plane)
    second, again = batches.draw(1, frontal_plane), Batches(config).draw(1, frontal_plane)
    assert torch.equal(second.photos.image, again.photos.image)
    assert torch.equal(second.renders.image, again.renders.image)
    assert second.seed == again.seed != batches.draw(0, frontal_plane).seed
    other = Batches(replace(config, seed=1)).draw(1, frontal_plane)
    assert not torch.equal(second.photos.image, other.photos.image)


def test_held_out_photos_and_people_are_never_drawn(config):
    batches = Batches(config)
    held_out = batches.held_out()
    assert len(held_out.photos) == 1 and batches.trained == 7
    drawn = batches._photos(200, torch.Generator().manual_seed(0))
    assert len(drawn.unique(dim=0)) == 7 and not (drawn == batches.pack[7]).flatten(1).all(1).any()
    people = batches.render_pack.draw(40, held_out.photos, torch.Generator().manual_seed(0)).person
    assert not set(people.tolist()) & set(held_out.renders.person.tolist())
    assert torch.equal(held_out.renders.image, batches.held_out().renders.image)


def test_nothing_is_held_out_when_none_is_asked_for(config):
    batches = Batches(replace(config, held_out=0))
    assert batches.held_out() == (None, None)
    drawn = batches.render_pack.draw(60, torch.zeros(1, 3, 32, 32), torch.Generator().manual_seed(0))
    assert len(drawn.person.unique()) == 2


def test_held_out_people_are_spread_evenly_and_an_eighth_at_most():
    person = torch.arange(80).repeat_interleave(3)
    assert person[held_out_people(person, 100)].unique().tolist() == list(range(7, 80, 8))
    assert person[held_out_people(person, 4)].unique().tolist() == [19, 39, 59, 79]
    assert not held_out_people(person, 0).any() and not held_out_people(person[:21], 100).any()


def test_codes_of_held_out_people_are_never_drawn():
    person = torch.arange(16).repeat_interleave(4)
    codes = person[:, None].expand(-1, 512).float()
    config = DiffusionTraining(batch=400, model=DiffusionConfig(width=32, blocks=1))
    batches = CodeBatches(rendered_codes(codes, person, torch.arange(64)), config)
    assert set(batches.held_out().codes[:, 0].tolist()) == {7, 15}
    drawn = batches.draw(0)
    assert set(drawn.codes[:, 0].tolist()) == set(range(16)) - {7, 15}
    assert torch.equal(drawn.noise, batches.draw(0).noise) and not torch.equal(drawn.noise, batches.draw(1).noise)
