"""Where identity lies in codes, and what expressions do to them, found from made-up codes whose parts are known."""

import pytest
import torch

from core.config import DiffusionConfig
from core.model.diffusion import Diffusion
from core.types import CodePair
from tests.training.frames import rendered_codes
from training.fitting.subspaces import set_expressions, set_identity
from training.train_diffusion import time_invariant

PEOPLE, EACH = 100, 10


@pytest.fixture
def diffusion():
    return Diffusion(DiffusionConfig(identity_size=24, width=32, blocks=1)).requires_grad_(False)


@pytest.fixture(scope="module")
def made():
    """Frames, and the parts their codes are the sum of: identity, light and the effects of two expressions, in
    dimensions that overlap."""
    generator = torch.Generator().manual_seed(0)
    count, person = PEOPLE * EACH, torch.arange(PEOPLE).repeat_interleave(EACH)
    expression = torch.zeros(count, 57)
    expression[:, :2] = torch.rand(count, 2, generator=generator)
    effects = torch.randn(57, 2, 256, generator=generator)
    ways = torch.randn(2, 8, 2, 256, generator=generator)  # directions of identity and of light
    amounts = torch.randn(PEOPLE, 8, generator=generator)[person], torch.randn(count, 8, generator=generator)
    identity, light = (torch.einsum("nk,kcd->ncd", *pair) for pair in zip(amounts, ways, strict=True))
    expressed = torch.einsum("ne,ecd->ncd", expression, effects)
    frames = rendered_codes(identity + light + expressed, person, torch.arange(count))
    frames.expression[:] = expression
    return frames, identity, light, expressed


def test_identity_is_seen_past_light_and_expression(made, diffusion):
    frames, identity, light, expressed = made
    set_identity(diffusion, frames, time_invariant(frames))
    for number, part in enumerate((diffusion.depth, diffusion.albedo)):
        who, lit, moved = (((rows[:, number] - rows[:, number].mean(0)) @ part.basis @ part.linear).norm()
                           for rows in (identity, light, expressed))
        assert lit < 0.2 * who and moved < 0.2 * who
        guess = part.restore(torch.zeros(len(frames.data), 24), part.coordinates(frames.data[:, number]))
        # Relative to what frames hold beside identity; its mean over frames, that of expressions too, is in every code.
        missed = guess - guess.mean(0) - identity[:, number] + identity[:, number].mean(0)
        assert missed.norm() < 0.3 * (light + expressed)[:, number].norm()


def test_of_a_change_only_what_expressions_do_is_kept(made, diffusion):
    frames, _, light, expressed = made
    motion, landmarks = torch.rand(57, 3, 64, 64), torch.rand(478, 2)
    set_expressions(diffusion, rendered_codes(frames.data, frames.person, frames.take), motion, landmarks)
    assert not diffusion.expressions.known
    set_expressions(diffusion, frames, motion, landmarks)
    found, change = diffusion.expressions, CodePair(*(expressed + light)[0].split(1))
    assert found.known
    torch.testing.assert_close(found.read(change)[0, :2], frames.expression[0, :2], atol=0.1, rtol=0)
    wanted, part = expressed[0], found.part(change)
    kept = torch.cat([part.depth, part.albedo])
    assert (kept - wanted).norm() < 0.25 * light[0].norm() and (kept - wanted).norm() < 0.5 * wanted.norm()
    first = torch.eye(57)[:1]
    assert torch.equal(found.moves(first), motion[:1]) and torch.equal(found.landmarks, landmarks)
