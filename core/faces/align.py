"""Alignment: a crop from a head's metric pose, and an image from a crop. App, training and evaluation share it.

Convention: coordinates in photos and crops are (x right, y down) in pixels with integer pixel **centres**, so
a crop's square of n × n pixels reaches from −0.5 to n − 0.5. Angles are radians; positive roll is clockwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.errors import ConfigError, ImageTooSmall
from core.faces.load_image import MIN_SIDE, PhotoSource, read_photo

HALF_SIDE_CM = 8.4
"""Half the side of the crop, in cm on the head."""
CROP_CENTRE_CM = np.array([0.0, -1.7, 4.0])
"""Centre of the crop in MediaPipe's head frame (x right, y up, z out of the face)."""
VERTICAL_FOV = math.radians(63.0)
"""Field of view that MediaPipe's metric pose assumes."""

_FLIP = np.diag([1.0, -1.0, -1.0])
"""Between MediaPipe's axes (y up, z towards the camera) and the image's (y down, z away)."""
_MAX_SPREAD = 4
"""Largest side of a crop, as a multiple of the photo's long side."""


@dataclass(frozen=True)
class Crop:
    """A square cut out of a photo."""

    centre: tuple[float, float]
    """(x, y) in the photo's pixels."""
    side: float
    """Length of its side in the photo's pixels."""
    roll: float = 0.0
    """Clockwise turn of the square in radians: a head tilted by this angle comes out upright."""

    def to_photo(self, points: np.ndarray, size: int) -> np.ndarray:
        """Map points (..., 2 or 3) from pixels of the `size` × `size` crop to the photo's; z is scaled."""
        scale = self.side / size
        xy = (points[..., :2] + 0.5 - size / 2) * scale @ _turn(self.roll).T + self.centre
        return np.concatenate([xy, points[..., 2:] * scale], -1)

    def from_photo(self, points: np.ndarray, size: int) -> np.ndarray:
        """Undo `to_photo`."""
        scale = size / self.side
        xy = (points[..., :2] - self.centre) @ _turn(self.roll) * scale + size / 2 - 0.5
        return np.concatenate([xy, points[..., 2:] * scale], -1)

    def within(self, frame: Crop, size: int) -> Crop:
        """Convert to the pixels of an outer photo, in which this `size`-pixel image covers the square `frame`."""
        x, y = frame.to_photo(np.array(self.centre), size).tolist()
        return Crop((x, y), self.side * frame.side / size, math.remainder(self.roll + frame.roll, 2 * math.pi))

    def rotation_to_photo(self, rotation: Tensor) -> Tensor:
        """Rotations (B, 3) pitch, yaw, roll in radians of heads in the crop, as the photo shows them; roll in ± π.

        The crop's turn follows the head's: Rz(crop)·Rz·Ry·Rx. Both last turns are about one axis, so they add up.
        """
        roll = (rotation[:, 2] + self.roll + math.pi).remainder(2 * math.pi) - math.pi
        return torch.cat([rotation[:, :2], roll[:, None]], 1)

    def same_face(self, other: Crop) -> bool:
        """Whether both crops show one face: their centres are less than half the larger crop apart."""
        return math.dist(self.centre, other.centre) < max(self.side, other.side) / 2


def pose_from_matrix(matrix: np.ndarray) -> tuple[np.ndarray, float]:
    """Split MediaPipe's facial transformation matrix.

    Args:
        matrix: (4, 4), head to camera, cm; x right, y up, z towards the camera.

    Returns:
        (3,) pitch, yaw, roll in radians of R = Rz·Ry·Rx in the image's axes (x right, y down, z away, as in
        core.geometry.camera), and the scale k that the matrix also holds.
    """
    matrix = np.asarray(matrix, float)
    scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
    turn = _FLIP @ (matrix[:3, :3] / scale) @ _FLIP
    pitch = math.atan2(turn[2, 1], turn[2, 2])
    yaw = math.asin(max(-1.0, min(1.0, -turn[2, 0])))
    return np.array([pitch, yaw, math.atan2(turn[1, 0], turn[0, 0])]), scale


