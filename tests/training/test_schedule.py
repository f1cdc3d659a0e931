"""The learning rate over the steps."""

import pytest

from training.schedule import learning_rate


@pytest.mark.parametrize(("step", "warmup", "expected"), [
    (0, 0, 2.0), (0, 1, 2.0), (0, 4, 0.5), (3, 4, 2.0 * (0.1 + 0.9 * 0.5 * (1 + 0.5**0.5))),
    (6, 4, 2.0 * (0.1 + 0.9 * 0.5)), (12, 0, 0.2)])
def test_linear_warm_up_then_cosine(step, warmup, expected):
    assert learning_rate(step, steps=12, peak=2.0, final=0.1, warmup=warmup) == pytest.approx(expected)
