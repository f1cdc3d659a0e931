"""The networks of unsup3d and LatentFace, built from the papers' layer tables, with random weights: they say how long
such networks take on this machine, and nothing else.

Sources: arXiv 1911.11130, tables 6 to 8 (encoders, autoencoders, confidence); arXiv 2309.08273, section 3.2 (a
conditional U-Net on codes for depth and one for albedo, five DDIM steps). That paper has no table of the denoiser's
layers: here it is as small as diffusers' U-Net gets at the codes' width, so that its time is a lower limit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

CODE = 256
STEPS = 5
"""Of the sampler."""


def _down(inputs: int, outputs: int, groups: int = 0, slope: float = 0.2) -> list[nn.Module]:
    norm = [nn.GroupNorm(groups, outputs)] if groups else []
    return [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), *norm, nn.LeakyReLU(slope)]


def _up(inputs: int, outputs: int, groups: int) -> list[nn.Module]:
    return [nn.ConvTranspose2d(inputs, outputs, 4, 2, 1, bias=False), nn.GroupNorm(groups, outputs), nn.ReLU()]


def _same(channels: int, groups: int, kernel: int = 3) -> list[nn.Module]:
    norm = [nn.GroupNorm(groups, channels)] if groups else []
    return [nn.Conv2d(channels, channels, kernel, 1, kernel // 2, bias=False), *norm, nn.ReLU()]


def encoder(outputs: int) -> nn.Sequential:
    """Light or view: image (B, 3, 64, 64) to (B, outputs, 1, 1)."""
    return nn.Sequential(*_down(3, 32, slope=0), *_down(32, 64, slope=0), *_down(64, 128, slope=0),
                         *_down(128, 256, slope=0), nn.Conv2d(256, 256, 4, 1, 0, bias=False), nn.ReLU(),
                         nn.Conv2d(256, outputs, 1, 1, 0, bias=False), nn.Tanh())


def code_encoder(code: int = CODE) -> nn.Sequential:
    """Image (B, 3, 64, 64) to a code (B, code, 1, 1)."""
    return nn.Sequential(*_down(3, 64, 16), *_down(64, 128, 32), *_down(128, 256, 64), *_down(256, 512),
                         nn.Conv2d(512, code, 4, 1, 0, bias=False), nn.ReLU())


def code_decoder(outputs: int) -> nn.Sequential:
    """Code (B, 256, 1, 1) to a map (B, outputs, 64, 64)."""
    return nn.Sequential(nn.ConvTranspose2d(CODE, 512, 4, 1, 0, bias=False), nn.ReLU(), *_same(512, 0),
                         *_up(512, 256, 64), *_same(256, 64), *_up(256, 128, 32), *_same(128, 32),
                         *_up(128, 64, 16), *_same(64, 16), nn.Upsample(scale_factor=2), *_same(64, 16),
                         *_same(64, 16, 5), nn.Conv2d(64, outputs, 5, 1, 2, bias=False), nn.Tanh())


class ConfidenceNet(nn.Module):
    """Image (B, 3, 64, 64) to confidence maps (B, 2, 64, 64) and (B, 2, 16, 16)."""

    def __init__(self):
        super().__init__()
        self.encoder = code_encoder(128)
        self.first = nn.Sequential(nn.ConvTranspose2d(128, 512, 4, 1, 0, bias=False), nn.ReLU(), *_up(512, 256, 64),
                                   *_up(256, 128, 32))
        self.small = nn.Sequential(nn.Conv2d(128, 2, 3, 1, 1, bias=False), nn.Softplus())
        self.large = nn.Sequential(*_up(128, 64, 16), *_up(64, 64, 16), nn.Conv2d(64, 2, 5, 1, 2, bias=False),
                                   nn.Softplus())

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        features = self.first(self.encoder(image))
        return self.large(features), self.small(features)


class ReferenceNetworks(nn.Module):
    """All networks that the analysis of a photo passes; nothing is rendered."""

    def __init__(self):
        super().__init__()
        from diffusers import UNet2DModel  # pyright: ignore[reportPrivateImportUsage]

        self.encoders = nn.ModuleList([code_encoder(), code_encoder()])
        self.decoders = nn.ModuleList([code_decoder(1), code_decoder(3)])
        self.light, self.view, self.confidence = encoder(4), encoder(6), ConfidenceNet()
        self.denoisers = nn.ModuleList(
            UNet2DModel(sample_size=1, in_channels=2 * CODE, out_channels=CODE, layers_per_block=1, add_attention=False,
                        block_out_channels=(CODE,), down_block_types=("DownBlock2D",), up_block_types=("UpBlock2D",))
            for _ in range(2))
        self.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
        self.eval().requires_grad_(False)

    def factors(self, image: Tensor) -> list[Tensor]:
        """Codes of depth and albedo of images (B, 3, 64, 64), after all of stage one was computed."""
        codes = [encode(image) for encode in self.encoders]
        for decode, code in zip(self.decoders, codes, strict=True):
            decode(code)
        for network in (self.light, self.view, self.confidence):
            network(image)
        return codes

    def forward(self, image: Tensor) -> list[Tensor]:
        """Identities of images (B, 3, 64, 64): `factors`, then the sampler, without its few sums."""
        identities = []
        for denoiser, code in zip(self.denoisers, self.factors(image), strict=True):
            sample = torch.randn_like(code)
            for step in range(STEPS):
                sample = denoiser(torch.cat([sample, code], 1), 999 - 200 * step).sample
            identities.append(sample)
        return identities
