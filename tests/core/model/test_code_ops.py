"""Arithmetic of codes: swap, interpolate, neutral."""

import pytest
import torch

from core.model.code_ops import interpolate, select, swap, swap_parts
from core.types import CodePair, Codes, SplitCodes


def split_codes(count, seed):
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(4, count, 8, generator=generator)
    return SplitCodes(CodePair(*parts[:2]), CodePair(*parts[2:]))


@pytest.fixture
def a():
    return split_codes(2, seed=1)


@pytest.fixture
def b():
    return split_codes(2, seed=2)


def assert_same(one, other):
    for mine, theirs in zip(one.tensors(), other.tensors(), strict=True):
        torch.testing.assert_close(mine, theirs)


def test_swap_takes_identity_of_one_and_expression_of_the_other(a, b):
    assert_same(swap_parts(a, b).pair, a.identity + b.expression)


def test_strengths_of_depth_and_albedo_are_independent(a, b):
    swapped = swap_parts(a, b, depth=0.0, albedo=1.5)
    torch.testing.assert_close(swapped.depth_code, a.codes.depth_code)
    change = b.expression.albedo - a.expression.albedo
    torch.testing.assert_close(swapped.albedo_code, a.codes.albedo_code + 1.5 * change)


def test_one_face_swaps_with_many(a, b):
    assert_same(swap_parts(a[0], b)[1].pair, a[0].identity + b[1].expression)


def test_a_projected_swap_adds_only_what_the_projection_keeps(a, b):
    swapped = swap(a.codes, b.codes, 0.5, 1.0, project=lambda change: change.scale(0.1, 0.2))
    change = b.codes.pair - a.codes.pair
    assert_same(swapped.pair, a.codes.pair + change.scale(0.05, 0.2))


@pytest.mark.parametrize("what", ["identity", "code"])
def test_interpolation_moves_what_is_named(a, b, what):
    half = interpolate(a, b, 0.5, what).pair
    middle = (a.identity + b.identity).scale(0.5, 0.5)
    expression = (a.expression + b.expression).scale(0.5, 0.5) if what == "code" else a.expression
    assert_same(half, middle + expression)
    assert_same(interpolate(a, b, 0.0, what), a.codes)


def test_a_part_is_selected_by_its_kind(a):
    assert select(a, "identity") == a.identity and select(a, "expression") == a.expression
    assert_same(select(a, "code"), a.identity + a.expression)
    assert select(a.codes, "code") == a.codes.pair
    with pytest.raises(TypeError, match="SplitCodes"):
        select(a.codes, "identity")


def test_parts_survive_selecting_and_concatenating(a, b):
    assert SplitCodes.cat([a, b])[3] == b[1]
    assert isinstance(Codes.cat([a.codes, b.codes]), Codes)
