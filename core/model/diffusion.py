"""The representation diffusion model (paper section 3.2): from the codes of one photo to what all photos of the person
share.

One denoiser per code. It is given the noisy time-invariant code and the photo's code, and predicts the time-invariant
code itself; DDIM without noise (eta 0) takes a few steps from noise to a sample. That sample is the identity.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.config import DiffusionConfig
from core.model.expression_basis import Expressions
from core.types import CodePair, Codes

SEED = 0
"""Of the noise that a sample starts from: the same for every photo, so that answers do not change from run to run."""


class Denoiser(nn.Module):
    """Residual MLP: noisy time-invariant code, noise level and the photo's code to the time-invariant code.

    All are coordinates of identity, standardised: mean 0 and variance 1 per dimension.
    """

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        self.levels = nn.Sequential(nn.Linear(64, config.width), nn.SiLU(), nn.Linear(config.width, config.width))
        self.enter = nn.Linear(2 * config.identity_size, config.width)
        self.blocks = nn.ModuleList(_Block(config.width) for _ in range(config.blocks))
        self.leave = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.identity_size))

    def forward(self, noisy: Tensor, level: Tensor, code: Tensor) -> Tensor:
        """(…, identity_size) from noisy and code (…, identity_size) and levels (…), or one level for all."""
        hidden, when = self.enter(torch.cat([noisy, code], -1)), self.levels(_waves(level))
        for block in self.blocks:
            hidden = block(hidden, when)
        return self.leave(hidden)


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm, self.when = nn.LayerNorm(width), nn.Linear(width, width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor, when: Tensor) -> Tensor:
        return hidden + self.layers(self.norm(hidden) + self.when(when))


def _waves(level: Tensor) -> Tensor:
    """(…, 64) sines and cosines of noise levels (…), 0 to 999."""
    frequency = torch.exp(torch.arange(32, device=level.device) * (-math.log(10_000) / 32))
    angle = level.float()[..., None] * frequency
    return torch.cat([angle.sin(), angle.cos()], -1)


class CodeDiffusion(nn.Module):
    """The denoiser of one code, and the subspace in which it works: the coordinates of identity.

    In these coordinates people differ most, beside what light, pose and above all expressions do
    (`training.fitting.subspaces`). A code's other coordinates are not even looked at: no part of an expression that lies
    there can be taken for identity. What a linear regression of the identity leaves is what the denoiser learns: it
    need not learn by steps what is known at once, and where it knows nothing, nothing is lost.
    """

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        code, identity = config.code_size, config.identity_size
        self.denoiser = Denoiser(config)
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("basis", torch.eye(code, identity))
        self.register_buffer("linear", torch.zeros(identity, identity))
        self.register_buffer("scale", torch.ones(identity))
        self.register_buffer("lift", torch.eye(identity, code))

    def coordinates(self, code: Tensor) -> Tensor:
        """Coordinates of identity (B, identity_size) of codes (B, code_size): mean 0 and variance 1 over photos."""
        return (code - self.mean) @ self.basis

    def standardise(self, target: Tensor, coordinates: Tensor) -> Tensor:
        """Coordinates of time-invariant codes, as the denoiser has them: what the regression on a photo's misses."""
        return (target - coordinates @ self.linear) / self.scale

    def restore(self, sample: Tensor, coordinates: Tensor) -> Tensor:
        """Time-invariant codes (B, code_size) of standardised samples (B, identity_size)."""
        return (sample * self.scale + coordinates @ self.linear) @ self.lift + self.mean


class Diffusion(nn.Module):
    """Both denoisers, the way from noise to the identity, and what is known of expressions."""

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        self.config = config
        self.depth, self.albedo = CodeDiffusion(config), CodeDiffusion(config)
        self.expressions = Expressions(config)

    def identity(self, codes: Codes, seed: int = SEED,
                 callback: Callable[[int, CodePair], None] | None = None) -> CodePair:
        """The time-invariant codes: the mean of `config.samples` samples.

        Args:
            codes: of B photos.
            seed: of the noise that samples start from; every photo starts from the same.
            callback: called as callback(step, x) after each of the steps 1, 2, …, with the mean that is reached.

        Returns:
            B identities.
        """
        def tell(step: int, reached: CodePair) -> None:
            callback(step, reached.apply(lambda tensor: tensor.mean(0)))

        return self.sample(codes, self.config.samples, seed, callback and tell).apply(lambda tensor: tensor.mean(0))

    def spread(self, codes: Codes, samples: int = 16) -> CodePair:
        """Standard deviation over samples, (B, 256) each: what the photo leaves open."""
        return self.sample(codes, samples).apply(lambda tensor: tensor.std(0))

    def sample(self, codes: Codes, count: int, seed: int = SEED,
               callback: Callable[[int, CodePair], None] | None = None) -> CodePair:
        """Samples (count, B, 256) of the time-invariant codes; see `identity`."""
        generator = torch.Generator().manual_seed(seed)
        pairs = [(part, part.coordinates(code).expand(count, -1, -1))
                 for part, code in ((self.depth, codes.depth_code), (self.albedo, codes.albedo_code))]
        noisy = [torch.randn(count, 1, self.config.identity_size, generator=generator).to(known).expand_as(known)
                 for _, known in pairs]
        scheduler = noise_schedule(self.config)
        scheduler.set_timesteps(self.config.steps)
        for step, level in enumerate(scheduler.timesteps, 1):
            noisy = [scheduler.step(part.denoiser(x, level, known), level, x).prev_sample
                     for (part, known), x in zip(pairs, noisy, strict=True)]
            reached = CodePair(*(part.restore(x, known) for (part, known), x in zip(pairs, noisy, strict=True)))
            if callback:
                callback(step, reached)
        return reached


def noise_schedule(config: DiffusionConfig):
    """DDIM whose network predicts the sample; the first step starts from pure noise. Importing diffusers is slow."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(num_train_timesteps=config.noise_levels, beta_schedule="squaredcos_cap_v2",
                         prediction_type="sample", clip_sample=False, timestep_spacing="trailing")
