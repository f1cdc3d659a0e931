"""The data structures that the parts of LatentFace exchange: light, view, codes, factors, textured face.

Shapes use B for the batch and H, W for the side of the maps: that of the autoencoder's images, or of the fine stage's.
Angles are radians here and degrees in the interface.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor


class TensorDataclass:
    """Base of dataclasses whose fields are batched tensors, or such dataclasses.

    They behave like a list of B entries: `len`, iteration and indexing give structures of the same type; an integer
    index keeps a batch of one. `==` is true where all tensors are equal.
    """

    def apply(self, function: Callable[[Tensor], Tensor]) -> Self:
        """Apply `function` to every tensor and return the same structure."""
        def change(value: Any) -> Any:
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

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: the fields, without anything that was cached beside them, and of a batch only this part."""
        def own(value: Any) -> Any:
            shared = isinstance(value, Tensor) and value.untyped_storage().nbytes() > value.nbytes
            return value.clone(memory_format=torch.contiguous_format) if shared else value

        return {entry.name: own(getattr(self, entry.name)) for entry in fields(self)}  # type: ignore[arg-type]

    def expand(self, count: int) -> Self:
        """A batch of one repeated `count` times, without copies; a batch of `count` as it is."""
        return self if len(self) == count else self.apply(lambda tensor: tensor.expand(count, *tensor.shape[1:]))

    @classmethod
    def cat(cls, parts: Sequence[Self]) -> Self:
        """Concatenate along the batch. A field that is None in any part is None in the result."""
        def together(values: list[Any]) -> Any:
            if any(value is None for value in values):
                return None
            if isinstance(values[0], TensorDataclass):
                return type(values[0]).cat(values)
            return torch.cat(values) if isinstance(values[0], Tensor) else values[0]

        return cls(*(together([getattr(part, entry.name) for part in parts]) for entry in fields(cls)))  # type: ignore

    def to(self, device: torch.device | str) -> Self:
        """Move every tensor to `device`."""
        return self.apply(lambda tensor: tensor.to(device))


@dataclass(eq=False)
class Light(TensorDataclass):
    """One directional light and an ambient term, in the canonical camera frame (paper section 3.1).

    Convention: a surface that faces the camera has normal (0, 0, +1), and the direction uses the same sense:
    direction x > 0 is light from the image's left, y > 0 is light from above.
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
        numbers = torch.tensor([[ambient, diffuse, dx, dy]], dtype=torch.float32)
        return cls(numbers[:, 0], numbers[:, 1], light_direction(numbers[:, 2:]))


def light_direction(slope: Tensor) -> Tensor:
    """Unit direction normalize(dx, dy, 1), (B, 3), of slopes (B, 2)."""
    return F.normalize(F.pad(slope, (0, 1), value=1.0), dim=-1)


@dataclass(eq=False)
class View(TensorDataclass):
    """Pose of the face: rotation Rz·Ry·Rx about the pivot (0, 0, 1), then a shift in the image plane."""

    rotation: Tensor
    """(B, 3) pitch (x), yaw (y), roll (z), radians."""
    translation: Tensor
    """(B, 2) shift to the right and down, camera-distance units."""

    @classmethod
    def of(cls, pitch: float = 0, yaw: float = 0, roll: float = 0, tx: float = 0, ty: float = 0) -> View:
        """One view from plain numbers; angles in radians."""
        return cls(torch.tensor([[pitch, yaw, roll]], dtype=torch.float32),
                   torch.tensor([[tx, ty]], dtype=torch.float32))


@dataclass(eq=False)
class CodePair(TensorDataclass):
    """A vector for depth and one for albedo: both codes of a face, or their identity part or expression part."""

    depth: Tensor
    """(B, ModelConfig.code_size)."""
    albedo: Tensor
    """(B, ModelConfig.albedo_code_size)."""

    @classmethod
    def of_rows(cls, rows: Tensor, depth_size: int) -> CodePair:
        """The pair of rows (B, codes) that hold the depth code, `depth_size` numbers, and then the albedo code."""
        return cls(rows[:, :depth_size], rows[:, depth_size:])

    @property
    def rows(self) -> Tensor:
        """(B, codes) the depth code and then the albedo code."""
        return torch.cat([self.depth, self.albedo], 1)

    def __add__(self, other: CodePair) -> CodePair:
        return CodePair(self.depth + other.depth, self.albedo + other.albedo)

    def __sub__(self, other: CodePair) -> CodePair:
        return CodePair(self.depth - other.depth, self.albedo - other.albedo)

    def scale(self, depth: float, albedo: float) -> CodePair:
        """The depth vector times `depth`, the albedo vector times `albedo`."""
        return CodePair(self.depth * depth, self.albedo * albedo)


@dataclass(eq=False)
class Codes(TensorDataclass):
    """Latent codes of B faces (paper section 3.1)."""

    depth_code: Tensor
    """(B, ModelConfig.code_size)."""
    albedo_code: Tensor
    """(B, ModelConfig.albedo_code_size)."""

    @classmethod
    def of(cls, pair: CodePair) -> Codes:
        """Codes made of a pair of vectors."""
        return cls(pair.depth, pair.albedo)

    @property
    def pair(self) -> CodePair:
        """Both codes as a pair, for arithmetic."""
        return CodePair(self.depth_code, self.albedo_code)


@dataclass(eq=False)
class SplitCodes(TensorDataclass):
    """Codes of B faces split into two parts; code = identity + expression (paper section 3.2)."""

    identity: CodePair
    """What all photos of the person share: the time-invariant code."""
    expression: CodePair
    """What the code adds to the identity in this photo."""

    @property
    def codes(self) -> Codes:
        """The sum of both parts."""
        return Codes.of(self.identity + self.expression)


@dataclass(eq=False)
class ExpressionWeights(TensorDataclass):
    """Weights of the rig's named expressions; 0 is neutral, 1 is an expression at full strength."""

    values: Tensor
    """(B, 57)."""
    names: tuple[str, ...]
    """57 names, in the order of `values`."""

    def named(self, index: int = 0) -> dict[str, float]:
        """Name to weight of one face."""
        return dict(zip(self.names, self.values[index].tolist(), strict=True))


