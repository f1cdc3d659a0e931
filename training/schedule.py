"""The learning rate over the steps of a training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.optim import Optimizer


def learning_rate(step: int, steps: int, peak: float, final: float, warmup: int) -> float:
    """Linear warm-up to `peak`, multiplied by a cosine that falls from 1 to `final`.

    Args:
        step: from 0 to steps − 1.
        steps: of the whole training.
        peak: learning rate after warm-up.
        final: learning rate at the end, relative to `peak`.
        warmup: steps of the warm-up; 0 and 1: none.
    """
    warm = min(1.0, (step + 1) / max(warmup, 1))
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, step / steps)))
    return peak * warm * (final + (1 - final) * cosine)


def set_learning_rate(optimizer: Optimizer, rate: float) -> None:
    """Give every parameter group the learning rate `rate`."""
    for group in optimizer.param_groups:
        group["lr"] = rate
