"""The model's configuration: the only home of its constants."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, ConfigDict, StrictInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import PydanticCustomError

from core.errors import ConfigError

ASSETS = Path(__file__).resolve().parents[1] / "assets"
"""Folder of everything that is bundled: weights, map, examples, rig, detector."""
PREVIEW_SIZE = 256
"""Side in pixels of the largest renders for which `LatentFace.preview` is enough."""
BATCH = 32
"""Images that pass through the networks at once."""

VALIDATED = ConfigDict(extra="forbid", allow_inf_nan=False)
"""Rules of every configuration: unknown keys are errors."""


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "Input should be a valid number")
    return value


Number = Annotated[float, BeforeValidator(_refuse_bool)]
"""Type of a setting that may be any finite number, also as text: PyYAML reads 1e-4 as text."""

Config = TypeVar("Config")


def from_dict(cls: type[Config], values: Any) -> Config:
    """Build a configuration, whose settings all have defaults, from plain values such as those of a YAML file.

    Raises:
        ConfigError: an unknown key or a value of a wrong type.
    """
    try:
        return TypeAdapter(cls).validate_python(values)
    except ValidationError as error:
        raise ConfigError(_sentence(cls, error)) from error


def _sentence(cls: type, error: ValidationError) -> str:
    """The first mistake of a configuration, in one sentence."""
    first = error.errors()[0]
    *parents, key = first["loc"] or (cls.__name__,)
    if first["type"] != "unexpected_keyword_argument":
        return f"Setting {key!r}: {first['msg'][0].lower()}{first['msg'][1:]}, got {first['input']!r}."
    owner = cls()
    for name in parents:
        owner = getattr(owner, str(name))
    return f"Unknown setting {key!r}. {type(owner).__name__} has: {', '.join(field.name for field in fields(owner))}."


@dataclass(frozen=True, config=VALIDATED)
class ModelConfig:
    """Sizes and ranges of the autoencoder (paper section 3.1)."""

    image_size: StrictInt = 64
    """Side of the input image and of every map, pixels: a power of two, 32 at least."""
    code_size: StrictInt = 256
    """Length of the depth code and of the albedo code's first part."""
    detail_size: StrictInt = 0
    """Length of the albedo code's second part (core.model.detail_coder); 0: none."""
    width: StrictInt = 32
    """Channels of the first convolution of the depth and albedo networks; doubled at each halving up to 8 ×."""
    pose_width: StrictInt = 16
    """Channels of the first convolution of the light, view and confidence networks."""
    depth_range: Number = 0.1
    """Canonical depth lies in 1 ± this, camera-distance units."""
    mean_depth: Number = 1.025
    """Mean of a canonical depth map, approximately: a head before a far background. It fixes the depth of the pivot,
    which photos alone do not determine."""
    border_depth: Number = 1.04
    """Depth of the outer columns, which fixes the edge of the canonical map."""
    max_rotation_deg: Number = 60.0
    """Pitch, yaw and roll lie within ± this, degrees."""
    max_translation: Number = 0.1
    """Shift in x and y lies within ± this, camera-distance units."""
    max_light_slope: Number = 4.0
    """Light direction is normalize(dx, dy, 1) with dx and dy within ± this."""

    def __post_init__(self) -> None:
        size = self.image_size
        if size < 32 or size & (size - 1):
            raise ConfigError(f"image_size must be a power of two and 32 at least (64 or 128), got {size!r}.")

    to_dict = asdict

    @property
    def albedo_code_size(self) -> int:
        """Length of the albedo code."""
        return self.code_size + self.detail_size

    @property
    def code_sizes(self) -> tuple[int, int]:
        """Lengths of the depth and the albedo code."""
        return self.code_size, self.albedo_code_size


@dataclass(frozen=True, config=VALIDATED)
class DiffusionConfig:
    """Sizes of the denoisers, and the noise schedule (paper section 3.2)."""

    code_size: StrictInt = 256
    """Length of the depth code."""
    albedo_code_size: StrictInt = 256
    """Length of the albedo code (ModelConfig.albedo_code_size)."""
    identity_size: StrictInt = 96
    """Dimensions of a code's identity subspace; in all other directions a code is expression."""
    width: StrictInt = 256
    """Channels of the hidden layers."""
    blocks: StrictInt = 2
    """Residual blocks."""
    num_train_timesteps: StrictInt = 1000
    """Timesteps of the noise schedule that training draws from."""
    num_inference_steps: StrictInt = 5
    """DDIM steps from noise to a sample."""
    samples: StrictInt = 4
    """Samples whose mean is the identity: a single one holds details that the photo does not determine."""
    image_size: StrictInt = 64
    """Side of the expression basis's displacement maps, pixels."""

    to_dict = asdict

    @property
    def code_sizes(self) -> tuple[int, int]:
        """Lengths of the depth and the albedo code."""
        return self.code_size, self.albedo_code_size


@dataclass(frozen=True, config=VALIDATED)
class FineConfig:
    """Sizes and ranges of the fine stage: a canonical U-Net on a frozen autoencoder."""

    image_size: StrictInt = 128
    """Side of the photo that it reads detail from, and of every map it gives, pixels."""
    coarse_size: StrictInt = 64
    """Side of the image that the autoencoder saw, pixels: it fixes how wide the photo's crop is
    (`core.geometry.camera.crop_tangent`)."""
    width: StrictInt = 32
    """Channels of the U-Net at half of `image_size`; doubled at each halving up to 4 ×."""
    levels: StrictInt = 4
    """Resolutions of the U-Net, from half of `image_size` down; 2 at least."""
    depth_range: Number = 0.02
    """The residual of canonical depth lies within ± this, camera-distance units."""

    def __post_init__(self) -> None:
        if self.levels < 2:
            raise ConfigError(f"levels must be 2 at least, got {self.levels}.")
        if self.image_size % 2**self.levels or self.image_size < self.coarse_size:
            raise ConfigError(f"image_size must be a multiple of {2**self.levels} and {self.coarse_size} at least, got "
                              f"{self.image_size}.")

    to_dict = asdict


@dataclass(frozen=True, config=VALIDATED)
class SemanticsConfig:
    """Directions of `core.model.semantics`, by name."""

    code_size: StrictInt = 256
    """Length of the depth code."""
    albedo_code_size: StrictInt = 256
    """Length of the albedo code (ModelConfig.albedo_code_size)."""
    image_size: StrictInt = 64
    """Side of the influence maps, pixels."""
    names: tuple[str, ...] = ()
    """Of the directions."""
    parts: tuple[Literal["identity", "expression"], ...] = ()
    """Of the directions, in the order of `names`."""

    def __post_init__(self) -> None:
        if len(self.names) != len(self.parts) or len(set(self.names)) != len(self.names):
            raise ConfigError("Each semantic needs a name of its own and a part.")

    to_dict = asdict
