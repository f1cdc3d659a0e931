"""Initialization of the albedo decoder: principal components of faces (eigenfaces, Turk and Pentland 1991)."""

from __future__ import annotations

import torch
from torch import Tensor

from core.model.networks import PCADecoder

MARGIN = 0.03
"""Colours are kept this far from black and white, whose logits are infinite."""


def fit_eigenfaces(decoder: PCADecoder, images: Tensor) -> None:
    """Initialize a decoder so that code number k adds principal component k, times its standard deviation.

    Args:
        decoder: of albedo; it gives logits of colors.
        images: (N, 3, H, W) aligned faces or albedos, [0, 1].
    """
    logits = images.clamp(MARGIN, 1 - MARGIN).logit().flatten(1)
    count = min(decoder.linear.in_features, *logits.shape)
    _, spread, directions = torch.pca_lowrank(logits, count)
    decoder.set_components(logits.mean(0), (directions * spread / len(logits) ** 0.5).T)
