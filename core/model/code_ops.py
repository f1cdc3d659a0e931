"""Arithmetic of latent codes: swap, interpolate, neutral (paper section 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from core.types import CodePair, Codes, SplitCodes

Kind = Literal["identity", "expression", "code"]
KINDS: tuple[Kind, ...] = ("identity", "expression", "code")


def select(codes: Codes | SplitCodes, kind: Kind) -> CodePair:
    """The identity part, the expression part, or both codes as they are; only "code" of codes that are not split."""
    if kind == "code":
        return (codes.codes if isinstance(codes, SplitCodes) else codes).pair
    if not isinstance(codes, SplitCodes):
        raise TypeError(f"the {kind} part needs SplitCodes")
    return codes.identity if kind == "identity" else codes.expression


def swap(identity_from: Codes, expression_from: Codes, depth: float = 1.0, albedo: float = 1.0, *,
         project: Callable[[CodePair], CodePair]) -> Codes:
    """The codes of one face with the expression of another.

    Args:
        identity_from: B codes, or one for all.
        expression_from: B codes, or one for all.
        depth: strength of the change of shape: 0 keeps the first face's expression, 1 takes the other's.
        albedo: strength of the change of albedo.
        project: keeps the part of a change of codes that is due to expressions (ExpressionBasis.project). It gets the
            change of the whole code, since a part of a smile is found in the identity.
    """
    change = project(expression_from.pair - identity_from.pair)
    return Codes.of(identity_from.pair + change.scale(depth, albedo))


def swap_parts(identity_from: SplitCodes, expression_from: SplitCodes, depth: float = 1.0,
               albedo: float = 1.0) -> Codes:
    """The paper's swap: identity of one + expression of the other; light and background go with it. See `swap`."""
    change = expression_from.expression - identity_from.expression
    return Codes.of(identity_from.codes.pair + change.scale(depth, albedo))


def interpolate(a: SplitCodes, b: SplitCodes, t: float, kind: Literal["identity", "code"]) -> Codes:
    """Codes on the straight line from `a` (t = 0) to `b` (t = 1); the part that is not named stays that of `a`."""
    def between(first: CodePair, second: CodePair) -> CodePair:
        return CodePair(first.depth.lerp(second.depth, t), first.albedo.lerp(second.albedo, t))

    expression = between(a.expression, b.expression) if kind == "code" else a.expression
    return Codes.of(between(a.identity, b.identity) + expression)
