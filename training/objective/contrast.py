"""Identity as a contrast: linear heads on the codes by which two pictures of one face find each other."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.types import Codes
from training.objective.losses import from_all_processes

NOBODY = -1
"""Person of pictures that are alone with their pair."""


class IdentityContrast(nn.Module):
    """InfoNCE (van den Oord et al. 2018) of pairs against a memory of earlier pictures (Wang et al. 2020, XBM).

    Codes themselves may keep all that the decoders want of them, light and expression included: only what the linear
    heads read has to stay. Each code has its own head, or paint would tell people apart and shape need not.

    Args:
        code_size: of each code.
        size: numbers that a head reads.
        memory: earlier pictures kept; directions at random until there were so many.
        temperature: of the softmax.
    """

    def __init__(self, code_size: int, size: int = 64, memory: int = 4096, temperature: float = 0.1):
        super().__init__()
        self.temperature = temperature
        self.heads = nn.ModuleList(nn.Linear(code_size, size) for _ in range(2))
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("memory", F.normalize(torch.randn(memory, 2, size, generator=generator), dim=-1))
        self.register_buffer("people", torch.full((memory,), NOBODY))

    def forward(self, codes: Codes, person: Tensor) -> Tensor:
        """Mean loss over pictures and codes.

        Args:
            codes: of pairs: the second half shows the faces of the first half, in the same order.
            person: (B,) who it is, or `NOBODY`: a person in the memory does not count against himself.

        Returns:
            Scalar.
        """
        found = torch.stack([F.normalize(head(code), dim=-1)
                             for head, code in zip(self.heads, (codes.depth_code, codes.albedo_code), strict=True)], 1)
        same = (found * found.roll(len(found) // 2, 0)).sum(-1)
        others = torch.einsum("bce,mce->bcm", found, self.memory)
        known = (person[:, None] == self.people) & (person != NOBODY)[:, None]
        scores = torch.cat([same[..., None], others.masked_fill(known[:, None], -torch.inf)], -1) / self.temperature
        if self.training:
            self._remember(from_all_processes(found.detach()), from_all_processes(person))
        return F.cross_entropy(scores.flatten(0, 1), person.new_zeros(same.numel()))

    def _remember(self, found: Tensor, person: Tensor) -> None:
        self.memory = torch.cat([found, self.memory])[:len(self.memory)]
        self.people = torch.cat([person, self.people])[:len(self.people)]
