"""One identity for several photos, and which of them disagree."""

import pytest
import torch

from core.config import DiffusionConfig
from core.model.diffusion import Diffusion
from core.model.shared_identity import agreeing, coordinates, shared_identity
from core.types import Codes


@pytest.fixture(scope="module")
def diffusion():
    """A model whose identity is nearly the code itself."""
    torch.manual_seed(0)
    model = Diffusion(DiffusionConfig()).eval().requires_grad_(False)
    for part in (model.depth, model.albedo):
        part.linear.copy_(torch.eye(len(part.linear)))
        part.scale.fill_(1e-3)
    return model


def codes_of(*centres):
    rows = torch.stack([torch.full((256,), float(centre)) for centre in centres])
    return Codes(rows + 0.01 * torch.randn(rows.shape), rows)


def test_a_photo_of_somebody_else_is_named_and_does_not_count(diffusion):
    shared = shared_identity(diffusion, codes_of(1, 1, 1, 1, 4))
    assert shared.agrees.tolist() == [True, True, True, True, False]
    assert coordinates(diffusion, shared.codes).mean().item() == pytest.approx(1, abs=0.02)
    assert shared.spread < 0.1 < shared.distance[-1]


def test_one_photo_gives_its_own_identity(diffusion):
    codes = codes_of(2)
    shared = shared_identity(diffusion, codes)
    assert torch.equal(shared.codes.depth, diffusion.identity(codes).depth)
    assert shared.spread == 0 and shared.agrees.tolist() == [True]


def test_small_differences_are_no_disagreement():
    assert agreeing(torch.tensor([0.01, 0.01, 0.29])).all()
    assert agreeing(torch.tensor([0.4, 0.5, 0.6])).all()
