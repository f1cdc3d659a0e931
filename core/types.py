"""The few structures that travel between the parts of LatentFace.

Shapes use B for the batch and H, W for the model's image size. Angles are radians here and degrees in the interface.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


class Batched:
    """Indexing, joining and moving for dataclasses whose fields are batched tensors (or such dataclasses)."""

    def map(self, function):
        """Apply `function` to every tensor and return the same structure."""
        values = (getattr(self, field.name) for field in fields(self))
        return type(self)(*(v.map(function) if is_dataclass(v) else function(v) for v in values))

    def __getitem__(self, index):
        """Select along the batch; an integer keeps a batch of one."""
        index = slice(index, index + 1 or None) if isinstance(index, int) else index
        return self.map(lambda tensor: tensor[index])

    @classmethod
    def join(cls, parts: list):
        """Join structures along the batch."""
        columns = ([getattr(part, field.name) for part in parts] for field in fields(cls))
        return cls(*(type(c[0]).join(c) if is_dataclass(c[0]) else torch.cat(c) for c in columns))

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
class Codes(Batched):
    """Latent codes of a face."""

    depth_code: Tensor
    """(B, 256)."""
    albedo_code: Tensor
    """(B, 256)."""


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
