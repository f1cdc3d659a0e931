"""One identity for several photos of a person, or for the frames of a film: the time-invariant code (section 3.2)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from core.model.diffusion import SEED, Diffusion
from core.types import CodePair, Codes

DISAGREE, TIMES_MEDIAN = 0.3, 2.5
"""A photo disagrees where its distance from the shared identity exceeds the first, and the median of all the photos'
distances this many times."""


@dataclass(frozen=True)
class SharedIdentity:
    """The identity that N photos share, and how far each is from it.

    Distances are root mean squares over identity coordinates (core.model.diffusion): about 0.16 for photos of the
    person, 0.32 for photos of others.
    """

    codes: CodePair
    """(1, 256) each."""
    distance: Tensor
    """(N,) of the identity of each photo alone."""

    @property
    def agrees(self) -> Tensor:
        """(N,) bool: the photo seems to show the person; only such photos count for `codes`."""
        return agreeing(self.distance)

    @property
    def spread(self) -> float:
        """Root mean square of the distances of the photos that agree."""
        return self.distance[self.agrees].square().mean().sqrt().item()


def shared_identity(diffusion: Diffusion, codes: Codes, seed: int = SEED) -> SharedIdentity:
    """The mean of N photos in code space, refined by the diffusion model.

    Photos far from the median of all are left out of the mean: one of somebody else would spoil it.

    Args:
        diffusion: samples time-invariant codes.
        codes: of N photos.
        seed: of the noise.
    """
    alone = coordinates(diffusion, diffusion.identity(codes, seed))
    near = agreeing(_distance(alone, alone.median(0, keepdim=True).values))
    shared = diffusion.identity(codes[near].apply(lambda rows: rows.mean(0, keepdim=True)), seed)
    return SharedIdentity(shared, _distance(alone, coordinates(diffusion, shared)))


def agreeing(distance: Tensor) -> Tensor:
    """(N,) bool, which of N distances from a common centre are near enough for one person; at least half are."""
    return distance <= max(DISAGREE, TIMES_MEDIAN * distance.median().item())


def coordinates(diffusion: Diffusion, codes: CodePair) -> Tensor:
    """Identity coordinates (B, 2 · identity_size) of codes of B faces, depth first."""
    return torch.cat([diffusion.depth.coordinates(codes.depth), diffusion.albedo.coordinates(codes.albedo)], 1)


def _distance(rows: Tensor, centre: Tensor) -> Tensor:
    return (rows - centre).square().mean(1).sqrt()
