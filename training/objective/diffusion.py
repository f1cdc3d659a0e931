"""The loss of the representation diffusion model (paper section 3.2): for its denoisers, and for encoders."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.model.autoencoder import Autoencoder, autocast
from core.model.diffusion import Diffusion, noise_schedule
from core.types import Codes

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler


def denoising_loss(diffusion: Diffusion, schedule: DDIMScheduler, codes: Tensor, targets: Tensor, noise: Tensor,
                   timesteps: Tensor) -> dict[str, Tensor]:
    """Mean squared error of predicted time-invariant codes, in standardized identity coordinates.

    Args:
        diffusion: the denoisers.
        schedule: noise schedule (core.model.diffusion.noise_schedule).
        codes: (B, codes) depth and albedo codes of images in one row.
        targets: (B, codes) their time-invariant codes.
        noise: (B, 2, identity) standard normal.
        timesteps: (B,) integers, 0 to `num_train_timesteps` − 1.

    Returns:
        A scalar each for "depth" and "albedo".
    """
    terms, sizes = {}, diffusion.config.code_sizes
    for number, (name, code, wanted) in enumerate(zip(("depth", "albedo"), codes.split(sizes, 1),
                                                      targets.split(sizes, 1), strict=True)):
        part = getattr(diffusion, name)
        condition = part.coordinates(code)
        target = part.standardize(part.coordinates(wanted), condition)
        noisy = schedule.add_noise(target, noise[:, number], timesteps)  # type: ignore[arg-type]  # tensors are meant
        with autocast(True, codes.device.type):
            predicted = part.denoiser(noisy, timesteps, condition)
        terms[name] = (predicted.float() - target).square().mean()
    return terms


class TimeInvariance(nn.Module):
    """The denoising loss as a loss of the encoders; the denoisers stay as they are.

    From the code of one image of a pair, the denoisers have to predict the code of the other image, which counts as
    the time-invariant code. So both codes are drawn to what the two images share.

    Args:
        diffusion: made for `autoencoder`.
        autoencoder: provides the bases of codes that the denoisers were trained in; its encoders are not used.
    """

    def __init__(self, diffusion: Diffusion, autoencoder: Autoencoder):
        super().__init__()
        self.diffusion = diffusion.requires_grad_(False)
        self.bases = nn.ModuleList(deepcopy(autoencoder.code_bases))
        self.sizes = [len(basis.mean) for basis in autoencoder.code_bases]
        self.schedule = noise_schedule(diffusion.config)

    def forward(self, raw: Codes, generator: torch.Generator) -> Tensor:
        """The loss, a scalar.

        Args:
            raw: codes of B images as encoders give them; the second half shows the faces of the first half.
            generator: of noise and timesteps. Seed it anew for each step, or the codes are fitted to one noise.
        """
        rows = raw.pair.rows
        parts = rows.split(self.sizes, 1)
        codes = torch.cat([basis(part) for basis, part in zip(self.bases, parts, strict=True)], 1)
        count, config = len(codes), self.diffusion.config
        noise = torch.randn(count, 2, config.identity_size, generator=generator).to(codes)
        timesteps = torch.randint(config.num_train_timesteps, (count,), generator=generator).to(codes.device)
        targets = codes.roll(count // 2, 0).detach()
        terms = denoising_loss(self.diffusion, self.schedule, codes, targets, noise, timesteps)
        return terms["depth"] + terms["albedo"]
