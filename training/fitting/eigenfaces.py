"""The linear model of albedo that training starts from: principal components of pictures (Turk and Pentland 1991)."""

from __future__ import annotations

import torch
from torch import Tensor

from core.model.networks import PCADecoder

EXTREME = 0.03
"""Colours are kept this far from black and white, whose logits are infinite."""


def set_eigenfaces(decoder: PCADecoder, pictures: Tensor) -> None:
    """Let a decoder draw the principal components of pictures, each with its standard deviation.

    Args:
        decoder: of albedo; its sigmoid comes after it.
        pictures: (N, 3, H, W) aligned faces or albedos, [0, 1].
    """
    logits = pictures.clamp(EXTREME, 1 - EXTREME).logit().flatten(1)
    count = min(decoder.linear.in_features, *logits.shape)
    _, spread, directions = torch.pca_lowrank(logits, count)
    decoder.set(logits.mean(0), (directions * spread / len(logits) ** 0.5).T)
