"""Validation during training: errors on photos, renders and people that are never trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.losses import masked_mean
from training.data.batches import CodeBatch, HeldOut
from training.objective.diffusion import denoising_loss
from training.objective.losses import supervised_losses

if TYPE_CHECKING:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler


@torch.no_grad()
def validate_autoencoder(model: Autoencoder, held_out: HeldOut) -> dict[str, Tensor]:
    """Errors of a model, scalars: "l1" of the reconstruction of photos, and `supervised_losses` of renders."""
    errors = {}
    if held_out.photos is not None:
        found = model(held_out.photos)
        errors["l1"] = masked_mean((found.recon_image - found.image).abs(), found.recon_mask)
    if held_out.renders is not None:
        errors |= supervised_losses(model(held_out.renders.image), held_out.renders)
    return errors


@torch.no_grad()
def validate_diffusion(diffusion: Diffusion, schedule: DDIMScheduler, held_out: CodeBatch | None) -> dict[str, Tensor]:
    """`denoising_loss` of codes that are never trained on; empty where there are none."""
    return {} if held_out is None else denoising_loss(diffusion, schedule, *held_out)
