"""The diffusion model's loss for encoders: images of a face that agree cost less, and only encoders learn from it."""

import pytest
import torch

from core.config import DiffusionConfig, ModelConfig
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.types import Codes
from training.objective.diffusion import TimeInvariance


@pytest.fixture
def loss():
    torch.manual_seed(0)
    diffusion = Diffusion(DiffusionConfig(width=32, blocks=1))
    for part in (diffusion.depth, diffusion.albedo):
        part.linear.copy_(torch.eye(len(part.linear)))
    return TimeInvariance(diffusion, Autoencoder(ModelConfig(image_size=32)))


def pairs(difference):
    """Codes of 8 faces, each seen twice."""
    faces = torch.randn(8, 256, generator=torch.Generator().manual_seed(1))
    change = torch.randn(2, 16, 256, generator=torch.Generator().manual_seed(2))
    return Codes(*(faces.repeat(2, 1) + difference * one for one in change))


def noise(seed):
    return torch.Generator().manual_seed(seed)


def test_codes_of_a_face_converge_and_denoisers_stay_fixed(loss):
    codes = pairs(1.0).apply(lambda tensor: tensor.requires_grad_())
    first = loss(codes, noise(0))
    first.backward()
    moved = codes.apply(lambda tensor: (tensor - 500 * tensor.grad).detach())
    assert loss(moved, noise(0)) < 0.9 * first
    assert not any(parameter.requires_grad for parameter in loss.diffusion.parameters())


def test_noise_is_the_same_for_the_same_seed_only(loss):
    codes = pairs(1.0)
    assert loss(codes, noise(0)) == loss(codes, noise(0)) != loss(codes, noise(1))
