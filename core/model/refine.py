"""Refinement at test time: codes, light and view optimised on one photo.

The encoders answer in one pass. Refinement starts from their answer and takes a few Adam steps on the losses that
training uses on photos: the likelihood of the reconstruction and of its mirrored twin under the confidence maps (paper
section 3.1), and gradient differences. A prior keeps every variable near the encoders' answer, in units of about their
error. View and light change most, depth and albedo a little. The confidence is not refined.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from core.model.autoencoder import Autoencoder, mirror
from core.model.losses import gradient_difference, laplace_nll
from core.types import Codes, Factors, Light, View, light_direction

STEPS = 20
MIRROR = 0.5
"""Weight of the mirrored twin's likelihood, as in training."""
GRADIENT = 4.0
"""Weight of the gradient differences, as in training."""


@dataclass(frozen=True)
class Variable:
    """How far and how fast one of the factors may change."""

    spread: tuple[float, ...]
    """Unit of its offsets, about the encoder's error. Codes: part of the standard deviation of the code's values."""
    rate: float
    """Adam's first step, in spreads; the steps shrink to zero (cosine)."""
    prior: float
    """Weight of the mean squared offset, in spreads."""


VARIABLES = {
    "depth_code": Variable((0.5,), rate=0.15, prior=0.3),
    "albedo_code": Variable((0.5,), rate=0.1, prior=1.0),
    # Logits of ambient and diffuse, slope of the direction.
    "light": Variable((0.4, 0.4, 0.3, 0.3), rate=0.3, prior=0.01),
    # Pitch, yaw and roll in radians, shift in camera distances.
    "view": Variable((0.045, 0.03, 0.015, 0.004, 0.004), rate=0.3, prior=0.1),
}


def refine(autoencoder: Autoencoder, image: Tensor) -> Factors:
    """Factors of aligned photos, refined; each photo's result is independent of the others in the batch.

    Args:
        autoencoder: trained, its parameters frozen.
        image: (B, 3, H, W) RGB in [0, 1], aligned, H = W = `config.image_size`.

    Returns:
        Factors as `autoencoder` gives them, with the encoders' confidence.
    """
    with torch.inference_mode(False), torch.enable_grad():
        image = image.clone()  # autograd refuses a tensor made in inference mode
        with torch.no_grad():
            start, sigmas = autoencoder.forward_with_sigma(image)
        units = _units(start)
        offsets = {name: torch.zeros_like(unit, requires_grad=True) for name, unit in units.items()}
        groups = [{"params": [offsets[name]], "lr": variable.rate} for name, variable in VARIABLES.items()]
        optimizer = torch.optim.Adam(groups, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for _ in range(STEPS):
            found = _with_offsets(autoencoder, start, offsets, units)
            prior = sum(variable.prior * offsets[name].square().mean(1).sum() for name, variable in VARIABLES.items())
            optimizer.zero_grad()
            (_loss(found, sigmas) + prior).backward()
            optimizer.step()
            schedule.step()
        with torch.no_grad():
            return _with_offsets(autoencoder, start, offsets, units)


def _units(start: Factors) -> dict[str, Tensor]:
    """The size of an offset of 1, for each value of each variable."""
    count = len(start.image)
    units = {name: start.image.new_tensor(variable.spread).expand(count, -1) for name, variable in VARIABLES.items()}
    for name in ("depth_code", "albedo_code"):
        code = getattr(start.codes, name)
        units[name] = (units[name] * code.std(1, keepdim=True)).expand_as(code)
    return {name: unit.contiguous() for name, unit in units.items()}


def _with_offsets(autoencoder: Autoencoder, start: Factors, offsets: dict[str, Tensor],
                  units: dict[str, Tensor]) -> Factors:
    """The factors with offsets added to the variables, within the encoders' ranges."""
    depth_code, albedo_code, light, view = (offsets[name] * units[name] for name in VARIABLES)
    codes = Codes(start.codes.depth_code + depth_code, start.codes.albedo_code + albedo_code)
    largest = autoencoder.config.max_light_slope
    slope = start.light.direction[:, :2] / start.light.direction[:, 2:] + light[:, 2:]
    light = Light((start.light.ambient.logit(1e-4) + light[:, 0]).sigmoid(),
                  (start.light.diffuse.logit(1e-4) + light[:, 1]).sigmoid(),
                  light_direction(slope.clamp(-largest, largest)))
    turn, shift = math.radians(autoencoder.config.max_rotation_deg), autoencoder.config.max_translation
    view = View((start.view.rotation + view[:, :3]).clamp(-turn, turn),
                (start.view.translation + view[:, 3:]).clamp(-shift, shift))
    return autoencoder.render(start.image, codes, *autoencoder.decode(codes), light, view, start.confidence)


def _loss(found: Factors, sigmas: Tensor) -> Tensor:
    """Training's losses on photos, of the reconstruction and its mirrored twin, summed over the photos."""
    image = found.image
    twin = Autoencoder.render(image, found.codes, *mirror(found), found.light, found.view, found.confidence)
    mean = (laplace_nll(found.recon_image - image, sigmas[:, :1], found.recon_mask)
            + MIRROR * laplace_nll(twin.recon_image - image, sigmas[:, 1:], twin.recon_mask)
            + GRADIENT * gradient_difference(found.recon_image, image, found.recon_mask))
    return len(image) * mean
