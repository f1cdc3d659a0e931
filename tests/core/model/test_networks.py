"""Convolutions for inference."""

import copy
import pickle

import pytest
import torch
from torch import nn

from core.model.networks import PackedConv2d, channels_last


@pytest.fixture
def layers():
    """A convolution as torch has it, and the same one packed."""
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 16, 3, 2, 1)
    return plain, channels_last(copy.deepcopy(plain))


@pytest.mark.parametrize("count", [1, 5])
@torch.no_grad()
def test_packed_convolutions_give_what_torchs_give(layers, count):
    plain, packed = layers
    images = torch.rand(count, 8, 12, 12)
    assert type(packed) is PackedConv2d
    for _ in range(2):  # the second time with the kernel that was kept
        torch.testing.assert_close(packed(images), plain(images))


@torch.no_grad()
def test_packed_convolutions_follow_their_weights(layers):
    plain, packed = layers
    images = torch.rand(1, 8, 12, 12)
    packed(images)
    for layer in layers:
        layer.weight.mul_(2)
    torch.testing.assert_close(packed(images), plain(images))
    packed.load_state_dict({"weight": plain.weight * 3, "bias": plain.bias})
    torch.testing.assert_close(packed(images), plain(images) * 3 - 2 * plain.bias[:, None, None])


def test_gradients_reach_the_weights_of_packed_convolutions(layers):
    for layer in layers:
        layer(torch.ones(1, 8, 12, 12)).sum().backward()
    torch.testing.assert_close(layers[1].weight.grad, layers[0].weight.grad)


def test_packed_convolutions_are_copied_without_what_they_keep(layers):
    _, packed = layers
    with torch.no_grad():
        packed(torch.rand(1, 8, 12, 12))
    again = pickle.loads(pickle.dumps(packed))
    assert "_packed" not in vars(again) and torch.equal(again.weight, packed.weight)
