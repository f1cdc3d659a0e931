"""The representation diffusion model (paper section 3.2): from the codes of one photo to those of the person.

One denoiser for each code. It is given the noisy time-invariant code and the photo's code, and predicts the
time-invariant code itself; DDIM without noise (eta 0) takes a few steps from noise to a sample. The mean of a few
samples is the identity.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from core.config import DiffusionConfig
from core.model.expression_basis import ExpressionBasis
from core.types import CodePair, Codes

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

SEED = 0
"""Default seed of the noise: the same for every photo, so that answers do not change from run to run."""
SAMPLES = 16
"""Identities over which uncertainty is measured."""


class Denoiser(nn.Module):
    """Residual MLP: noisy time-invariant code, timestep and the photo's code to the time-invariant code.

    All codes are identity coordinates, standardised to mean 0 and variance 1 in each dimension.
    """

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        self.time_embedding = nn.Sequential(nn.Linear(64, config.width), nn.SiLU(),
                                            nn.Linear(config.width, config.width))
        self.in_proj = nn.Linear(2 * config.identity_size, config.width)
        self.blocks = nn.ModuleList(_Block(config.width) for _ in range(config.blocks))
        self.out_proj = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, config.identity_size))

    def forward(self, noisy: Tensor, timesteps: Tensor, code: Tensor) -> Tensor:
        """Predict the time-invariant code.

        Args:
            noisy: (…, identity_size).
            timesteps: (…), or one for all, 0 to 999.
            code: (…, identity_size) of the photo.

        Returns:
            (…, identity_size).
        """
        hidden = self.in_proj(torch.cat([noisy, code], -1))
        time = self.time_embedding(timestep_embedding(timesteps))
        for block in self.blocks:
            hidden = block(hidden, time)
        return self.out_proj(hidden)


class _Block(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm, self.time_proj = nn.LayerNorm(width), nn.Linear(width, width)
        self.layers = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, hidden: Tensor, time: Tensor) -> Tensor:
        return hidden + self.layers(self.norm(hidden) + self.time_proj(time))


def timestep_embedding(timesteps: Tensor) -> Tensor:
    """Sinusoidal embedding (…, 64), float32, of timesteps (…), 0 to 999."""
    exponent = torch.arange(32, device=timesteps.device, dtype=torch.float32) * (-math.log(10_000) / 32)
    angle = timesteps.float()[..., None] * exponent.exp()
    return torch.cat([angle.sin(), angle.cos()], -1)


class CodeDiffusion(nn.Module):
    """The denoiser of one code and the subspace in which it works: identity coordinates.

    In these coordinates people differ most, relative to what light, pose and above all expressions change
    (training.fitting.subspaces). The denoiser does not see a code's other coordinates, so that no
    expression that lies there is taken for identity. A linear regression predicts the time-invariant code, and the
    denoiser its residual: it learns only what is not linear, and a residual of 0 leaves the regression's prediction.
    """

    mean: Tensor
    """(code_size,) mean code."""
    basis: Tensor
    """(code_size, identity_size) from codes to identity coordinates."""
    linear: Tensor
    """(identity_size, identity_size) the linear regression."""
    scale: Tensor
    """(identity_size,) standard deviation of its residual."""
    lift: Tensor
    """(identity_size, code_size) from identity coordinates back to codes."""

    def __init__(self, config: DiffusionConfig, code: int):
        super().__init__()
        identity = config.identity_size
        self.denoiser = Denoiser(config)
        self.register_buffer("mean", torch.zeros(code))
        self.register_buffer("basis", torch.eye(code, identity))
        self.register_buffer("linear", torch.zeros(identity, identity))
        self.register_buffer("scale", torch.ones(identity))
        self.register_buffer("lift", torch.eye(identity, code))

    def coordinates(self, code: Tensor) -> Tensor:
        """Identity coordinates (B, identity_size) of codes (B, code_size): mean 0 and variance 1 over photos."""
        return (code - self.mean) @ self.basis

    def standardize(self, target: Tensor, coordinates: Tensor) -> Tensor:
        """What the denoiser predicts for a target: the regression's residual in units of its standard deviation.

        Args:
            target: (…, identity_size) identity coordinates of time-invariant codes.
            coordinates: (…, identity_size) identity coordinates of the photos' codes.
        """
        return (target - coordinates @ self.linear) / self.scale

    def restore(self, sample: Tensor, coordinates: Tensor) -> Tensor:
        """Undo `standardize` and lift: time-invariant codes (…, code_size)."""
        return (sample * self.scale + coordinates @ self.linear) @ self.lift + self.mean


class Diffusion(nn.Module):
    """Both denoisers, sampling from noise to the identity, and the expression basis."""

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        self.config = config
        self.depth, self.albedo = (CodeDiffusion(config, size) for size in config.code_sizes)
        self.expression_basis = ExpressionBasis(config)

    def identity(self, codes: Codes, seed: int = SEED,
                 callback: Callable[[int, CodePair], None] | None = None) -> CodePair:
        """The identity of B photos: the mean of `config.samples` samples of the time-invariant code.

        Args:
            codes: of B photos.
            seed: of the noise; all photos start from the same noise.
            callback: called as callback(step, identity) after each of the steps 1, 2, …, with the mean reached so far.
        """
        def report(step: int, samples: CodePair) -> None:
            if callback:
                callback(step, samples.apply(lambda tensor: tensor.mean(0)))

        return self.sample(codes, self.config.samples, seed, report).apply(lambda tensor: tensor.mean(0))

    def sample(self, codes: Codes, count: int, seed: int = SEED,
               callback: Callable[[int, CodePair], None] | None = None) -> CodePair:
        """Samples (count, B, code) of the time-invariant codes; `callback` gets all samples after each step."""
        generator = torch.Generator().manual_seed(seed)
        conditions = [(part, part.coordinates(code).expand(count, -1, -1))
                      for part, code in ((self.depth, codes.depth_code), (self.albedo, codes.albedo_code))]
        shape = count, 1, self.config.identity_size
        noisy = [torch.randn(shape, generator=generator, dtype=torch.float32).to(condition).expand_as(condition)
                 for _, condition in conditions]
        scheduler = noise_schedule(self.config)
        scheduler.set_timesteps(self.config.num_inference_steps, device=codes.depth_code.device)
        samples = CodePair(*noisy)
        for step, timestep in enumerate(scheduler.timesteps, 1):
            noisy = [scheduler.step(part.denoiser(x, timestep, condition),
                                    timestep, x).prev_sample  # pyright: ignore[reportArgumentType, reportAttributeAccessIssue]
                     for (part, condition), x in zip(conditions, noisy, strict=True)]
            samples = CodePair(*(part.restore(x, condition)
                                 for (part, condition), x in zip(conditions, noisy, strict=True)))
            if callback:
                callback(step, samples)
        return samples


def noise_schedule(config: DiffusionConfig) -> DDIMScheduler:
    """DDIM whose network predicts the sample; the first step starts from pure noise. Importing diffusers is slow."""
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    return DDIMScheduler(num_train_timesteps=config.num_train_timesteps, beta_schedule="squaredcos_cap_v2",
                         prediction_type="sample", clip_sample=False, timestep_spacing="trailing")
