"""Closed-form parts of the diffusion model: the identity coordinates of codes, and the expression basis."""

from __future__ import annotations

import torch
from torch import Tensor

from core.model.diffusion import Diffusion
from training.data.code_frames import RENDERED, Frames, person_means
from training.fitting.whitening import MIN_SCATTER, discriminant_basis, scatter

EXPRESSION_SCATTER = 3.0
"""Weight of the scatter that expressions cause, beside all scatter within people. A larger weight removes more of the
expression from identities, which then distinguish people less well."""
MIN_SLOPE = 0.4
"""A regression shrinks expression weights by a factor, its slope. The gain divides by it, but by no less than this."""
GAIN = 1.5
"""Further gain: expressions in photos are stronger than those that the regression was fitted to."""


def fit_identity(diffusion: Diffusion, frames: Frames, targets: Tensor) -> None:
    """Fit the identity coordinates, and the linear regression of the time-invariant code in them.

    The coordinates are the directions in which people differ most, relative to what else changes their codes (linear
    discriminant analysis); where expressions are known, their effects count more than the rest.

    Args:
        diffusion: gets the results.
        frames: codes.
        targets: (N, codes) time-invariant codes.
    """
    known = frames.expression.isfinite().all(1)
    sizes = diffusion.config.code_sizes
    splits = frames.data.float().split(sizes, 1), targets.split(sizes, 1)
    for number, (part, codes, target) in enumerate(zip((diffusion.depth, diffusion.albedo), *splits, strict=True)):
        within, between = scatter(codes, frames.person)
        # An expression changes codes of renders in other directions than codes of photos; both count.
        for source in frames.source[known].unique():
            weights, changes = _within_people(frames[known & (frames.source == source)])
            effect = weights @ _regression(weights, changes.split(sizes, 1)[number])
            within += EXPRESSION_SCATTER * effect.T.cov()
        basis = discriminant_basis(within, between)[:, : diffusion.config.identity_size]
        part.mean.copy_(codes.mean(0))
        part.basis.copy_(basis / _spread(codes @ basis))
        inputs, outputs = part.coordinates(codes), part.coordinates(target)
        part.linear.copy_(_regression(inputs, outputs))
        part.scale.copy_(_spread(outputs - inputs @ part.linear))
        part.lift.copy_(_regression(outputs, target - part.mean))


def fit_expressions(diffusion: Diffusion, frames: Frames, displacement: Tensor, landmarks: Tensor) -> None:
    """Fit the expression basis by regressions between expression weights and codes; without weights it stays unfitted.

    All weights of renders are known. Of a photo only those that were added to its copies are, so the copies count by
    their differences.

    Args:
        diffusion: gets the results.
        frames: codes.
        displacement: (57, 3, H, W) of the canonical points by each expression (training.data.expression_motion).
        landmarks: (478, 2) of the head that it belongs to.
    """
    known = frames.expression.isfinite().all(1)
    if not known.any():
        return
    frames, basis = frames[known], diffusion.expression_basis
    rendered = frames.source == RENDERED
    absolute, relative = _expressions_and_codes(frames[rendered]), _within_people(frames[~rendered])
    weights, codes = (torch.cat([rows - rows.mean(0), differences])
                      for rows, differences in zip(absolute, relative, strict=True))
    regressor = _regression(codes, weights)
    slope = (codes @ regressor * weights).sum(0) / weights.square().sum(0).clamp(min=1e-6)
    basis.regressor.copy_(regressor)
    basis.gain.copy_(GAIN / slope.clamp(min=MIN_SLOPE))
    basis.directions.copy_(_regression(*_within_people(frames)))
    basis.displacement.copy_(displacement)
    basis.landmarks.copy_(landmarks)


def _expressions_and_codes(frames: Frames) -> tuple[Tensor, Tensor]:
    """Expression weights (N, 57) and both codes (N, codes)."""
    return frames.expression.float(), frames.data.float()


def _within_people(frames: Frames) -> tuple[Tensor, Tensor]:
    """Expression weights (N, 57) and both codes (N, codes), minus their means over the frames of the person."""
    _, person = frames.person.unique(return_inverse=True)
    weights, codes = (rows - person_means(rows, person)[person] for rows in _expressions_and_codes(frames))
    return weights, codes


def _regression(inputs: Tensor, outputs: Tensor) -> Tensor:
    """(D, E) coefficients of the ridge regression outputs (N, E) ≈ inputs (N, D) @ coefficients."""
    gram = inputs.T @ inputs
    ridge = 1e-3 * gram.diagonal().mean() + MIN_SCATTER
    return torch.linalg.solve(gram + ridge * torch.eye(len(gram)), inputs.T @ outputs)


def _spread(rows: Tensor) -> Tensor:
    """(D,) standard deviations of rows (N, D); 1 for dimensions that never vary."""
    spread = rows.std(0)
    return spread.where(spread > 1e-3, 1.0)
