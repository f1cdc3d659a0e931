"""Finding the faces of a photo, also the small, turned, rotated and cut-off ones."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from core.errors import FaceNotFound
from core.faces.align import Crop, align, crop_from_matrix, cut, pose_from_matrix
from core.faces.landmarker import Raw, confidence, detect
from core.faces.load_image import MIN_SIDE, read_photo
from core.types import View

PADDING = 0.25
"""Reflected border on each side of the photo, as a part of its width or height."""
SMALLEST, LARGEST = 256, 2048
"""Pixels: smallest short side (small faces are missed below), largest long side (nothing is gained above)."""
WINDOW = 512
"""Pixels of the square windows in which harder faces are looked at."""
WIDER = 2.0
"""Side of the window around the whole photo, as a multiple of its long side, where the usual border fails."""
NEAR = 2.5
"""Side of the window around a face that is looked at again, as a multiple of its crop."""
LONE_FACE = 0.25
"""A face whose crop is at least this part of the long side is a portrait: no others are searched for."""
SEARCH_SECONDS = 1.5
SURE, SURER = 0.85, 0.1
"""The detector's confidence that makes a look at the turned photo needless; by how much a turned one must win."""


@dataclass
class Face:
    """One face of a photo, aligned."""

    image: Tensor
    """(3, n, n) RGB in [0, 1] at the model's size."""
    full: Tensor
    """(3, N, N) the same square at full resolution."""
    landmarks: np.ndarray | None
    """(478, 3) pixels of `full`, integer pixel centres; z likewise, smaller nearer. None: crop by hand."""
    blendshapes: dict[str, float] | None
    """52 expression scores in [0, 1]."""
    pose: View | None
    """MediaPipe's pitch, yaw and roll **in the photo**, in core.geometry.camera's axes: for comparison, never a
    training target. In the aligned pictures roll and shift are zero, as `crop` has taken them out."""
    crop: Crop
    """The square that was cut."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom of the landmarks (or of the crop) in the photo's pixels."""


@dataclass
class Found:
    """A detected face in the photo's pixels, not yet cut out."""

    crop: Crop
    rotation: np.ndarray
    landmarks: np.ndarray
    blendshapes: dict[str, float]

    def within(self, frame: Crop, size: int) -> Found:
        """The same face in a larger photo, of which this one, `size` pixels wide, shows `frame`."""
        centre = frame.to_photo(np.array(self.crop.centre), size)
        roll = math.remainder(self.crop.roll + frame.roll, 2 * math.pi)
        crop = Crop(tuple(centre.tolist()), self.crop.side * frame.side / size, roll)
        return Found(crop, np.array([*self.rotation[:2], roll]), frame.to_photo(self.landmarks, size),
                     self.blendshapes)


def find_faces(photo, image_size: int = 64, full_size: int = 512, quick: bool = False) -> list[Face]:
    """Find and align every face of a photo.

    A photo on its side or upside down is turned first. Tried until a face is found: the photo with a reflected
    border of 25 %; a wider border; overlapping windows of ever smaller size, for at most 1.5 s.

    Args:
        photo: anything `core.faces.load_image.read_photo` reads.
        image_size: side of `Face.image`.
        full_size: side of `Face.full`.
        quick: try only the photo as it is, with the usual border: for the pictures of a film.

    Returns:
        At least one face, largest first.

    Raises:
        FaceNotFound: there is none, or none is visible enough.
        ImageUnreadable, ImageTooLarge, ImageTooSmall: from reading.
    """
    pixels = read_photo(photo)
    found = _whole(pixels) if quick else locate(pixels)
    return [_cut_out(pixels, one, image_size, full_size) for one in _seen(found)]


def find_face(photo, image_size: int = 64, full_size: int = 512) -> Face:
    """The largest face of a photo, without a search for smaller ones; arguments and errors as of `find_faces`."""
    pixels = read_photo(photo)
    return _cut_out(pixels, _seen(locate(pixels, others=False))[0], image_size, full_size)


def face_from_crop(photo, crop: Crop, image_size: int = 64, full_size: int = 512) -> Face:
    """Cut out a face where the user says it is, without looking for one. Raises as `align` does."""
    pixels = read_photo(photo)
    corners = crop.to_photo(np.array([(x, y) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]), 1)
    box = (*corners.min(0).tolist(), *corners.max(0).tolist())
    return Face(align(pixels, crop, image_size), align(pixels, crop, full_size), None, None, None, crop, box)


def locate(pixels: np.ndarray, others: bool = True) -> list[Found]:
    """Find faces without cutting them out; (H, W, 3) uint8 to a list, largest first, perhaps empty.

    Beside a small face others are searched for, unless nobody wants them.
    """
    pixels, enlarge = _shrunk(pixels, LARGEST)
    turns = _quarter_turns(pixels)
    upright = np.ascontiguousarray(np.rot90(pixels, turns))
    found = _whole(upright) or _wider(upright)
    if not found:
        found = _small(upright, (2, 4, 8))
    elif others and found[0].crop.side < LONE_FACE * max(pixels.shape):
        found = _small(upright, (2,), found)
    page = _page(pixels.shape, upright.shape, turns)
    return [face.within(page, upright.shape[1]).within(*enlarge) for face in found]


def _seen(found):
    """The faces, if there are any."""
    if not found:
        raise FaceNotFound("No face was found in this photo: choose one where a face is larger and well lit, "
                           "or set the crop by hand.")
    return found


def _cut_out(pixels, found, image_size, full_size):
    xy = found.landmarks[:, :2]
    return Face(align(pixels, found.crop, image_size), align(pixels, found.crop, full_size),
                found.crop.from_photo(found.landmarks, full_size), found.blendshapes,
                View.of(*found.rotation), found.crop, (*xy.min(0).tolist(), *xy.max(0).tolist()))


