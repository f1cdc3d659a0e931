"""The one gate for arguments of the public interface: Python, command line and HTTP check them here.

Every function returns the checked value, or raises ArgumentInvalid with a sentence that names the argument.
"""

from __future__ import annotations

import math
import operator
import reprlib
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import torch
from torch import Tensor

from core.errors import ArgumentInvalid, FaceNotFound

if TYPE_CHECKING:
    from core.faces import Face

Choice = TypeVar("Choice")

MIN_SIZE, MAX_SIZE = 16, 2048
"""Least and most pixels of a side of a render."""
MAX_STRENGTH = 1.5
"""Largest strength of an expression; above 1 it is exaggerated."""
MAX_SEED = 2**31 - 1
MAX_ANGLES = {"yaw": 60, "pitch": 30, "roll": 30}
"""Farthest poses that the page and the command line take, degrees to either side."""
MAX_LIGHT_ANGLE = 75
"""Farthest directions of the light that they take, degrees to either side."""
BACKGROUNDS: dict[str, tuple[float, float, float] | Literal["photo"] | None] = {
    "Photo": "photo", "White": (1.0, 1.0, 1.0), "Black": (0.0, 0.0, 0.0), "Clear": None}
"""Names of the backgrounds on the page and the command line, and what `LatentFace.render` takes; None renders no
background but an alpha channel."""
SHOWN = 60
"""Characters of a wrong value that a message shows."""


def check_images(images: Any, size: int, fine_size: int | None = None) -> Tensor:
    """Aligned images as a tensor.

    Args:
        images: a list of `core.faces.Face`, or (B, 3, H, W) numbers in [0, 1] as a tensor or an array, H = W = `size`
            or `fine_size`.
        size: side of the autoencoder's images in pixels.
        fine_size: side of the fine stage's images; None: there is none.

    Returns:
        (B, 3, H, W) float32 in [0, 1], B ≥ 1; of faces at `size`.

    Raises:
        ArgumentInvalid: something else, none at all, another shape, or values outside [0, 1].
    """
    if isinstance(images, Sequence) and not isinstance(images, str | bytes):
        images = _stacked_faces(images)
    elif not isinstance(images, Tensor) and not hasattr(images, "__array__"):
        raise ArgumentInvalid(f"images must be a list of faces (LatentFace.find_faces) or an array of shape "
                              f"(B, 3, {size}, {size}), got {type(images).__name__}.")
    try:
        tensor = torch.as_tensor(images)
    except (TypeError, ValueError) as error:
        raise ArgumentInvalid(f"images must be numbers: {error}.") from error
    shapes = [(3, side, side) for side in (size, fine_size) if side]
    if tensor.dim() != 4 or tuple(tensor.shape[1:]) not in shapes or not len(tensor):
        wanted = " or ".join(f"(B, 3, {side}, {side})" for _, _, side in shapes)
        raise ArgumentInvalid(f"images must have the shape {wanted} with B ≥ 1, got {tuple(tensor.shape)}.")
    tensor = tensor.to(torch.float32)
    if not (tensor.min() >= 0 and tensor.max() <= 1):  # also false for NaN
        raise ArgumentInvalid("images must hold values in [0, 1].")
    return tensor


def _stacked_faces(faces: Sequence[Any]) -> Tensor:
    check_faces(faces)
    return torch.stack([face.image for face in faces])


def check_faces(faces: Any, count: int | None = None) -> Sequence[Face]:
    """A list of faces, at least one; exactly `count` where that is given."""
    if not isinstance(faces, Sequence) or not faces or not all(hasattr(face, "image") for face in faces):
        raise ArgumentInvalid("faces must be a list of at least one face, as LatentFace.find_faces returns it.")
    if count is not None and len(faces) != count:
        raise ArgumentInvalid(f"faces must be as many as the factors: {count}, got {len(faces)}.")
    return faces


