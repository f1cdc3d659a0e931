"""A small latent map with known answers."""

import numpy as np
import torch

from core.latent_map.map import KINDS, LatentMap
from core.types import CodePair, SplitCodes

COUNT = 40


def small_map() -> LatentMap:
    """Faces whose codes follow their places, each kind in its own way."""
    generator = torch.Generator().manual_seed(0)
    places = {kind: torch.rand(COUNT, 2, generator=generator) * 2 - 1 for kind in KINDS}
    spread = {kind: torch.randn(2, 512, generator=generator) for kind in KINDS}
    identity, expression = (CodePair(*(places[kind] @ spread[kind]).chunk(2, 1)) for kind in ("identity", "expression"))
    numbers = np.linspace(0, 1, COUNT, dtype=np.float32)
    numbers[3] = np.nan
    return LatentMap(np.array([f"face <{number}>" for number in range(COUNT)]), SplitCodes(identity, expression),
                     {kind: place.numpy() for kind, place in places.items()},
                     {"yaw": numbers, "source": np.array(["London", ""] * (COUNT // 2))},
                     [bytes([number]) * (number + 1) for number in range(COUNT)], "abc", "Somebody")
