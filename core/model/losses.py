"""The losses that training and refinement share: how well the reconstruction explains an image."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean over images of the mean of values (B, C, H, W) under mask (B, 1, H, W)."""
    return ((values * mask).mean(1).sum((1, 2)) / mask.sum((1, 2, 3)).clamp(min=1)).mean()


def laplace_nll(error: Tensor, sigma: Tensor, mask: Tensor) -> Tensor:
    """Laplace negative log-likelihood |e|·√2/σ + log σ, mean over the mask (paper section 3.1).

    Args:
        error: (B, 3, H, W) reconstruction minus image.
        sigma: (B, 1, H, W) expected error.
        mask: (B, 1, H, W).
    """
    return masked_mean(error.abs().mean(1, keepdim=True) * math.sqrt(2) / sigma + sigma.log(), mask)


def gradient_difference(recon: Tensor, image: Tensor, mask: Tensor, scales: int = 3) -> Tensor:
    """L1 between the spatial gradients of two images at several scales: sharpness without perceptual features."""
    error, total = recon - image, recon.new_zeros(())
    for _ in range(scales):
        dx = (error[..., 1:] - error[..., :-1]) * torch.minimum(mask[..., 1:], mask[..., :-1])
        dy = (error[..., 1:, :] - error[..., :-1, :]) * torch.minimum(mask[..., 1:, :], mask[..., :-1, :])
        total = total + dx.abs().mean() + dy.abs().mean()
        error, mask = F.avg_pool2d(error, 2), F.avg_pool2d(mask, 2).floor()
    return total / scales
