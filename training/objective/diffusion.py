"""The loss of the representation diffusion model (paper section 3.2): for its denoisers, and for encoders."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor, nn

from core.model.autoencoder import Autoencoder, autocast
from core.model.diffusion import Diffusion, noise_schedule
from core.types import Codes


def denoising_loss(diffusion: Diffusion, schedule, codes: Tensor, targets: Tensor, noise: Tensor,
                   levels: Tensor) -> dict[str, Tensor]:
    """Squared error of the coordinates of predicted time-invariant codes, in their own scale; a term for each code.

    Args:
        diffusion: the denoisers.
        schedule: of the noise (core.model.diffusion.noise_schedule).
        codes: (B, 2, code) depth and albedo codes of pictures.
        targets: (B, 2, code) their time-invariant codes.
        noise: (B, 2, identity) standard normal.
        levels: (B,) noise levels.
    """
    terms = {}
    for number, name in enumerate(("depth", "albedo")):
        part = getattr(diffusion, name)
        known = part.coordinates(codes[:, number])
        target = part.standardise(part.coordinates(targets[:, number]), known)
        noisy = schedule.add_noise(target, noise[:, number], levels)
        with autocast(True, codes.device.type):
            found = part.denoiser(noisy, levels, known)
        terms[name] = (found.float() - target).square().mean()
    return terms


class TimeInvariance(nn.Module):
    """The same loss for encoders that are fine-tuned with it: the denoisers stay as they are, and from the code of one
    picture of a pair they have to find that of the other, which counts as the time-invariant one.

    Args:
        diffusion: made for `autoencoder`.
        autoencoder: whose bases of codes the denoisers know; its encoders are not used.
    """

    def __init__(self, diffusion: Diffusion, autoencoder: Autoencoder):
        super().__init__()
        self.diffusion = diffusion.requires_grad_(False)
        self.bases = nn.ModuleList(deepcopy([autoencoder.depth_basis, autoencoder.albedo_basis]))
        self.schedule = noise_schedule(diffusion.config)

    def forward(self, raw: Codes) -> Tensor:
        """Scalar, of codes of B pictures as encoders give them; the second half shows the faces of the first half."""
        codes = torch.stack([basis(code) for basis, code in
                             zip(self.bases, (raw.depth_code, raw.albedo_code), strict=True)], 1)
        count, config = len(codes), self.diffusion.config
        # Each place of a batch has its own noise at every step, so that a resumed run goes on exactly.
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(count, 2, config.identity_size, generator=generator).to(codes)
        levels = torch.randint(config.noise_levels, (count,), generator=generator).to(codes.device)
        targets = codes.roll(count // 2, 0).detach()
        return sum(denoising_loss(self.diffusion, self.schedule, codes, targets, noise, levels).values())
