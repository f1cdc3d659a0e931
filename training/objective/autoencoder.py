"""The autoencoder's objective: every term of the loss, by name and not yet weighted."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.model.autoencoder import Autoencoder, mirror
from core.model.losses import gradient_difference, laplace_nll, masked_mean
from core.types import Codes, Factors
from training.data.augment import PhotoBatch
from training.data.renders import EXPRESSION_COUNT, RenderBatch
from training.objective import losses
from training.objective.contrast import NOBODY, IdentityContrast
from training.objective.diffusion import TimeInvariance


class Objective(nn.Module):
    """The model with its loss on photos and, in hybrid training, on renders (paper section 3.1).

    `training.config.LossWeights` weights the terms.

    Args:
        model: to be trained.
        mean_depth: (1, H, W) mean canonical depth of the renders; None where there are none.
        time_invariance: loss of the diffusion model that the encoders are fine-tuned with, if any.
    """

    mean_depth: Tensor | None

    def __init__(self, model: Autoencoder, mean_depth: Tensor | None = None,
                 time_invariance: TimeInvariance | None = None):
        super().__init__()
        self.model, self.time_invariance = model, time_invariance
        self.contrast = IdentityContrast(model.config.code_size, model.config.albedo_code_size)
        self.register_buffer("mean_depth", mean_depth, persistent=False)
        if mean_depth is not None:
            self.expression_head = nn.Linear(model.config.code_size + model.config.albedo_code_size, EXPRESSION_COUNT)
            # At zero, the untrained head sends no gradient to the codes.
            nn.init.zeros_(self.expression_head.weight)

    def forward(self, photos: PhotoBatch, renders: RenderBatch | None = None, seed: int = 0) -> dict[str, Tensor]:
        """Raw terms of the loss, scalars; each is a mean over images, so that several batches may be averaged.

        Args:
            photos: pairs of augmented copies.
            renders: pairs of renders of one person.
            seed: of the noise that `time_invariance` adds.
        """
        count = len(photos.image)
        images = photos.image if renders is None else torch.cat([photos.image, renders.image])
        found, sigmas = self.model.forward_with_sigma(images)
        noise = torch.Generator().manual_seed(seed)
        terms = self._photo_terms(found[:count], sigmas[:count], photos, noise)
        if renders is not None:
            terms |= self._render_terms(found[count:], sigmas[count:], renders, noise)
        return terms

    def _photo_terms(self, found: Factors, sigmas: Tensor, photos: PhotoBatch,
                     noise: torch.Generator) -> dict[str, Tensor]:
        """Both likelihoods, smoothness, contrast, and agreement of copies."""
        image = found.image
        # The reconstruction error is smaller for a pose that is too small. So it sends the pose no gradient where
        # renders and known turns supervise the pose.
        view = found.view if self.mean_depth is None else found.view.apply(Tensor.detach)
        direct, mirrored = (self.model.render(image, found.codes, *surface, found.light, view, found.confidence)
                            for surface in ((found.canon_depth, found.canon_albedo), mirror(found)))
        nobody = torch.full_like(photos.mirrored, NOBODY, dtype=torch.long)
        terms = {
            "image": laplace_nll(direct.recon_image - image, sigmas[:, :1], direct.recon_mask),
            "l1": masked_mean((direct.recon_image - image).abs(), direct.recon_mask),
            "mirror": laplace_nll(mirrored.recon_image - image, sigmas[:, 1:], mirrored.recon_mask),
            "gradient": gradient_difference(direct.recon_image, image, direct.recon_mask),
            "curvature": losses.depth_curvature(found.canon_depth),
            **self._pair_terms(found.codes, nobody, noise),
            **losses.consistency_losses(found, photos),
        }
        if self.mean_depth is not None:
            terms["mean_shape"] = losses.mean_shape(found.canon_depth, self.mean_depth)
            first, second = photos.unmirror_expression(self._expression(found)).chunk(2)
            error = second - first - photos.edit.expression.chunk(2)[1]
            terms["added_expression"] = error.square().sum(1).mean()
        return terms

    def _render_terms(self, found: Factors, sigmas: Tensor, renders: RenderBatch,
                      noise: torch.Generator) -> dict[str, Tensor]:
        """Likelihood, contrast, and errors against the known factors."""
        image = found.image
        # The background of a render is another photo, which says nothing about this face.
        mask = found.recon_mask * (0.2 + 0.8 * renders.mask)
        pairs = self._pair_terms(found.codes, renders.person, noise)
        return {
            **{f"render_{name}": term for name, term in pairs.items()},
            "render_image": laplace_nll(found.recon_image - image, sigmas[:, :1], mask),
            "render_gradient": gradient_difference(found.recon_image, image, mask.floor()),
            **losses.supervised_losses(found, renders),
            "expression": (self._expression(found) - renders.expression).square().sum(1).mean(),
        }

    def _pair_terms(self, codes: Codes, person: Tensor, noise: torch.Generator) -> dict[str, Tensor]:
        """Terms on the codes of pairs of images, whose people are `person` (B,)."""
        terms = {"identity": self.contrast(codes, person)}
        if self.time_invariance:
            terms["time_invariance"] = self.time_invariance(codes, noise)
        return terms

    def _expression(self, found: Factors) -> Tensor:
        """Expression weights (B, 57) that the linear head predicts from the codes."""
        return self.expression_head(found.codes.pair.rows)
