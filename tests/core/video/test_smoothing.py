"""The one-euro filter: steady at rest, quick in motion, a function of times alone."""

import numpy as np

from core.video.smoothing import OneEuro


def filtered(values, times, *settings):
    smooth = OneEuro(*settings)
    return np.array([smooth(time, np.array([value])) for time, value in zip(times, values, strict=True)])[:, 0]


def test_noise_at_rest_is_damped_and_a_fast_change_is_followed():
    times, noise = np.arange(100) / 25, np.random.default_rng(0).normal(0, 0.01, 100)
    still = filtered(noise, times, 1.0, 20.0)
    assert np.abs(np.diff(still)).mean() < 0.4 * np.abs(np.diff(noise)).mean()
    ramp = np.clip(times - 1, 0, 1) * 2
    assert np.abs(filtered(ramp, times, 1.0, 20.0) - ramp).max() < 0.2


def test_uneven_frames_are_weighted_by_their_times():
    smooth = OneEuro(1.0, 0.0)
    smooth(0.0, np.zeros(1))
    soon = smooth(0.01, np.ones(1))
    smooth.reset()
    smooth(0.0, np.zeros(1))
    late = smooth(1.0, np.ones(1))
    assert soon < 0.1 < 0.8 < late < 1


def test_after_a_reset_the_next_value_is_taken_as_it_is():
    smooth = OneEuro(1.0, 1.0)
    smooth(0.0, np.zeros(2))
    smooth.reset()
    assert smooth(0.04, np.array([3.0, 4.0])).tolist() == [3, 4]