@dataclass(eq=False)
class Factors(TensorDataclass):
    """Everything the autoencoder finds in B photos. `canon_*` are in the canonical frame, `recon_*` in the photo's."""

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
    coarse: Factors | None = None
    """What the codes alone give, where the fine stage (core.model.fine) has added the photo's detail; else None."""

    @property
    def of_codes(self) -> Factors:
        """What the codes alone give, at the autoencoder's resolution: `coarse`, or these factors."""
        return self.coarse or self


@dataclass(eq=False)
class TexturedFace(TensorDataclass):
    """A face ready to be rendered at display size. Maps are crops in the canonical frame unless they say otherwise.

    For the difference between crops and the camera's images see core.geometry.camera. G is the side of the smooth
    maps, T that of the texture, N that of the photo.
    """

    factors: Factors
    """What the face was made of."""
    texture: Tensor
    """(B, 3, T, T) RGB under `factors.light`; hidden parts are filled."""
    alpha: Tensor
    """(B, 1, G, G) 1 on the head, fading to 0 where the surface ends or the photo did not reach."""
    periphery: Tensor
    """(B, 1, G, G) 0 on the face itself, 1 on ears, hair and neck, whose depth is a guess."""
    depth: Tensor
    """(B, G, G) smooth, without the steps behind jaw and ears."""
    normal: Tensor
    """(B, G, G, 3) unit length."""
    background: Tensor
    """(B, 3, N, N) the photo, as `factors.view` shows it."""
    blurred: Tensor
    """(B, 3, h, h) the photo's background out of focus, without the head."""
    tangent: Tensor
    """(B,) tangent of the angle between the optical axis and the crop's edge."""
    landmarks: Tensor | None = None
    """(B, 478, 2) MediaPipe's landmarks, see core.geometry.landmark_warp; None where they are not known."""

    @property
    def light(self) -> Light:
        """The light that `texture` shows."""
        return self.factors.light

    @property
    def view(self) -> View:
        """The pose in the photo."""
        return self.factors.view

    def reduced(self, name: Literal["texture", "background"], side: int) -> Tensor:
        """`texture` or `background` averaged down to (B, 3, side, side); as it is where it is no larger. Cached."""
        maps: Tensor = getattr(self, name)
        if maps.shape[-1] <= side:
            return maps
        cache = self.__dict__.setdefault("_reduced", {})
        if (name, side) not in cache:
            cache[name, side] = F.interpolate(maps, (side, side), mode="area")
        return cache[name, side]


@dataclass(eq=False)
class Uncertainty(TensorDataclass):
    """How much identities sampled from different noise differ, on the canonical face."""

    mean_image: Tensor
    """(B, 3, H, W) mean canonical image of the samples."""
    albedo: Tensor
    """(B, H, W) standard deviation of the albedo, mean of the channels; 1 is from black to white."""
    depth: Tensor
    """(B, H, W) standard deviation of the depth, camera-distance units."""
