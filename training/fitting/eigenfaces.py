"""Linear maps of the albedo: principal components of faces (eigenfaces, Turk and Pentland 1991)."""

from __future__ import annotations

import torch
from torch import Tensor

from core.model.autoencoder import Autoencoder
from core.model.detail_coder import residual_of
from core.model.networks import PCADecoder
from core.types import Codes

MARGIN = 0.03
"""Colours are kept this far from black and white, whose logits are infinite."""
CHUNK = 64
"""Photos encoded at once."""


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


@torch.no_grad()
def fit_detail(model: Autoencoder, photos: Tensor) -> None:
    """Let a model's detail coder code the principal components of what the first part of the albedo code leaves out.

    Args:
        model: its other networks are trained.
        photos: (N, 3, H, W) aligned faces, [0, 1], on the model's device.
    """
    assert model.detail_coder is not None
    residuals = []
    for part in photos.split(CHUNK):
        codes, light, view = model.encode_raw(part)
        first = Codes(codes.depth_code, codes.albedo_code[:, : model.config.code_size])
        residuals.append(residual_of(*model.detail_input(part, first, light, view)[:3]).flatten(1))
    rows = torch.cat(residuals)
    numbers, mean = model.config.detail_size, rows.mean(0)
    components = rows.new_zeros(numbers, rows.shape[1])
    found = torch.pca_lowrank(rows, min(numbers, *rows.shape), niter=3)[2].T
    components[: len(found)] = found
    model.detail_coder.set_components(mean, components)
