"""Losses with known values."""

import pytest
import torch

from training.objective.losses import depth_curvature, view_distance


def test_planes_have_no_curvature():
    ramp = torch.linspace(0.9, 1.1, 16).expand(1, 16, 16)
    assert depth_curvature(ramp) < 1e-6
    assert depth_curvature(ramp**8) > 1e-3


def test_view_distance_counts_translation_three_times():
    assert view_distance(torch.tensor([[0.3, 0, 0]]), torch.tensor([[0.1, 0.1]])).item() == pytest.approx(0.1 + 0.3)
