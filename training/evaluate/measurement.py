"""What a measurement hands to tables and plots."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

Rows = dict[str, np.ndarray]
"""Values image by image: arrays whose first axis is the image."""


@dataclass
class Measurement:
    """Figures over N images, and what they come from."""

    figures: dict[str, dict[str, float]]
    """For each figure the values of the model and, where there is one, of its baseline."""
    rows: Rows = field(default_factory=dict)
    images: Tensor | None = None
    """(N, 3, H, W) uint8."""
    labels: dict[str, np.ndarray] = field(default_factory=dict)
    """(N,) group of each image, by attribute."""
