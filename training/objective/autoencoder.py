"""What the autoencoder is trained for: every weighted term of the loss, by name."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.model.autoencoder import Autoencoder, mirror
from core.model.losses import gradient_difference, laplace_nll, masked_mean
from core.types import Codes, Factors
from training.config import LossWeights
from training.data.augment import Photos
from training.data.renders import EXPRESSIONS, Renders
from training.objective import losses
from training.objective.contrast import NOBODY, IdentityContrast
from training.objective.diffusion import TimeInvariance


class Objective(nn.Module):
    """The model with its loss on photos and, in the hybrid regime, on renders (paper section 3.1; method).

    Args:
        model: to be trained.
        weights: of the terms.
        mean_depth: (1, H, W) mean head of the renders; None where there are none.
        time_invariance: the diffusion model's loss, where the encoders are fine-tuned with it.
    """

    def __init__(self, model: Autoencoder, weights: LossWeights, mean_depth: Tensor | None = None,
                 time_invariance: TimeInvariance | None = None):
        super().__init__()
        self.model, self.weights, self.time_invariance = model, weights, time_invariance
        self.contrast = IdentityContrast(model.config.code_size)
        self.register_buffer("mean_depth", mean_depth, persistent=False)
        if mean_depth is not None:
            self.expression_head = nn.Linear(2 * model.config.code_size, EXPRESSIONS)
            # It starts knowing nothing, and so bends the codes gently.
            nn.init.zeros_(self.expression_head.weight)

    def forward(self, photos: Photos, renders: Renders | None = None) -> dict[str, Tensor]:
        """Terms of the loss, each a mean over pictures: those of several processes or parts may be averaged."""
        count = len(photos.image)
        images = photos.image if renders is None else torch.cat([photos.image, renders.image])
        found, sigmas = self.model.forward_with_sigma(images)
        terms = self._on_photos(found[:count], sigmas[:count], photos)
        return terms if renders is None else terms | self._on_renders(found[count:], sigmas[count:], renders)

    def _on_photos(self, found: Factors, sigmas: Tensor, photos: Photos) -> dict[str, Tensor]:
        """Both likelihoods, smoothness, agreement of copies."""
        weights, image = self.weights, found.image
        # A head that is found less turned than it is has less to explain. Where renders and known turns teach the pose,
        # the picture's error leaves it alone.
        view = found.view if self.mean_depth is None else found.view.apply(Tensor.detach)
        plain, mirrored = (self.model.render(image, found.codes, *surface, found.light, view, found.confidence)
                           for surface in ((found.canon_depth, found.canon_albedo), mirror(found)))
        extra = losses.consistency_losses(found, photos)
        if self.mean_depth is not None:
            extra["mean_head"] = losses.mean_head(found.canon_depth, self.mean_depth)
            first, second = photos.unmirror_expression(self._expression(found)).chunk(2)
            error = second - first - photos.moves.expression.chunk(2)[1]
            extra["added_expression"] = error.square().sum(1).mean()
        return {"image": laplace_nll(plain.recon_image - image, sigmas[:, :1], plain.recon_mask),
                "plain": weights.plain * masked_mean((plain.recon_image - image).abs(), plain.recon_mask),
                "mirror": weights.mirror * laplace_nll(mirrored.recon_image - image, sigmas[:, 1:],
                                                       mirrored.recon_mask),
                "gradient": weights.gradient * gradient_difference(plain.recon_image, image, plain.recon_mask),
                "curvature": weights.curvature * losses.depth_curvature(found.canon_depth),
                **self._of_pairs(found.codes, torch.full_like(photos.mirrored, NOBODY, dtype=torch.long)),
                **self._weighted(extra)}

    def _on_renders(self, found: Factors, sigmas: Tensor, renders: Renders) -> dict[str, Tensor]:
        """Likelihood and known factors."""
        weights, image = self.weights, found.image
        # Behind a rendered head is another photo, which says nothing about this face.
        mask = found.recon_mask * (0.2 + 0.8 * renders.mask)
        known = losses.supervised_losses(found, renders)
        known["expression"] = (self._expression(found) - renders.expression).square().sum(1).mean()
        pairs = self._of_pairs(found.codes, renders.person)
        return {**{f"render_{name}": term for name, term in pairs.items()},
                "render_image": weights.render_image * laplace_nll(found.recon_image - image, sigmas[:, :1], mask),
                "render_gradient": weights.render_image * weights.gradient
                * gradient_difference(found.recon_image, image, mask.floor()),
                **self._weighted(known)}

    def _of_pairs(self, codes: Codes, person: Tensor) -> dict[str, Tensor]:
        """What two pictures of each of some people (B,) ask of each other's codes."""
        terms = {"identity": self.contrast(codes, person)}
        if self.time_invariance:
            terms["time_invariance"] = self.time_invariance(codes)
        return self._weighted(terms)

    def _expression(self, found: Factors) -> Tensor:
        """Expression weights (B, 57) that the linear head reads from the codes."""
        return self.expression_head(torch.cat([found.codes.depth_code, found.codes.albedo_code], 1))

    def _weighted(self, terms: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: getattr(self.weights, name) * value for name, value in terms.items()}
