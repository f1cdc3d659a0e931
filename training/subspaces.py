"""What statistics of codes tell the diffusion model in closed form: where identity lies, and what expressions do."""

from __future__ import annotations

import torch
from torch import Tensor

from core.diffusion import Diffusion
from training.sequences import RENDERED, Frames, person_means
from training.whitening import discriminant_basis, scatter

EXPRESSION_COUNTS = 10.0
"""How much more than other scatter within people that of expressions counts: with more, identities know less of them,
and tell people apart less well."""
CAUTION = 0.3
"""How far the expected size of expressions counts when changes of codes are read: 0 not at all, 1 in full."""
PHOTOS_COUNT = 0.05
"""How far the scatter of photos counts as noise then: enough that directions which renders hardly use say nothing."""


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
        if known.any():
            weights, effects = _effects(frames[known], number)
            within += EXPRESSION_COUNTS * effects.T @ weights.T.cov() @ effects
        basis = discriminant_basis(within, between)[:, : diffusion.config.identity_size]
        part.mean.copy_(codes.mean(0))
        part.basis.copy_(basis / _spread(codes @ basis))
        found, sought = part.coordinates(codes), part.coordinates(wanted)
        part.linear.copy_(_regression(found, sought))
        part.scale.copy_(_spread(sought - found @ part.linear))
        part.lift.copy_(_regression(sought, wanted - part.mean))


def set_expressive(diffusion: Diffusion, frames: Frames) -> None:
    """Learn from renders which changes of a code expressions make; without renders all changes count as theirs.

    Codes are taken for identity, light and all else as noise, plus expression weights times fixed effects. The change
    of the weights that best explains a change of code is found by least squares, its effect is what is kept. Photos
    differ where renders do not, and that is noise as well.
    """
    known = frames.expression.isfinite().all(1)
    if not known.any():
        return
    photos, frames = frames[frames.source != RENDERED], frames[known]
    for number, part in enumerate((diffusion.depth, diffusion.albedo)):
        weights, effects = _effects(frames, number)
        noise = (frames.data[:, number].float() - weights @ effects).T.cov()
        if len(photos.data):
            noise += PHOTOS_COUNT * photos.data[:, number].float().T.cov()
        noise = _ridged(noise)
        found = torch.linalg.solve(noise, effects.T)
        evidence = effects @ found + CAUTION * torch.linalg.inv(_ridged(weights.T.cov()))
        part.expressive.copy_(found @ torch.linalg.solve(evidence, effects))


def _effects(frames: Frames, number: int) -> tuple[Tensor, Tensor]:
    """Expression weights (N, 57) of frames that have them, and what each adds to code `number` of a person, (57, D)."""
    weights, codes = frames.expression.float(), frames.data[:, number].float()
    _, person = frames.person.unique(return_inverse=True)
    return weights, _regression(*(rows - person_means(rows, person)[person] for rows in (weights, codes)))


def _regression(known: Tensor, wanted: Tensor) -> Tensor:
    """(D, E) of least squares, a little ridged: known (N, D) @ it is near wanted (N, E)."""
    return torch.linalg.solve(_ridged(known.T @ known), known.T @ wanted)


def _ridged(matrix: Tensor) -> Tensor:
    return matrix + 1e-3 * matrix.diagonal().mean() * torch.eye(len(matrix))


def _spread(rows: Tensor) -> Tensor:
    """(D,) standard deviations; 1 for dimensions that never vary."""
    spread = rows.std(0)
    return spread.where(spread > 1e-3, 1.0)
