"""The identity contrast: linear heads on the codes, trained to agree on two images of one face."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.types import Codes
from training.objective.losses import gather_from_processes

NOBODY = -1
"""Person number of images whose person is in no other pair."""


class IdentityContrast(nn.Module):
    """InfoNCE (van den Oord et al. 2018) of pairs against a memory of earlier images (Wang et al. 2020, XBM).

    Only the outputs of the linear heads must agree between images of a face: the codes may keep light, expression and
    all else that the decoders need. Each code has its own head; otherwise the albedo code alone could
    distinguish people, and the depth code would not have to.

    Args:
        depth_size, albedo_size: length of each code.
        size: length of a head's output.
        memory: number of earlier images kept; random directions fill it at first.
        temperature: of the softmax.
    """

    memory: Tensor
    """(M, 2, size) normalized head outputs of earlier images."""
    people: Tensor
    """(M,) their people."""

    def __init__(self, depth_size: int, albedo_size: int, size: int = 64, memory: int = 4096, temperature: float = 0.1):
        super().__init__()
        self.temperature = temperature
        self.heads = nn.ModuleList(nn.Linear(numbers, size) for numbers in (depth_size, albedo_size))
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("memory", F.normalize(torch.randn(memory, 2, size, generator=generator), dim=-1))
        self.register_buffer("people", torch.full((memory,), NOBODY))

    def forward(self, codes: Codes, person: Tensor) -> Tensor:
        """Mean loss over images and codes, a scalar. In training mode, the images enter the memory.

        Args:
            codes: of pairs: the second half shows the faces of the first half, in the same order.
            person: (B,) person numbers, or `NOBODY`. Images of the same person in the memory are no negatives.
        """
        outputs = torch.stack([F.normalize(head(code), dim=-1)
                               for head, code in zip(self.heads, (codes.depth_code, codes.albedo_code), strict=True)],
                              1)
        positive = (outputs * outputs.roll(len(outputs) // 2, 0)).sum(-1)
        negatives = torch.einsum("bce,mce->bcm", outputs, self.memory)
        same = (person[:, None] == self.people) & (person != NOBODY)[:, None]
        scores = torch.cat([positive[..., None], negatives.masked_fill(same[:, None], -torch.inf)], -1)
        if self.training:
            self._remember(gather_from_processes(outputs.detach()), gather_from_processes(person))
        return F.cross_entropy((scores / self.temperature).flatten(0, 1), person.new_zeros(positive.numel()))

    def _remember(self, outputs: Tensor, person: Tensor) -> None:
        self.memory = torch.cat([outputs, self.memory])[:len(self.memory)]
        self.people = torch.cat([person, self.people])[:len(self.people)]
