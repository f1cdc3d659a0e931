"""The one-euro filter: steady at rest, quick in motion. Its result depends on values and their times alone."""

from __future__ import annotations

import math

import numpy as np

SPEED_CUTOFF = 1.0
"""Cutoff of the filter of the speed, Hz."""


class OneEuro:
    """Low-pass filter of an array whose cutoff rises with the array's speed (Casiez 2012).

    Args:
        cutoff: at rest, Hz: lower is steadier.
        beta: rise of the cutoff by speed, Hz for each unit per second: higher follows faster.
    """

    def __init__(self, cutoff: float, beta: float):
        self.cutoff, self.beta = cutoff, beta
        self.reset()

    def reset(self) -> None:
        """Forget what came before: the next value is taken as it is."""
        self._time, self._value, self._speed = -math.inf, np.zeros(0), np.zeros(0)

    def __call__(self, time: float, value: np.ndarray) -> np.ndarray:
        """The smoothed array at a time in seconds, later than the one before; each element by itself."""
        value = np.asarray(value, float)
        step = time - self._time
        if not math.isfinite(step):
            self._value, self._speed = value, np.zeros_like(value)
        else:
            speed = (value - self._value) / step
            self._speed = self._speed + _weight(SPEED_CUTOFF, step) * (speed - self._speed)
            weight = _weight(self.cutoff + self.beta * np.abs(self._speed), step)
            self._value = self._value + weight * (value - self._value)
        self._time = time
        return self._value


def _weight(cutoff: float | np.ndarray, step: float) -> float | np.ndarray:
    """Share of the new value, of a low-pass filter with a cutoff in Hz, `step` seconds after the last one."""
    turn = 2 * math.pi * cutoff * step
    return turn / (turn + 1)
