"""Identity coordinates and expression basis, fitted to synthetic codes whose parts are known."""

import pytest
import torch

from core.config import DiffusionConfig
from core.model.diffusion import Diffusion
from core.types import CodePair
from tests.training.frames import rendered_codes
from training.data.batches import time_invariant
from training.fitting.subspaces import fit_expressions, fit_identity

PEOPLE, EACH = 100, 10


@pytest.fixture
def diffusion():
    return Diffusion(DiffusionConfig(identity_size=24, width=32, blocks=1)).requires_grad_(False)


@pytest.fixture(scope="module")
def made():
    """Frames, and the parts whose sum their codes are: identity, light and the effects of two expressions, in
    directions that overlap."""
    generator = torch.Generator().manual_seed(0)
    count, person = PEOPLE * EACH, torch.arange(PEOPLE).repeat_interleave(EACH)
    expression = torch.zeros(count, 57)
    expression[:, :2] = torch.rand(count, 2, generator=generator)
    effects = torch.randn(57, 2, 256, generator=generator)
    ways = torch.randn(2, 8, 2, 256, generator=generator)  # directions of identity and of light
    amounts = torch.randn(PEOPLE, 8, generator=generator)[person], torch.randn(count, 8, generator=generator)
    identity, light = (torch.einsum("nk,kcd->ncd", *pair) for pair in zip(amounts, ways, strict=True))
    expressed = torch.einsum("ne,ecd->ncd", expression, effects)
    frames = rendered_codes((identity + light + expressed).flatten(1), person, torch.arange(count))
    frames.expression[:] = expression
    return frames, identity, light, expressed


def test_identity_coordinates_ignore_light_and_expression(made, diffusion):
    frames, identity, light, expressed = made
    fit_identity(diffusion, frames, time_invariant(frames))
    for number, part in enumerate((diffusion.depth, diffusion.albedo)):
        who, lit, moved = (((rows[:, number] - rows[:, number].mean(0)) @ part.basis @ part.linear).norm()
                           for rows in (identity, light, expressed))
        assert lit < 0.2 * who and moved < 0.2 * who
        guess = part.restore(torch.zeros(len(frames.data), 24), part.coordinates(frames.data.chunk(2, 1)[number]))
        # Relative to what frames hold beside identity; its mean over frames, that of expressions too, is in every code.
        missed = guess - guess.mean(0) - identity[:, number] + identity[:, number].mean(0)
        assert missed.norm() < 0.3 * (light + expressed)[:, number].norm()


def test_expression_basis_predicts_weights_and_projects_out_the_rest(made, diffusion):
    frames, _, light, expressed = made
    displacement, landmarks = torch.rand(57, 3, 64, 64), torch.rand(478, 2)
    fit_expressions(diffusion, rendered_codes(frames.data, frames.person, frames.photo_id), displacement, landmarks)
    assert not diffusion.expression_basis.is_fitted
    fit_expressions(diffusion, frames, displacement, landmarks)
    basis, change = diffusion.expression_basis, CodePair(*(expressed + light)[0].split(1))
    assert basis.is_fitted
    torch.testing.assert_close(basis.predict(change)[0, :2], frames.expression[0, :2], atol=0.1, rtol=0)
    wanted, projected = expressed[0], basis.project(change)
    kept = torch.cat([projected.depth, projected.albedo])
    assert (kept - wanted).norm() < 0.25 * light[0].norm() and (kept - wanted).norm() < 0.5 * wanted.norm()
    first = torch.eye(57)[:1]
    assert torch.equal(basis.displace(first), displacement[:1]) and torch.equal(basis.landmarks, landmarks)