def _whole(pixels):
    """The usual pass, over the padded photo (method: alignment)."""
    border = [round(PADDING * side) for side in pixels.shape[:2]]
    padded = np.pad(pixels, ((border[0],) * 2, (border[1],) * 2, (0, 0)), mode="reflect")
    # A square as wide as the padded photo, upper left corners together, carries points back to the photo.
    side = padded.shape[1]
    frame = Crop((side / 2 - 0.5 - border[1], side / 2 - 0.5 - border[0]), side)
    grow = min(SMALLEST / min(padded.shape[:2]), LARGEST / max(padded.shape[:2]))
    if grow > 1:
        size = [round(side * grow) for side in padded.shape[1::-1]]
        padded = np.asarray(Image.fromarray(padded).resize(size, Image.Resampling.BICUBIC))
    faces = [_found(raw, padded.shape).within(frame, padded.shape[1]) for raw in detect(padded)]
    # Heads on their side are seen less exactly than upright ones.
    lying = [face for face in faces if abs(face.crop.roll) > math.pi / 4]
    return _merged(_refined(pixels, lying) + faces, pixels)


def _quarter_turns(pixels):
    """How often to turn the photo anticlockwise so that its face is upright.

    The landmarker happily sees a face in one that is upside down, so this must be settled before. The detector
    is surer of the right way up: on the London Set 0.92 or more, against 0.82 or less for upside down.
    """
    small, _ = _shrunk(pixels, SMALLEST)
    small = np.pad(small, [(round(PADDING * side),) * 2 for side in small.shape[:2]] + [(0, 0)], mode="reflect")
    upright = confidence(small)
    if upright >= SURE:
        return 0
    turned = [confidence(np.rot90(small, turns)) for turns in (1, 2, 3)]
    return int(np.argmax(turned)) + 1 if max(turned) > upright + SURER else 0


def _page(shape, turned, turns):
    """The frame of a turned photo of shape `turned`: a square as wide as that, upper left corners together."""
    roll = turns * math.pi / 2
    drop = (turned[1] - turned[0]) / 2
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    return Crop((x - math.sin(roll) * drop, y + math.cos(roll) * drop), turned[1], roll)


def _shrunk(pixels, longest):
    """The photo with at most `longest` pixels on its long side, and the arguments of Found.within that undo it."""
    factor = max(1.0, max(pixels.shape) / longest)
    if factor > 1:
        size = [max(1, round(side / factor)) for side in pixels.shape[1::-1]]
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX, reducing_gap=2.0))
    return pixels, (Crop(((factor - 1) / 2,) * 2, factor), 1)


def _wider(pixels):
    """The photo once more, with a wider border all round."""
    small, enlarge = _shrunk(pixels, WINDOW)
    frame = Crop(((small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2), WIDER * max(small.shape))
    return _refined(pixels, [face.within(*enlarge) for face in _in_window(small, frame, WINDOW)])


def _small(pixels, levels, found=()):
    """Faces in overlapping square windows, level by level until one has new ones or time is up."""
    deadline = time.monotonic() + SEARCH_SECONDS
    before = len(found)
    for level in levels:
        small, enlarge = _shrunk(pixels, SMALLEST * level)
        for window in _windows(small.shape, max(small.shape) / level):
            if time.monotonic() > deadline:
                return found
            seen = [face.within(*enlarge) for face in _in_window(small, window, SMALLEST)]
            found = _merged([*found, *_refined(pixels, [face for face in seen if not _known(face, found)])], pixels)
        if len(found) > before:
            break
    return list(found)


def _windows(shape, side):
    """Squares of this side that cover the photo, each sharing 40 % with its neighbours."""
    if side >= 4 * MIN_SIDE:
        rows, columns = (math.ceil(length / (0.6 * side)) for length in shape[:2])
        for row, column in itertools.product(range(rows), range(columns)):
            yield Crop(((column + 0.5) * shape[1] / columns - 0.5, (row + 0.5) * shape[0] / rows - 0.5), side)


def _in_window(pixels, window, size):
    """The faces of one square window, looked at with size × size pixels."""
    picture = cut(pixels, window, size, fine=False)
    return [_found(raw, picture.shape).within(window, size) for raw in detect(picture)]


def _refined(pixels, found):
    """Look again at each face from near by; what is not seen a second time was none."""
    result = []
    for first in found:
        upright = round(first.crop.roll / (math.pi / 2)) * math.pi / 2
        window = Crop(first.crop.centre, NEAR * first.crop.side, upright)
        again = _in_window(pixels, window, WINDOW if window.side > WINDOW / 2 else SMALLEST)
        result += [face for face in again if _known(face, [first])][:1]
    return _merged(result, pixels)


def _found(raw: Raw, shape) -> Found:
    """A face as MediaPipe reports it, with its crop."""
    crop = crop_from_matrix(raw.matrix, shape[1], shape[0])
    return Found(crop, pose_from_matrix(raw.matrix)[0], raw.landmarks, raw.blendshapes)


def _known(face, others):
    """Whether one of the others is this face: their centres are nearer than half a crop."""
    return any(math.dist(face.crop.centre, other.crop.centre) < max(face.crop.side, other.crop.side) / 2
               for other in others)


def _merged(found, pixels):
    """Drop repetitions, the earlier one stays, and mirror images in the border; largest first."""
    kept = []
    for face in found:
        (x, y), inside = face.crop.centre, pixels.shape
        if 0 <= x < inside[1] and 0 <= y < inside[0] and face.crop.side >= MIN_SIDE and not _known(face, kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.crop.side)