def crop_from_matrix(matrix: np.ndarray, width: int, height: int) -> Crop:
    """The crop of a face from its metric pose in an image of width × height pixels.

    Unlike a box around landmarks it does not change when the mouth opens or the head turns.

    Args:
        matrix: (4, 4), as for `pose_from_matrix`.
    """
    matrix = np.asarray(matrix, float)
    rotation, scale = pose_from_matrix(matrix)
    x, y, z = matrix[:3, :3] @ CROP_CENTRE_CM + matrix[:3, 3]
    pixels_per_cm = height / 2 / math.tan(VERTICAL_FOV / 2) / -z
    # width/2, not (width − 1)/2: the training packs are cut this way, half a photo's pixel to the right.
    centre = (float(width / 2 + pixels_per_cm * x), float(height / 2 - pixels_per_cm * y))
    return Crop(centre, float(2 * HALF_SIDE_CM * pixels_per_cm * scale), float(rotation[2]))


def align(photo: PhotoSource, crop: Crop, size: int) -> Tensor:
    """Cut a crop out of a photo.

    Args:
        photo: anything `core.faces.load_image.read_photo` reads.
        crop: where; parts outside the photo are filled with its reflection.
        size: side of the result in pixels.

    Returns:
        (3, size, size) float RGB in [0, 1].

    Raises:
        ImageTooSmall: the crop covers less than 16 pixels of the photo.
        ConfigError: the crop lies outside the photo, or is more than four times as large.
    """
    pixels = read_photo(photo)
    _check(crop, pixels.shape)
    # Divided by numpy: torch would wake its threads, which on a busy machine takes longer than cutting.
    return torch.from_numpy(cut(pixels, crop, size).astype(np.float32) / 255).permute(2, 0, 1)


def cut(pixels: np.ndarray, crop: Crop, size: int, fine: bool = True) -> np.ndarray:
    """`align` for uint8 arrays: (H, W, 3) to (size, size, 3).

    Shrinking averages twice: over whole blocks of the photo that are about half an output pixel wide, then
    over 2 × 2 samples within each output pixel. Not `fine`: over blocks of about one pixel, one sample each.
    """
    step = crop.side / size
    dense = 2 if fine and step > 1 else 1
    block = max(1, round(step / (2 if fine else 1)))
    reach = crop.side / 2 * (abs(math.cos(crop.roll)) + abs(math.sin(crop.roll))) + 2 * block + 2
    corner = [math.floor(c - reach) for c in crop.centre]
    length = math.ceil(2 * reach / block + 1) * block
    rows, columns = (reflected_span(corner[axis], length, pixels.shape[1 - axis]) for axis in (1, 0))
    image = Image.fromarray(pixels[rows][:, columns]).reduce(block)

    matrix = _turn(crop.roll) * (step / block / dense)
    # Pillow's coordinates have integer pixel edges, hence the + 0.5.
    offset = (np.array(crop.centre) + 0.5 - corner) / block - matrix.sum(1) * (size * dense / 2)
    image = image.transform((size * dense, size * dense), Image.Transform.AFFINE,
                            (*matrix[0], offset[0], *matrix[1], offset[1]),
                            Image.Resampling.BICUBIC if fine and step <= 1 else Image.Resampling.BILINEAR)
    return np.array(image.reduce(dense))


def _turn(angle: float) -> np.ndarray:
    """2 × 2 rotation, clockwise on the screen, for column vectors."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def reflected_span(start: int, length: int, limit: int) -> slice | np.ndarray:
    """Index of start … start + length − 1 along an axis, reflected at both ends into 0 … limit − 1."""
    if start >= 0 and start + length <= limit:
        return slice(start, start + length)
    index = np.abs(np.arange(start, start + length)) % (2 * limit - 2)
    return np.minimum(index, 2 * limit - 2 - index)


def _check(crop: Crop, shape: tuple[int, ...]) -> None:
    """Raise if the crop is not finite, too small, too large or centred outside the photo of this shape."""
    (x, y), longest = crop.centre, max(shape[:2])
    if not all(map(math.isfinite, (x, y, crop.side, crop.roll))):
        raise ConfigError("The crop must be made of finite numbers: reset it.")
    if crop.side < MIN_SIDE:
        raise ImageTooSmall(f"The crop covers {crop.side:.0f} pixels, at least {MIN_SIDE} are needed: "
                            "make it larger.")
    if crop.side > _MAX_SPREAD * longest or not (-1 <= x <= shape[1] and -1 <= y <= shape[0]):
        raise ConfigError("The crop must have its centre inside the photo and be at most four times as "
                          "large: move or shrink it.")
