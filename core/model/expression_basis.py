"""What expressions do, as far as that is linear: how they show in the codes, and how they move the face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.config import DiffusionConfig
from core.geometry.landmark_warp import LANDMARKS, tps_warp
from core.types import CodePair


class Expressions(nn.Module):
    """Expression weights, read from changes of codes, and what they do.

    The weights are those of the rig that training knows (`training.fitting.subspaces`). A change of codes holds light, paint
    and background as well; what goes through the few weights is expression alone.
    """

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        weights, codes, size = config.expressions, 2 * config.code_size, config.image_size
        self.register_buffer("reader", torch.zeros(codes, weights))
        self.register_buffer("gain", torch.ones(weights))
        self.register_buffer("effects", torch.zeros(weights, codes))
        self.register_buffer("motion", torch.zeros(weights, 3, size, size))
        self.register_buffer("landmarks", torch.zeros(LANDMARKS, 2))

    @property
    def known(self) -> bool:
        """Whether training knew any: without renders it does not."""
        return bool(self.reader.any())

    def read(self, change: CodePair) -> Tensor:
        """Expression weights (B, 57) to be expected from changes of codes (B, 256) each: 1 is an expression at full
        strength that the face did not have. What is unsure is expected to be small."""
        return torch.cat([change.depth, change.albedo], 1) @ self.reader

    def changes(self, weights: Tensor) -> CodePair:
        """What expression weights (B, 57) add to the codes."""
        return CodePair(*(weights @ self.effects).chunk(2, 1))

    def part(self, change: CodePair) -> CodePair:
        """The part of changes of codes that expressions make."""
        return self.changes(self.read(change))

    def moves(self, weights: Tensor, landmarks: Tensor | None = None) -> Tensor:
        """How faces move whose expression weights (B, 57) were read: (B, 3, H, W) of the points at canonical pixels,
        canonical frame, camera-distance units. Here expressions have the size that they usually have.

        With `landmarks` (B, 478, 2) of the faces (core.geometry.landmark_warp) each brow and lip moves where it is, else where it is
        on the mean head.
        """
        motion = torch.einsum("bk,kcyx->bcyx", (weights * self.gain).clamp(-1, 1), self.motion)
        return motion if landmarks is None else tps_warp(motion, self.landmarks, landmarks)
