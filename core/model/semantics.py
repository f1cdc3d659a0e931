"""Semantics: named amounts by which a face is edited.

Two families. Directions in the codes that were found without labels (training.fitting.semantics; Zheng et al., arXiv
2103.16605), of the identity or of the expression, in standard deviations of what is seen in data. And the rig's
expression weights (core.model.expression_basis), both sides of the face together, 1 is full strength.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import torch
from torch import Tensor, nn

from core.arguments import MAX_STRENGTH, check_number
from core.config import SemanticsConfig
from core.errors import ArgumentInvalid
from core.model.diffusion import Diffusion
from core.model.expression_basis import EXPRESSION_NAMES, ExpressionBasis
from core.types import CodePair

Part = Literal["identity", "expression"]
Unit = Literal["sigma", "weight"]

EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "smile": ("mouthSmile",), "frown": ("mouthFrown",), "jaw open": ("jawOpen",), "lips closed": ("mouthClose",),
    "pucker": ("mouthPucker",), "funnel": ("mouthFunnel",), "lips pressed": ("mouthPress",),
    "lips stretched": ("mouthStretch",), "dimples": ("mouthDimple",), "upper lip up": ("mouthUpperUp",),
    "lower lip down": ("mouthLowerDown",), "upper lip rolled": ("mouthRollUpper",),
    "lower lip rolled": ("mouthRollLower",), "upper lip shrug": ("mouthShrugUpper",),
    "lower lip shrug": ("mouthShrugLower",), "mouth left": ("mouthLeft",), "mouth right": ("mouthRight",),
    "jaw forward": ("jawForward",), "jaw left": ("jawLeft",), "jaw right": ("jawRight",),
    "brows up": ("browInnerUp", "browOuterUp"), "inner brows up": ("browInnerUp",), "outer brows up": ("browOuterUp",),
    "brows down": ("browDown",), "blink": ("eyeBlink",), "squint": ("eyeSquint",), "eyes wide": ("eyeWide",),
    "cheeks puffed": ("cheekPuff",), "cheeks up": ("cheekRaiser",), "cheeks squint": ("cheekSquint",),
    "nose wrinkled": ("noseSneer",)}
"""Names of the expression weights, and the rig's names for them without the side."""
MAX_SIGMA = 5.0
"""Largest amount of a found direction, either way."""
NEAREST = 3
"""Names that an error suggests."""


@dataclass(frozen=True, eq=False)
class Semantic:
    """One way in which a face can be edited by name."""

    name: str
    part: Part
    """What of the face it changes."""
    unit: Unit
    """"sigma": a direction found without labels, in standard deviations; "weight": an expression weight, added to the
    face's own."""
    influence: Tensor
    """(H, W) in [0, 1], canonical frame: where it changes the face."""
    range: tuple[float, float]
    """Lowest and highest amount seen in data (1st and 99th percentile); 0 to 1 for weights."""

    @property
    def limit(self) -> float:
        """Largest amount that `edit` accepts, either way."""
        return MAX_SIGMA if self.unit == "sigma" else MAX_STRENGTH


class SemanticBasis(nn.Module):
    """The found directions of one autoencoder."""

    directions: Tensor
    """(K, codes) change of the [depth, albedo] codes by one sigma."""
    influence: Tensor
    """(K, H, W) in [0, 1]."""
    ranges: Tensor
    """(K, 2) 1st and 99th percentile of the data, sigma."""

    def __init__(self, config: SemanticsConfig):
        super().__init__()
        self.config = config
        count, size = len(config.names), config.image_size
        self.register_buffer("directions", torch.zeros(count, config.code_size + config.albedo_code_size))
        self.register_buffer("influence", torch.zeros(count, size, size))
        self.register_buffer("ranges", torch.zeros(count, 2))

    def list(self) -> list[Semantic]:
        """The directions by name, in the order of the file."""
        return [Semantic(name, part, "sigma", self.influence[k], (self.ranges[k, 0].item(), self.ranges[k, 1].item()))
                for k, (name, part) in enumerate(zip(self.config.names, self.config.parts, strict=True))]

    def amounts(self, codes: CodePair) -> Tensor:
        """How much of each direction codes of B faces hold, (B, K) in sigma, up to a constant of each direction."""
        return codes.rows @ torch.linalg.pinv(self.directions)

    def code_change(self, amounts: Mapping[str, float], part: Part) -> CodePair:
        """Change (one row each) of the codes by those of the amounts, in sigma, that are of a part."""
        rows = [amounts.get(name, 0.0) if own == part else 0.0
                for name, own in zip(self.config.names, self.config.parts, strict=True)]
        return CodePair.of_rows(self.directions.new_tensor(rows)[None] @ self.directions, self.config.code_size)


