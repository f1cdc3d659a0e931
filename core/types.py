"""The few structures that travel between the parts of LatentFace.

Shapes use B for the batch and H, W for the model's image size. Angles are radians here and degrees in the interface.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, fields

import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import WeightsMissing


class Batched:
    """Indexing, joining and moving for dataclasses of batched tensors, such dataclasses, or what all faces share."""

    def map(self, function):
        """Apply `function` to every tensor and return the same structure."""
        def change(value):
            if isinstance(value, Batched):
                return value.map(function)
            return function(value) if isinstance(value, Tensor) else value

        return type(self)(*(change(getattr(self, entry.name)) for entry in fields(self)))

    def __getitem__(self, index):
        """Select along the batch; an integer keeps a batch of one."""
        index = slice(index, index + 1 or None) if isinstance(index, int) else index
        return self.map(lambda tensor: tensor[index])

    @classmethod
    def join(cls, parts: list):
        """Join structures along the batch. A field that is no tensor is the first part's."""
        def together(values):
            if isinstance(values[0], Batched):
                return type(values[0]).join(values)
            return torch.cat(values) if isinstance(values[0], Tensor) else values[0]

        return cls(*(together([getattr(part, entry.name) for part in parts]) for entry in fields(cls)))

    def to(self, device):
        """Move every tensor to `device`."""
        return self.map(lambda tensor: tensor.to(device))


@dataclass
class Light(Batched):
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


@dataclass
class View(Batched):
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


@dataclass
class CodePart(Batched):
    """One part of the codes of a face: its identity or its expression."""

    depth: Tensor
    """(B, 256)."""
    albedo: Tensor
    """(B, 256)."""

    def __add__(self, other: CodePart) -> CodePart:
        return CodePart(self.depth + other.depth, self.albedo + other.albedo)

    def __sub__(self, other: CodePart) -> CodePart:
        return CodePart(self.depth - other.depth, self.albedo - other.albedo)


@dataclass
class Codes(Batched):
    """Latent codes of a face; code = identity + expression (paper section 3.2)."""

    depth_code: Tensor
    """(B, 256)."""
    albedo_code: Tensor
    """(B, 256)."""
    find_identity: Callable[[Codes], CodePart] | None = field(default=None, repr=False, compare=False)
    """Asked once, when the identity is wanted: most uses of codes never want it."""
    known_identity: CodePart | None = field(default=None, repr=False)
    """The identity where it has been found, or was given."""

    @classmethod
    def of(cls, identity: CodePart, expression: CodePart) -> Codes:
        """Codes put together from their two parts; no clamp, so that the parts come back."""
        whole = identity + expression
        return cls(whole.depth, whole.albedo, known_identity=identity)

    @property
    def whole(self) -> CodePart:
        """Both codes as they are."""
        return CodePart(self.depth_code, self.albedo_code)

    @property
    def identity(self) -> CodePart:
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
    def expression(self) -> CodePart:
        """What the code adds to the identity in this photo; errors as of `identity`."""
        return self.whole - self.identity


@dataclass
class Factors(Batched):
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
