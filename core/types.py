"""The few structures that travel between the parts of LatentFace.

Shapes use B for the batch and H, W for the model's image size. Angles are radians here and degrees in the interface.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import WeightsMissing


class TensorDataclass:
    """Base of dataclasses whose fields are batched tensors, or such dataclasses.

    They behave like a list of B entries: `len`, iteration and indexing give structures of the same type; an integer
    index keeps a batch of one. `==` is true where all tensors are equal.
    """

    def apply(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply `function` to every tensor and return the same structure."""
        def change(value):
            if isinstance(value, TensorDataclass):
                return value.apply(function)
            return function(value) if isinstance(value, Tensor) else value

        return type(self)(*(change(getattr(self, entry.name)) for entry in fields(self)))  # type: ignore[arg-type]

    def tensors(self) -> Iterator[Tensor]:
        """Every tensor, in the order of the fields."""
        for entry in fields(self):  # type: ignore[arg-type]
            value = getattr(self, entry.name)
            if isinstance(value, TensorDataclass):
                yield from value.tensors()
            elif isinstance(value, Tensor):
                yield value

    def __len__(self) -> int:
        return len(next(self.tensors()))

    def __iter__(self) -> Iterator[Self]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: Any) -> Self:
        """Select along the batch.

        Raises:
            IndexError: an integer outside −B … B − 1.
        """
        if hasattr(index, "__index__") and not isinstance(index, Tensor | bool):
            index, count = operator.index(index), len(self)
            if not -count <= index < count:
                raise IndexError(f"index {index} is out of range: there are {count}")
            index = slice(index, index + 1 or None)
        return self.apply(lambda tensor: tensor[index])

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = list(self.tensors()), list(other.tensors())
        return len(mine) == len(theirs) and all(map(torch.equal, mine, theirs))

    __hash__ = None  # type: ignore[assignment]  # compared by value, and tensors can change

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """Concatenate along the batch. A field that is None in any part is None in the result."""
        def together(values):
            if any(value is None for value in values):
                return None
            return type(values[0]).cat(values) if isinstance(values[0], TensorDataclass) else torch.cat(values)

        return cls(*(together([getattr(part, entry.name) for part in parts]) for entry in fields(cls)))  # type: ignore

    def to(self, device: torch.device | str) -> Self:
        """Move every tensor to `device`."""
        return self.apply(lambda tensor: tensor.to(device))


@dataclass(eq=False)
class Light(TensorDataclass):
    """One directional light in the canonical camera frame.

    Convention: a surface facing the camera has normal (0, 0, +1), and the direction uses the same sense, so that
    direction x > 0 is light from the image's left and y > 0 is light from above (method: Lambert, paper section 3.1).
    """

    ambient: Tensor
    """(B,), [0, 1]."""
    diffuse: Tensor
    """(B,), [0, 1]."""
    direction: Tensor
    """(B, 3), unit length."""

    @classmethod
    def of(cls, ambient: float, diffuse: float, dx: float, dy: float) -> Light:
        """One light from plain numbers; direction = normalize(dx, dy, 1)."""
        direction = light_direction(torch.tensor([[dx, dy]], dtype=torch.float32))
        return cls(torch.tensor([float(ambient)]), torch.tensor([float(diffuse)]), direction)


def light_direction(slope: Tensor) -> Tensor:
    """Unit direction normalize(dx, dy, 1), (B, 3), of slopes (B, 2)."""
    return F.normalize(F.pad(slope, (0, 1), value=1.0), dim=-1)


@dataclass(eq=False)
class View(TensorDataclass):
    """Pose of the face: rotation Rz·Ry·Rx about the pivot (0, 0, 1), then a shift in the image plane."""

    rotation: Tensor
    """(B, 3) pitch (x), yaw (y), roll (z), radians."""
    translation: Tensor
    """(B, 2) shift right and down, in units of the camera distance."""

    @classmethod
    def of(cls, pitch: float = 0, yaw: float = 0, roll: float = 0, tx: float = 0, ty: float = 0) -> View:
        """One view from plain numbers, in radians."""
        return cls(torch.tensor([[pitch, yaw, roll]], dtype=torch.float32),
                   torch.tensor([[tx, ty]], dtype=torch.float32))


@dataclass(eq=False)
class CodePair(TensorDataclass):
    """One part of the codes of a face: its identity or its expression."""

    depth: Tensor
    """(B, 256)."""
    albedo: Tensor
    """(B, 256)."""

    def __add__(self, other: CodePair) -> CodePair:
        return CodePair(self.depth + other.depth, self.albedo + other.albedo)

    def __sub__(self, other: CodePair) -> CodePair:
        return CodePair(self.depth - other.depth, self.albedo - other.albedo)


@dataclass(eq=False)
class Codes(TensorDataclass):
    """Latent codes of a face; code = identity + expression (paper section 3.2)."""

    depth_code: Tensor
    """(B, 256)."""
    albedo_code: Tensor
    """(B, 256)."""
    find_identity: Callable[[Codes], CodePair] | None = field(default=None, repr=False, compare=False)
    """Asked once, when the identity is wanted: most uses of codes never want it."""
    known_identity: CodePair | None = field(default=None, repr=False)
    """The identity where it has been found, or was given."""

    @classmethod
    def of(cls, identity: CodePair, expression: CodePair) -> Codes:
        """Codes put together from their two parts; no clamp, so that the parts come back."""
        whole = identity + expression
        return cls(whole.depth, whole.albedo, known_identity=identity)

    @property
    def whole(self) -> CodePair:
        """Both codes as they are."""
        return CodePair(self.depth_code, self.albedo_code)

    @property
    def identity(self) -> CodePair:
        """What stays the same over the photos of one person.

        Raises:
            WeightsMissing: the model has no diffusion weights.
        """
        if self.known_identity is None:
            if self.find_identity is None:
                raise WeightsMissing("These codes come from the autoencoder alone: take LatentFace.encode or .analyze, "
                                     "whose diffusion model splits codes into identity and expression.")
            self.known_identity = self.find_identity(self)
        return self.known_identity

    @property
    def expression(self) -> CodePair:
        """What the code adds to the identity in this photo; errors as of `identity`."""
        return self.whole - self.identity


@dataclass(eq=False)
class Factors(TensorDataclass):
    """Everything the autoencoder finds in a photo. `canon_*` live in the canonical frame, `recon_*` in the photo's."""

    image: Tensor
    """(B, 3, H, W) the aligned input, RGB, [0, 1]."""
    canon_depth: Tensor
    """(B, H, W) camera-distance units, 0.9 to 1.1, smaller is nearer."""
    canon_albedo: Tensor
    """(B, 3, H, W), [0, 1]."""
    canon_normal: Tensor
    """(B, H, W, 3), unit length."""
    shading: Tensor
    """(B, 1, H, W)."""
    canon_image: Tensor
    """(B, 3, H, W), albedo × shading."""
    recon_depth: Tensor
    """(B, H, W) depth seen from the photo's pose."""
    recon_mask: Tensor
    """(B, 1, H, W) 1 where the face's surface covers the pixel."""
    recon_image: Tensor
    """(B, 3, H, W)."""
    confidence: Tensor
    """(B, 1, H, W) in (0, 1], 1 / (1 + sigma)."""
    light: Light
    view: View
    codes: Codes
