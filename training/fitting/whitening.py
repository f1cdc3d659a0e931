"""Whitened coordinates of codes (within-class whitening, as in linear discriminant analysis).

In them, codes of one person scatter equally in all directions. So distances measure differences
between people more than changes of light, view and expression.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.model.autoencoder import Autoencoder
from training.data.code_frames import Frames, person_means

RIDGE = 0.03
"""Added to the scatter of every direction, relative to the mean scatter: directions that hardly vary stay small."""
MIN_SCATTER = 1e-6
"""Added to the scatter of every direction: codes may be constant, as after the first minutes of a training."""
DEAD = 0.2
"""Directions with a smaller standard deviation are set to zero; others have 1 within people. They belong to units of
the encoder that are rarely active, whose values no classifier has seen."""


def whiten(autoencoder: Autoencoder, frames: Frames) -> Frames:
    """Give an autoencoder the whitened basis of some codes.

    Args:
        autoencoder: its bases are set.
        frames: codes that it gave, several of each person.

    Returns:
        The frames with whitened codes.
    """
    parts, bases = [], autoencoder.code_bases
    for basis, rows in zip(bases, frames.data.split([len(basis.mean) for basis in bases], 1), strict=True):
        raw = basis.decode(rows)
        basis.set_basis(raw.mean(0), within_person_basis(raw, frames.person))
        parts.append(basis(raw))
    return replace(frames, data=torch.cat(parts, 1).half())


def within_person_basis(codes: Tensor, person: Tensor) -> Tensor:
    """(D, D) `discriminant_basis` of codes (N, D) of people (N,); columns of dead directions are zero."""
    basis = discriminant_basis(*scatter(codes, person))
    return basis * ((codes @ basis).std(0) > DEAD)


def scatter(codes: Tensor, person: Tensor) -> tuple[Tensor, Tensor]:
    """Covariances (D, D) within and between people, of codes (N, D) and their people (N,)."""
    _, person = person.unique(return_inverse=True)
    means = person_means(codes, person)
    return (codes - means[person]).T.cov(), means.T.cov()


def discriminant_basis(within: Tensor, between: Tensor) -> Tensor:
    """(D, D) basis in which `within` becomes the unit matrix, up to `RIDGE`, and `between` diagonal, largest first.

    Args:
        within: (D, D) covariance within people.
        between: (D, D) covariance between people.
    """
    within = within + (RIDGE * within.diagonal().mean() + MIN_SCATTER) * torch.eye(len(within))
    whitening = torch.linalg.inv(torch.linalg.cholesky(within)).T
    _, directions = torch.linalg.eigh(whitening.T @ between @ whitening)
    return whitening @ directions.flip(1)
