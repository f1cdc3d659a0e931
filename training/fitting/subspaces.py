"""What statistics of codes tell the diffusion model in closed form: where identity lies, and what expressions do."""

from __future__ import annotations

import torch
from torch import Tensor

from core.model.diffusion import Diffusion
from training.data.code_frames import RENDERED, Frames, person_means
from training.fitting.whitening import CONSTANT, discriminant_basis, scatter

EXPRESSION_COUNTS = 3.0
"""How much more than other scatter within people that of expressions counts: with more, identities know less of them,
and tell people apart less well."""
LEAST_SLOPE = 0.4
"""A regression says less than there is. For motions that is made good, but not where it says less than this part."""
GAIN = 1.5
"""What is made good beyond that, since photos hold more than the regression met."""


def set_identity(diffusion: Diffusion, frames: Frames, targets: Tensor) -> None:
    """Coordinates of identity, and the linear guess at the time-invariant code in them.

    The coordinates are those in which people differ most beside what else moves their codes (linear discriminant
    analysis); where expressions are known, their effects count more than the rest.

    Args:
        diffusion: is given them.
        frames: codes.
        targets: (N, 2, code) time-invariant codes.
    """
    known = frames.expression.isfinite().all(1)
    for number, part in enumerate((diffusion.depth, diffusion.albedo)):
        codes, wanted = frames.data[:, number].float(), targets[:, number]
        within, between = scatter(codes, frames.person)
        # Renders and photos show one expression in other directions, which all count.
        for source in frames.source[known].unique():
            weights, changes = _within_people(frames[known & (frames.source == source)])
            expressed = weights @ _regression(weights, changes.chunk(2, 1)[number])
            within += EXPRESSION_COUNTS * expressed.T.cov()
        basis = discriminant_basis(within, between)[:, : diffusion.config.identity_size]
        part.mean.copy_(codes.mean(0))
        part.basis.copy_(basis / _spread(codes @ basis))
        found, sought = part.coordinates(codes), part.coordinates(wanted)
        part.linear.copy_(_regression(found, sought))
        part.scale.copy_(_spread(sought - found @ part.linear))
        part.lift.copy_(_regression(sought, wanted - part.mean))


def set_expressions(diffusion: Diffusion, frames: Frames, motion: Tensor, landmarks: Tensor) -> None:
    """Learn what expressions do to codes, and how changes of codes tell them; without renders nothing is known of them.

    Both are regressions between expression weights and codes. Of renders the weights are known; of a photo only those
    that its copies were given, so that it counts by how its copies differ.

    Args:
        diffusion: is given them.
        frames: codes.
        motion: (57, 3, H, W) how the expressions move a face (training.data.expression_motion).
        landmarks: (478, 2) of the face that it is the motion of.
    """
    known = frames.expression.isfinite().all(1)
    if not known.any():
        return
    frames, found = frames[known], diffusion.expressions
    rendered = frames.source == RENDERED
    alone, differences = _expressions_and_codes(frames[rendered]), _within_people(frames[~rendered])
    weights, codes = (torch.cat([rows - rows.mean(0), other]) for rows, other in zip(alone, differences, strict=True))
    reader = _regression(codes, weights)
    slope = (codes @ reader * weights).sum(0) / weights.square().sum(0).clamp(min=1e-6)
    found.reader.copy_(reader)
    found.gain.copy_(GAIN / slope.clamp(min=LEAST_SLOPE))
    found.effects.copy_(_regression(*_within_people(frames)))
    found.motion.copy_(motion)
    found.landmarks.copy_(landmarks)


def _expressions_and_codes(frames: Frames) -> tuple[Tensor, Tensor]:
    """Expression weights (N, 57) and both codes (N, 2 D)."""
    return frames.expression.float(), frames.data.float().flatten(1)


def _within_people(frames: Frames) -> tuple[Tensor, Tensor]:
    """Expression weights (N, 57) and both codes (N, 2 D), less the means of the person."""
    _, person = frames.person.unique(return_inverse=True)
    return tuple(rows - person_means(rows, person)[person] for rows in _expressions_and_codes(frames))


def _regression(known: Tensor, wanted: Tensor) -> Tensor:
    """(D, E) of least squares, a little ridged: known (N, D) @ it is near wanted (N, E)."""
    return torch.linalg.solve(_ridged(known.T @ known), known.T @ wanted)


def _ridged(matrix: Tensor) -> Tensor:
    return matrix + (1e-3 * matrix.diagonal().mean() + CONSTANT) * torch.eye(len(matrix))


def _spread(rows: Tensor) -> Tensor:
    """(D,) standard deviations; 1 for dimensions that never vary."""
    spread = rows.std(0)
    return spread.where(spread > 1e-3, 1.0)