def expression_semantics(basis: ExpressionBasis) -> list[Semantic]:
    """The family of expression weights."""
    found = []
    for name in EXPRESSIONS:
        motion = torch.einsum("k,kcyx->cyx", expression_weights({name: 1.0}).to(basis.gain)[0], basis.displacement)
        influence = motion.norm(dim=0)
        found.append(Semantic(name, "expression", "weight", influence / influence.max().clamp(min=1e-9), (0.0, 1.0)))
    return found


def expression_weights(amounts: Mapping[str, float]) -> Tensor:
    """Weights (1, 57) of the rig's expressions, of amounts by the names of `EXPRESSIONS`; other names count nothing."""
    weights = torch.zeros(1, len(EXPRESSION_NAMES))
    for name in amounts.keys() & EXPRESSIONS.keys():
        for index, expression in enumerate(EXPRESSION_NAMES):
            if expression.removesuffix("_L").removesuffix("_R") in EXPRESSIONS[name]:
                weights[0, index] += amounts[name]
    return weights


def check_amounts(amounts: Mapping[str, float], semantics: Sequence[Semantic]) -> dict[str, float]:
    """Amounts by name, each within its semantic's limit.

    Raises:
        ArgumentInvalid: not a mapping, an unknown name (the nearest ones are named), or an amount beyond the limit.
    """
    if not isinstance(amounts, Mapping):
        raise ArgumentInvalid(f"amounts must be a mapping of names to numbers, got {type(amounts).__name__}.")
    known = {one.name: one for one in semantics}
    for name in amounts:
        if name not in known:
            near = get_close_matches(str(name).lower(), known, NEAREST, 0) or ["none: this model has no semantics"]
            raise ArgumentInvalid(f"There is no semantic {name!r}. The nearest: {', '.join(near)}.")
    return {name: check_number(f"amount of {name!r}", amount, -known[name].limit, known[name].limit)
            for name, amount in amounts.items()}


def code_changes(amounts: Mapping[str, float], found: SemanticBasis, basis: ExpressionBasis | None,
                 locked_identity: Diffusion | None) -> tuple[CodePair, CodePair, Tensor]:
    """Changes of codes by checked amounts.

    Args:
        amounts: of found directions and of expressions.
        found: the directions.
        basis: of the expressions, where there is one.
        locked_identity: whose identity coordinates the expression leaves as they are; None: it may change them.

    Returns:
        Changes (one row each) by identity and by expression, and what the latter is as predicted weights (1, 57).
    """
    identity, expression = found.code_change(amounts, "identity"), found.code_change(amounts, "expression")
    weights = expression_weights(amounts).to(expression.depth)
    if basis:
        change = basis.code_change(weights)
        weights = basis.predict(expression) * basis.photo_motion + weights / basis.gain
        expression = expression + change
    if locked_identity:
        expression = leave_identity(expression, locked_identity.depth.basis, locked_identity.albedo.basis)
    return identity, expression, weights


def leave_identity(change: CodePair, depth: Tensor, albedo: Tensor) -> CodePair:
    """The part of a change of codes that leaves the identity coordinates as they are.

    Args:
        change: of B faces.
        depth: (code_size, identity_size) basis of the depth code's identity coordinates (core.model.diffusion).
        albedo: the same of the albedo code.
    """
    def outside(rows: Tensor, basis: Tensor) -> Tensor:
        return rows - rows @ basis @ torch.linalg.pinv(basis)

    return CodePair(outside(change.depth, depth), outside(change.albedo, albedo))
