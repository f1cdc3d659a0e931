"""The diffusion model: deterministic, seeded, each photo for itself."""

import pytest
import torch

from core.config import DiffusionConfig
from core.model.diffusion import Diffusion
from core.types import CodePair, Codes


@pytest.fixture(scope="module")
def diffusion():
    torch.manual_seed(0)
    return Diffusion(DiffusionConfig()).eval().requires_grad_(False)


def codes_of(count, seed=1):
    generator = torch.Generator().manual_seed(seed)
    return Codes(*torch.rand(2, count, 256, generator=generator))


def distance(one: CodePair, other: CodePair) -> float:
    return max((one.depth - other.depth).abs().max().item(), (one.albedo - other.albedo).abs().max().item())


def test_the_seed_decides(diffusion):
    codes = codes_of(3)
    found = diffusion.identity(codes)
    assert found.depth.shape == found.albedo.shape == (3, 256)
    assert distance(found, diffusion.identity(codes)) == 0
    assert distance(found, diffusion.identity(codes, seed=7)) > 1e-3


def test_a_photo_is_the_same_alone_and_among_others(diffusion):
    codes = codes_of(5)
    assert distance(diffusion.identity(codes)[2], diffusion.identity(codes[2])) < 1e-5


def test_every_step_is_reported(diffusion):
    seen = []
    found = diffusion.identity(codes_of(2), callback=lambda step, x: seen.append((step, x)))
    assert [step for step, _ in seen] == [1, 2, 3, 4, 5]
    assert distance(seen[-1][1], found) == 0 and distance(seen[0][1], found) > 1e-3


def test_the_identity_is_the_mean_of_the_samples(diffusion):
    codes = codes_of(2)
    found = diffusion.sample(codes, 4).albedo
    assert found.shape == (4, 2, 256) and (found[0] - found[1]).abs().max() > 1e-3
    torch.testing.assert_close(diffusion.identity(codes).albedo, found.mean(0))


def test_only_coordinates_of_identity_are_looked_at(diffusion):
    codes, other = codes_of(2), codes_of(2, seed=2)
    size = diffusion.config.identity_size  # the coordinates of an untrained model are the first dimensions
    mixed = Codes(*(torch.cat([one[:, :size], two[:, size:]], 1)
                    for one, two in ((codes.depth_code, other.depth_code), (codes.albedo_code, other.albedo_code))))
    assert distance(diffusion.identity(mixed), diffusion.identity(codes)) == 0
    assert distance(diffusion.identity(other), diffusion.identity(codes)) > 1e-3


def test_answers_are_in_the_scale_of_the_codes():
    torch.manual_seed(0)
    scaled = Diffusion(DiffusionConfig(width=32, blocks=1)).requires_grad_(False)
    before = scaled.identity(codes_of(2))
    scaled.depth.scale.fill_(3.0)
    torch.testing.assert_close(scaled.identity(codes_of(2)).depth, before.depth * 3)
