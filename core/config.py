"""The model's configuration: the only home of its constants."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path

from core.errors import ConfigError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
"""Folder of everything that is bundled: weights, map, examples, rig, detector."""


def from_dict(cls, values: dict):
    """Build a config dataclass, whose fields all have defaults, from plain values such as a YAML file's.

    Raises:
        ConfigError: a key the dataclass does not have, or a value of the wrong kind.
    """
    defaults = {field.name: getattr(cls(), field.name) for field in fields(cls)}
    if not isinstance(values, dict):
        raise ConfigError(f"{cls.__name__} must be a mapping of settings to values, got {values!r}.")
    result = {}
    for key, value in values.items():
        if key not in defaults:
            raise ConfigError(f"Unknown setting {key!r}. {cls.__name__} has: {', '.join(defaults)}.")
        default = defaults[key]
        kinds = (int, float) if isinstance(default, float) else type(default)
        if is_dataclass(default):
            value = from_dict(type(default), value)
        elif not isinstance(value, kinds) or isinstance(value, bool) != isinstance(default, bool):
            raise ConfigError(f"Setting {key!r} must be of type {type(default).__name__}, got {value!r}.")
        result[key] = value
    return cls(**result)


@dataclass(frozen=True)
class ModelConfig:
    """Sizes and ranges of the autoencoder (paper section 3.1)."""

    image_size: int = 64
    """Side of the input image and of every map, pixels: a power of two, 32 at least."""
    code_size: int = 256
    """Length of the depth code and of the albedo code."""
    width: int = 32
    """Channels of the first convolution of the depth and albedo networks; doubled at each halving up to 8 ×."""
    pose_width: int = 16
    """Channels of the first convolution of the light, view and confidence networks."""
    depth_range: float = 0.1
    """Canonical depth lies in 1 ± this, camera-distance units."""
    mean_depth: float = 1.025
    """About the mean of a canonical depth map: a head before a far background. It fixes the depth of the pivot, which
    photos alone leave open."""
    border_depth: float = 1.04
    """Depth of the outer columns, which ties down the edge of the canonical map."""
    max_rotation_deg: float = 60.0
    """Pitch, yaw and roll lie within ± this, degrees."""
    max_translation: float = 0.1
    """Shift in x and y lies within ± this, camera-distance units."""
    max_light_slope: float = 4.0
    """Light direction is normalize(dx, dy, 1) with dx and dy within ± this."""

    def __post_init__(self):
        size = self.image_size
        if not isinstance(size, int) or size < 32 or size & (size - 1):
            raise ConfigError(f"image_size must be a power of two and 32 at least (64 or 128), got {size!r}.")

    to_dict = asdict


@dataclass(frozen=True)
class DiffusionConfig:
    """Sizes of the denoisers and the schedule of the noise (paper section 3.2)."""

    code_size: int = 256
    """Length of each code."""
    identity_size: int = 96
    """Directions of a code in which identities differ; in all others a code is expression."""
    width: int = 256
    """Channels of the hidden layers."""
    blocks: int = 2
    """Residual blocks."""
    noise_levels: int = 1000
    """Steps of the noise's schedule that training draws from."""
    steps: int = 5
    """Steps from noise to a sample."""
    samples: int = 4
    """Samples that are averaged: one alone holds details that the photo does not tell."""
    expressions: int = 57
    """Expressions of which it is known what they do."""
    image_size: int = 64
    """Side of the map that says how they move a face, pixels."""

    to_dict = asdict
