"""What expressions do, as far as that is linear: how they show in the codes, and how they move the face."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from core.config import DiffusionConfig
from core.types import CodePart


class Expressions(nn.Module):
    """Expression weights, read from changes of codes, and what they do.

    The weights are those of the rig that training knows (`training.subspaces`). A change of codes holds light, paint
    and background as well; what goes through the few weights is expression alone.
    """

    def __init__(self, config: DiffusionConfig):
        super().__init__()
        weights, codes, size = config.expressions, 2 * config.code_size, config.image_size
        self.register_buffer("reader", torch.zeros(codes, weights))
        self.register_buffer("effects", torch.zeros(weights, codes))
        self.register_buffer("motion", torch.zeros(weights, 3, size, size))

    @property
    def known(self) -> bool:
        """Whether training knew any: without renders it does not."""
        return bool(self.reader.any())

    def read(self, change: CodePart) -> Tensor:
        """Expression weights (B, 57), within ± 1, of changes of codes (B, 256) each: 1 is an expression at full
        strength that the face did not have."""
        return (torch.cat([change.depth, change.albedo], 1) @ self.reader).clamp(-1, 1)

    def changes(self, weights: Tensor) -> CodePart:
        """What expression weights (B, 57) add to the codes."""
        return CodePart(*(weights @ self.effects).chunk(2, 1))

    def part(self, change: CodePart) -> CodePart:
        """The part of changes of codes that expressions make."""
        return self.changes(self.read(change))

    def moves(self, weights: Tensor) -> Tensor:
        """How expression weights (B, 57) move the points at canonical pixels: (B, 3, H, W), canonical frame,
        camera-distance units."""
        return torch.einsum("bk,kcyx->bcyx", weights, self.motion)
