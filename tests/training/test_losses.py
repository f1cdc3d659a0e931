"""Losses on cases whose answer is known."""

import math

import pytest
import torch

from training.losses import depth_curvature, gradient_difference, laplace_nll, masked_mean, view_distance


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


def test_planes_have_no_curvature():
    ramp = torch.linspace(0.9, 1.1, 16).expand(1, 16, 16)
    assert depth_curvature(ramp) < 1e-6
    assert depth_curvature(ramp**8) > 1e-3


def test_view_distance_weighs_shift():
    assert view_distance(torch.tensor([[0.3, 0, 0]]), torch.tensor([[0.1, 0.1]])).item() == pytest.approx(0.1 + 0.3)
