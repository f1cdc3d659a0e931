"""Numbers of a report, from factors with known maps."""

import pytest
import torch

from core import Codes, Factors, Light, View
from core.export.report import asymmetry, error_map, mean_error
from core.export.visualize import light_ball


@pytest.fixture
def factors() -> Factors:
    """Constant maps; the face covers everything."""
    maps, colors = torch.ones(1, 64, 64), torch.full((1, 3, 64, 64), 0.5)
    return Factors(colors, maps, colors.clone(), torch.zeros(1, 64, 64, 3), maps[None], colors, maps,
                   maps[None].clone(), colors.clone(), maps[None], Light.of(0.5, 0.5, 0, 0), View.of(),
                   Codes(torch.zeros(1, 256), torch.zeros(1, 256)))


def test_asymmetry_is_the_difference_between_the_two_halves(factors):
    assert asymmetry(factors) == 0
    factors.canon_albedo[..., :32] += 0.1
    assert asymmetry(factors) == pytest.approx(0.1)


def test_the_error_counts_only_where_the_face_covers_the_photo(factors):
    factors.recon_image[..., :32] += 0.2
    assert mean_error(factors) == pytest.approx(0.1)
    factors.recon_mask[..., :32] = 0
    assert mean_error(factors) == 0 and error_map(factors).max() == 0


def test_a_light_ball_is_brightest_where_the_light_comes_from():
    ball = light_ball(Light.of(0.1, 0.9, 1, 0), 64)[0].mean(0)  # light from the image's left
    assert ball[32, 12] > ball[32, -12] + 0.2
