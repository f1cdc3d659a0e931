"""Coordinates of codes in which pictures of one person scatter equally in all directions (within-class whitening, as in
linear discriminant analysis): what differs between people then counts, what light, view and expression do does not.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from core.autoencoder import Autoencoder
from training.sequences import Frames, person_means

RIDGE = 0.03
"""Least scatter of a direction, as a part of the mean one: directions that hardly vary are not blown up."""
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
        raw = basis.back(frames.data[:, number])
        basis.set(raw.mean(0), within_person_basis(raw, frames.person))
        parts.append(basis(raw))
    return replace(frames, data=torch.stack(parts, 1).half())


def within_person_basis(codes: Tensor, person: Tensor) -> Tensor:
    """(D, D) basis of codes (N, D) of people (N,): scatter within people becomes the unit matrix, up to `RIDGE`, and
    directions come in order of the scatter between people, largest first. Columns of dead directions are zero.
    """
    _, person = person.unique(return_inverse=True)
    means = person_means(codes, person)
    within = (codes - means[person]).T.cov()
    within += RIDGE * within.diagonal().mean() * torch.eye(len(within))
    whitening = torch.linalg.inv(torch.linalg.cholesky(within)).T
    _, directions = torch.linalg.eigh(whitening.T @ means.T.cov() @ whitening)
    basis = whitening @ directions.flip(1)
    return basis * ((codes @ basis).std(0) > DEAD)
