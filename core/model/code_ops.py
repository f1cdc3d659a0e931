"""Arithmetic of codes: whose face with whose expression (paper section 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from core.types import CodePair, Codes

What = Literal["identity", "expression", "code"]


def swap(identity_from: Codes, expression_from: Codes, depth: float = 1.0, albedo: float = 1.0,
         expressive: Callable[[CodePair], CodePair] | None = None) -> Codes:
    """The face of one with the expression of the other.

    Args:
        identity_from: B codes, or one for all.
        expression_from: B codes, or one for all.
        depth: how much of the expression's shape goes over: 0 keeps the first face's own, 1 is the other's, more
            exaggerates.
        albedo: the same for its paint.
        expressive: keeps of a change what expressions make, and is given the change of the whole code, since a part of
            a smile is taken for identity; by default the expression goes over as it is, light and background with it,
            as in the paper.
    """
    change = (expressive(expression_from.whole - identity_from.whole) if expressive
              else expression_from.expression - identity_from.expression)
    part = CodePair(change.depth * depth, change.albedo * albedo)
    return Codes.of(identity_from.identity, identity_from.expression + part)


def interpolate(a: Codes, b: Codes, t: float, what: What = "code",
                expressive: Callable[[CodePair], CodePair] | None = None) -> Codes:
    """Codes on the straight way from `a` (t = 0) to `b` (t = 1); what is not named stays that of `a`.

    The way of the expression ends where `swap` does; `expressive` is as there.
    """
    if what == "expression":
        return swap(a, b, t, t, expressive)

    def between(first: CodePair, second: CodePair) -> CodePair:
        return CodePair(first.depth.lerp(second.depth, t), first.albedo.lerp(second.albedo, t))

    return Codes.of(between(a.identity, b.identity), between(a.expression, b.expression) if what == "code"
                    else a.expression)


def neutral(codes: Codes) -> Codes:
    """The identity alone."""
    return Codes.of(codes.identity, codes.identity - codes.identity)