def check_same_count(**named: Any) -> int:
    """Batches of B entries each, or of one for all; returns B."""
    counts = {name: len(value) for name, value in named.items()}
    count = max(counts.values())
    if not all(found in (1, count) for found in counts.values()):
        found = ", ".join(f"{name} {number}" for name, number in counts.items())
        raise ArgumentInvalid(f"{', '.join(counts)} must have equally many entries, or one for all, got {found}.")
    return count


def check_number(name: str, value: Any, low: float, high: float) -> float:
    """A finite number in [low, high]."""
    try:
        number = math.nan if isinstance(value, bool | str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not low <= number <= high:
        raise ArgumentInvalid(f"{name} must be a number from {low:g} to {high:g}, got {_shown(value)}.")
    return number


def check_strength(name: str, value: Any) -> float:
    """How much of an expression is applied: 0 is nothing, 1 is all of it."""
    return check_number(name, value, 0, MAX_STRENGTH)


def check_boolean(name: str, value: Any) -> bool:
    """True or False. Neither 1 nor "true" is taken for one."""
    if not isinstance(value, bool):
        raise ArgumentInvalid(f"{name} must be true or false, got {_shown(value)}.")
    return value


def check_integer(name: str, value: Any, low: int, high: int) -> int:
    """A whole number in [low, high]; 512.0 counts, True does not."""
    whole = _whole(value)
    if whole is None or not low <= whole <= high:
        raise ArgumentInvalid(f"{name} must be a whole number from {low} to {high}, got {_shown(value)}.")
    return whole


def _whole(value: Any) -> int | None:
    """A whole number, also one that is written 2.0; None where the value is something else."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    try:
        return None if isinstance(value, bool) else operator.index(value)
    except TypeError:
        return None


def check_face(value: Any, count: int, name: str = "face") -> int:
    """Number of one of `count` faces; 1 is the largest.

    Raises:
        ArgumentInvalid: not a whole number.
        FaceNotFound: there are fewer faces.
    """
    number = _whole(value)
    if number is None:
        raise ArgumentInvalid(f"{name} must be a whole number, got {_shown(value)}.")
    if not 1 <= number <= count:
        raise FaceNotFound(f"There is no face {_shown(number)} in this photo: {count} were found, 1 is the largest.")
    return number


def check_size(value: Any, low: int = MIN_SIZE, high: int = MAX_SIZE) -> int:
    """Side of a render in pixels."""
    return check_integer("size", value, low, high)


def check_seed(value: Any, high: int = MAX_SEED) -> int:
    """Seed of the noise that identities are sampled from."""
    return check_integer("seed", value, 0, high)


def check_choice(name: str, value: Any, choices: Collection[Choice]) -> Choice:
    """One of the named choices."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentInvalid(f"{name} must be one of {', '.join(map(str, choices))}, got {_shown(value)}.")
    return value  # type: ignore[return-value]


def check_background(value: Any) -> tuple[float, float, float] | Literal["photo"] | None:
    """"photo", a colour (r, g, b) in [0, 1], or None for none."""
    if value is None or value == "photo":
        return value
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 3:
        raise ArgumentInvalid(f'background must be "photo", None or three numbers in [0, 1], got '
                              f"{_shown(value)}.")
    red, green, blue = (check_number("background", part, 0, 1) for part in value)
    return red, green, blue


def check_expressions(weights: Any, names: Sequence[str]) -> Tensor:
    """Named expression weights as (1, 57); names that are missing are 0.

    Raises:
        ArgumentInvalid: an unknown name, or a weight outside [−1.5, 1.5].
    """
    values = torch.zeros(1, len(names), dtype=torch.float32)
    for name, weight in dict(weights).items():
        check_choice("expression", name, names)
        values[0, list(names).index(name)] = check_number(f"expression {name!r}", weight, -MAX_STRENGTH, MAX_STRENGTH)
    return values


def _shown(value: Any) -> str:
    """A value as a message shows it: short, on one line."""
    writer = reprlib.Repr()
    writer.maxstring = writer.maxlong = writer.maxother = SHOWN
    try:
        return " ".join(writer.repr(value).split())
    except Exception:  # whatever a caller's object or a huge number may raise
        return f"something of type {type(value).__name__}"
