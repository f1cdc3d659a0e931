"""What the fine stage is trained for: every weighted term of its loss, by name."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from core.geometry.camera import depth_to_normal
from core.model.autoencoder import autocast
from core.model.fine import FineStage, render_fine, unwarp
from core.model.losses import gradient_difference, masked_mean
from core.types import Factors
from training.config import FineWeights
from training.data.fine_batches import FineBatch, Known
from training.objective.losses import depth_curvature
from training.rig.rig import FAR_DEPTH

COVERED = 0.3
"""Weight of albedo that hair or glasses hide: photos keep them in the albedo."""
LAMP_POOLING = 4
"""Pixels over which albedos of two lamps are averaged first: the two surfaces may differ by less than that."""


class FineObjective(nn.Module):
    """The fine stage with its loss on photos and renders.

    Args:
        model: to be trained.
        weights: of the terms.
        bf16: convolutions in bfloat16; nothing else is.
    """

    def __init__(self, model: FineStage, weights: FineWeights, bf16: bool):
        super().__init__()
        self.model, self.weights, self.bf16 = model, weights, bf16

    def forward(self, batch: FineBatch) -> dict[str, Tensor]:
        """Terms of the loss, each a mean over images."""
        seen = unwarp(batch.coarse, batch.photo)
        seen.seen = seen.seen * batch.kept
        with autocast(self.bf16, batch.photo.device.type):
            depth, albedo, gain = self.model.correct(seen)
        found = render_fine(batch.coarse, batch.photo, depth, albedo, gain)
        half, weights = len(depth) // 2, self.weights
        terms = self._on_photos(found[:half]) | self._on_renders(found[half:], batch.known)
        terms["curvature"] = weights.curvature * depth_curvature(depth - seen.depth)
        terms["light"] = weights.light * gain.log().abs().mean()
        return terms

    def _on_photos(self, found: Factors) -> dict[str, Tensor]:
        weights, mask = self.weights, found.recon_mask
        error = masked_mean((found.recon_image - found.image).abs(), mask)
        edges = gradient_difference(found.recon_image, found.image, mask)
        head = (found.canon_depth < FAR_DEPTH).float()[:, None]
        return {"image": weights.image * error, "image_gradient": weights.image * weights.gradient * edges,
                "photo_lamps": weights.lamps * lamp_difference(found.canon_albedo, head)}

    def _on_renders(self, found: Factors, known: Known) -> dict[str, Tensor]:
        weights, head = self.weights, known.canon_mask
        error = (found.recon_image - found.image).abs()
        painted = head * (COVERED + (1 - COVERED) * known.canon_bare)
        difference = (found.canon_albedo - known.canon_albedo).abs()
        edges = gradient_difference(found.canon_albedo, known.canon_albedo, (painted > 0.9).float())
        cosine = (found.canon_normal * depth_to_normal(known.canon_depth)).sum(-1)
        # Where the neck lies is not known: its canonical depth is only a bound.
        depth_error = (found.canon_depth - known.canon_depth).abs()[:, None]
        near = head * (known.canon_depth[:, None] < FAR_DEPTH)
        return {"render_image": weights.render_image * masked_mean(error, found.recon_mask * known.bare),
                "albedo": weights.albedo * masked_mean(difference, painted),
                "albedo_gradient": weights.albedo * weights.gradient * edges,
                "normal": weights.normal * masked_mean(1 - cosine[:, None], near),
                "depth": weights.depth * masked_mean(depth_error, 0.2 + 0.8 * near),
                "lamps": weights.lamps * lamp_difference(found.canon_albedo, head)}


def lamp_difference(canon_albedo: Tensor, mask: Tensor) -> Tensor:
    """Mean L1, up to gain, between the first and the second half of albedos (2 B, 3, H, W): the same faces under other
    lamps.

    Args:
        canon_albedo: in [0, 1].
        mask: (2 B, 1, H, W) where it counts, of which the first half is taken.
    """
    first, second = F.avg_pool2d(canon_albedo, LAMP_POOLING).chunk(2)
    mask = F.avg_pool2d(mask, LAMP_POOLING).chunk(2)[0]
    level, other = ((maps * mask).sum((1, 2, 3), keepdim=True) for maps in (first, second))
    return masked_mean((first - second * level / other).abs(), mask)
