"""Baselines without 3-D: the model's two encoders, trained as a plain autoencoder or by a contrast."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import ModelConfig
from core.model.losses import gradient_difference
from core.model.networks import Decoder, Encoder

PROJECTION_SIZE = 128
"""Length of the vectors that the contrast compares."""
TEMPERATURE = 0.2
"""Similarities are divided by it before the softmax."""
GRADIENT = 4.0
"""Weight of gradient differences in the reconstruction, as in the model's own loss."""


class TwoEncoders(nn.Module):
    """Two encoders of the same size as those of depth and albedo; their codes have no separate meaning."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.encoders = nn.ModuleList(Encoder(config.image_size, config.width, config.code_size) for _ in range(2))

    def forward(self, image: Tensor) -> Tensor:
        """Codes (B, 512), ≥ 0, of images (B, 3, H, W) in [0, 1]."""
        return torch.cat([encoder(image * 2 - 1).float().relu() for encoder in self.encoders], 1)

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        """The loss, a scalar, on two augmented copies (B, 3, H, W) of the same images, in the same order."""
        raise NotImplementedError


class PlainAutoencoder(TwoEncoders):
    """Reconstructs the image from the sum of its two decoders' outputs."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        self.decoders = nn.ModuleList(
            Decoder(config.image_size, config.width, config.code_size, 3) for _ in range(2))

    def reconstruct(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1], of images of that shape and range."""
        codes = self(image).chunk(2, 1)
        first, second = (decoder(code).float() for decoder, code in zip(self.decoders, codes, strict=True))
        return (first + second).sigmoid()

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        image = torch.cat([first, second])
        recon = self.reconstruct(image)
        everywhere = torch.ones_like(image[:, :1])
        return (recon - image).abs().mean() + GRADIENT * gradient_difference(recon, image, everywhere)


class ContrastiveEncoder(TwoEncoders):
    """Distinguishes copies of one image from copies of all others (SimCLR, arXiv 2002.05709)."""

    def __init__(self, config: ModelConfig):
        super().__init__(config)
        width = 2 * config.code_size
        self.projection = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, PROJECTION_SIZE))

    def loss(self, first: Tensor, second: Tensor) -> Tensor:
        rows = F.normalize(self.projection(self(torch.cat([first, second]))).float(), dim=1)
        return contrast(rows)


def contrast(rows: Tensor, temperature: float = TEMPERATURE) -> Tensor:
    """Mean −log probability of choosing the other copy of each image (NT-Xent), a scalar.

    Args:
        rows: (2B, F) unit length; row i and row i + B are copies of one image.
        temperature: similarities are divided by it.
    """
    similarity = rows @ rows.T / temperature
    similarity = similarity.masked_fill(torch.eye(len(rows), dtype=torch.bool), -torch.inf)
    return F.cross_entropy(similarity, torch.arange(len(rows)).roll(len(rows) // 2))


KINDS = {"autoencoder": PlainAutoencoder, "contrastive": ContrastiveEncoder}
