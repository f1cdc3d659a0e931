"""Coordinates of codes in which pictures of one person scatter equally in all directions (within-class whitening, as in
linear discriminant analysis): what differs between people then counts, what light, view and expression do does not.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.model.autoencoder import Autoencoder
from training.data.code_frames import Frames, person_means

RIDGE = 0.03
"""Least scatter of a direction, as a part of the mean one: directions that hardly vary are not blown up."""
CONSTANT = 1e-6
"""Scatter of a code that is the same for all pictures, as after the first minutes of a training."""
DEAD = 0.2
"""Directions that vary less than this, where others vary by 1 within people, are left out: units of the encoder that
hardly ever answer, and then with numbers that no classifier has met."""


def whiten(autoencoder: Autoencoder, frames: Frames) -> Frames:
    """Give an autoencoder the whitened basis of some codes.

    Args:
        autoencoder: its bases are set.
        frames: codes that it gave, several of each person.

    Returns:
        The frames with whitened codes.
    """
    parts = []
    for number, basis in enumerate((autoencoder.depth_basis, autoencoder.albedo_basis)):
        raw = basis.decode(frames.data[:, number])
        basis.set(raw.mean(0), within_person_basis(raw, frames.person))
        parts.append(basis(raw))
    return replace(frames, data=torch.stack(parts, 1).half())


def within_person_basis(codes: Tensor, person: Tensor) -> Tensor:
    """(D, D) `discriminant_basis` of codes (N, D) of people (N,); columns of dead directions are zero."""
    basis = discriminant_basis(*scatter(codes, person))
    return basis * ((codes @ basis).std(0) > DEAD)


def scatter(codes: Tensor, person: Tensor) -> tuple[Tensor, Tensor]:
    """Covariances (D, D) of codes (N, D) about the means of their people (N,), and of these means."""
    _, person = person.unique(return_inverse=True)
    means = person_means(codes, person)
    return (codes - means[person]).T.cov(), means.T.cov()


def discriminant_basis(within: Tensor, between: Tensor) -> Tensor:
    """(D, D) basis in which scatter `within` becomes the unit matrix, up to `RIDGE`, and scatter `between` diagonal,
    largest first."""
    within = within + (RIDGE * within.diagonal().mean() + CONSTANT) * torch.eye(len(within))
    whitening = torch.linalg.inv(torch.linalg.cholesky(within)).T
    _, directions = torch.linalg.eigh(whitening.T @ between @ whitening)
    return whitening @ directions.flip(1)
