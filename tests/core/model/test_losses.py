"""Losses that core and training share, on cases whose answer is known."""

import math

import pytest
import torch

from core.model.losses import gradient_difference, laplace_nll, masked_mean


def test_laplace_is_least_where_sigma_fits_the_error():
    error, mask = torch.full((1, 3, 4, 4), 0.1), torch.ones(1, 1, 4, 4)
    sigmas = torch.tensor([0.05, 0.1 * math.sqrt(2), 0.4])
    low, best, high = (laplace_nll(error, s.expand(1, 1, 4, 4), mask) for s in sigmas)
    assert best < low and best < high
    assert best.item() == pytest.approx(1 + math.log(0.1 * math.sqrt(2)), abs=1e-5)


def test_masks_hide():
    values, mask = torch.zeros(1, 3, 4, 4), torch.zeros(1, 1, 4, 4)
    values[..., :2], mask[..., 2:] = 7, 1
    assert masked_mean(values, mask) == 0
    assert gradient_difference(values, torch.zeros_like(values), mask, scales=1) == 0


def test_gradients_ignore_brightness():
    image = torch.rand(1, 3, 16, 16)
    mask = torch.ones(1, 1, 16, 16)
    assert gradient_difference(image + 0.2, image, mask) < 1e-6
    assert gradient_difference(image.flip(-1), image, mask) > 0.1
