"""The regression that reads a head from codes."""

import torch

from core.types import Codes
from training.fitting.head import fit_regression


def test_coefficients_that_depend_linearly_on_codes_are_found():
    codes, effect = torch.randn(2000, 8), torch.randn(8, 157)
    coefficients = codes @ effect * 0.05 + 0.5
    regression = fit_regression(codes, coefficients, torch.zeros(478, dtype=torch.int32))
    identity, expression = regression.predict(Codes(codes[:, :3], codes[:, 3:]))  # albedo codes may be longer
    found = torch.cat([torch.from_numpy(identity), torch.from_numpy(expression)], 1)
    wanted = coefficients.clamp(0, 1).where(torch.arange(157) >= 100, coefficients)
    usual = (coefficients - coefficients.mean(0)).abs() < 0.5 * coefficients.std(0)
    # The ridge shrinks by about a tenth.
    assert (found - wanted)[usual].abs().max() < 0.12


def test_far_codes_give_no_caricature():
    codes = torch.randn(2000, 8)
    coefficients = codes @ torch.randn(8, 157) * 0.05 + 0.5
    regression = fit_regression(codes, coefficients, torch.zeros(478, dtype=torch.int32))
    identity, _ = regression.predict(Codes(100 * codes[:, :4], 100 * codes[:, 4:]))
    people = coefficients[:, :100]
    assert (abs(identity - people.mean(0).numpy()) <= 1.51 * people.std(0).numpy()).all()
