"""Face detection in photos, including small, rotated and cut-off faces.

The result depends only on the pixels: every search ends after a counted number of windows, never after a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from PIL import Image
from torch import Tensor

from core.errors import FaceNotFound
from core.faces.align import Crop, align, crop_from_matrix, cut, pose_from_matrix
from core.faces.landmarker import LandmarkerResult, detector_confidence, run_landmarker
from core.faces.load_image import MIN_SIDE, PhotoSource, read_photo
from core.types import View

PADDING = 0.25
"""Width of the reflected border on each side of the photo, as a fraction of its width or height."""
MIN_SHORT_SIDE, MAX_LONG_SIDE = 256, 2048
"""Pixels. Smaller photos are enlarged, as the landmarker misses faces in them; larger ones are reduced."""
WINDOW = 512
"""Side in pixels of the landmarker's input for a padded photo or a large face."""
PADDED_WINDOW = 2.0
"""Side of the window around the whole photo in `_detect_padded`, as a multiple of the photo's long side."""
REFINE_WINDOW = 2.5
"""Side of the window in which a detection is refined, as a multiple of the side of its crop."""
LONE_FACE = 0.25
"""A crop at least this fraction of the long side marks a portrait: no search for other faces follows."""
TILE_LEVELS = (2, 4, 8)
"""Long side of the photo as a multiple of the window's side, one value for each level of the tiled search."""
MAX_WINDOWS = 400
"""Most windows of one tiled search, refinements included. All levels of a square photo have 16 + 49 + 196 = 261."""
CONFIDENT, CONFIDENCE_MARGIN = 0.85, 0.1
"""Detector confidence, 0 to 1. The first accepts the photo as upright; the second is the lead a rotated one needs."""


@dataclass
class Face:
    """One face of a photo, aligned."""

    image: Tensor
    """(3, n, n) RGB in [0, 1] at the model's size."""
    full: Tensor
    """(3, N, N) RGB in [0, 1], the same square at full resolution."""
    landmarks: np.ndarray | None
    """(478, 3) pixels of `full`, integer pixel centres; z likewise, smaller nearer. None: crop by hand."""
    blendshapes: dict[str, float] | None
    """52 expression scores in [0, 1]."""
    pose: View | None
    """MediaPipe's pitch, yaw and roll **in the photo**, in core.geometry.camera's axes: for comparison, never a
    training target. In `image` and `full` roll and shift are zero, because `crop` removes them."""
    crop: Crop
    """The square that was cut."""
    box: tuple[float, float, float, float]
    """Left, top, right, bottom of the landmarks (or of the crop) in the photo's pixels."""


@dataclass
class Detection:
    """A detected face in the photo's pixels, not yet cut out."""

    crop: Crop
    rotation: np.ndarray
    """(3,) pitch, yaw, roll in radians, in core.geometry.camera's axes."""
    landmarks: np.ndarray
    """(478, 3) pixels of the photo, integer pixel centres; z in the same unit, smaller nearer."""
    blendshapes: dict[str, float]
    """52 expression scores in [0, 1]."""

    def within(self, frame: Crop, size: int) -> Detection:
        """Convert to the pixels of an outer photo, in which this `size`-pixel image covers the square `frame`."""
        centre = frame.to_photo(np.array(self.crop.centre), size)
        roll = math.remainder(self.crop.roll + frame.roll, 2 * math.pi)
        crop = Crop((float(centre[0]), float(centre[1])), self.crop.side * frame.side / size, roll)
        return Detection(crop, np.array([*self.rotation[:2], roll]), frame.to_photo(self.landmarks, size),
                     self.blendshapes)


def find_faces(photo: PhotoSource, image_size: int = 64, full_size: int = 512, quick: bool = False) -> list[Face]:
    """Find and align every face of a photo.

    A photo on its side or upside down is turned first. Three passes follow until a face is found: the photo with
    a reflected border of 25 %; with a wider border; overlapping windows of decreasing size (`locate`).

    Args:
        photo: anything `core.faces.load_image.read_photo` reads.
        image_size: side of `Face.image`.
        full_size: side of `Face.full`.
        quick: run only the first pass and skip the rotation test: for the frames of a video.

    Returns:
        At least one face, largest first.

    Raises:
        FaceNotFound: no face was detected.
        ImageUnreadable, ImageTooLarge: from reading.
        ImageTooSmall: the photo, or the crop of a face, is smaller than 16 pixels.
        WeightsMissing, WeightsDamaged: the landmarker's model file.
    """
    pixels = read_photo(photo)
    found = _detect_full(pixels) if quick else locate(pixels)
    return [_cut_out(pixels, one, image_size, full_size) for one in _require_faces(found)]


def find_face(photo: PhotoSource, image_size: int = 64, full_size: int = 512) -> Face:
    """Find and align the largest face, without the search for smaller ones. Arguments and errors as `find_faces`."""
    pixels = read_photo(photo)
    return _cut_out(pixels, _require_faces(locate(pixels, others=False))[0], image_size, full_size)


def face_from_crop(photo: PhotoSource, crop: Crop, image_size: int = 64, full_size: int = 512) -> Face:
    """Cut out a face at a crop set by hand, without detection. Raises as `align` does."""
    pixels = read_photo(photo)
    corners = crop.to_photo(np.array([(x, y) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]), 1)
    box = (*corners.min(0).tolist(), *corners.max(0).tolist())
    return Face(align(pixels, crop, image_size), align(pixels, crop, full_size), None, None, None, crop, box)


def locate(pixels: np.ndarray, others: bool = True) -> list[Detection]:
    """Detect faces without cutting them out.

    The tiled search runs if no face is found otherwise, and for more faces beside a small one. It runs the
    landmarker at most MAX_WINDOWS + 8 times: 1 ms for an empty window, 10 ms for one face, so at worst some seconds.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        others: search for more faces beside a small one.

    Returns:
        The faces, largest first; empty if there are none.
    """
    pixels, enlarge = _shrink(pixels, MAX_LONG_SIDE)
    turns = _quarter_turns(pixels)
    upright = np.ascontiguousarray(np.rot90(pixels, turns))
    found = _detect_full(upright) or _detect_padded(upright)
    if not found:
        found = _detect_tiled(upright, TILE_LEVELS)
    elif others and found[0].crop.side < LONE_FACE * max(pixels.shape):
        found = _detect_tiled(upright, TILE_LEVELS[:1], found)
    page = _upright_frame(pixels.shape, upright.shape, turns)
    return [face.within(page, upright.shape[1]).within(*enlarge) for face in found]


def _require_faces(found: list[Detection]) -> list[Detection]:
    """Return the faces; raise FaceNotFound if there are none."""
    if not found:
        raise FaceNotFound("No face was found in this photo: choose one where a face is larger and well lit, "
                           "or set the crop by hand.")
    return found


def _cut_out(pixels: np.ndarray, found: Detection, image_size: int, full_size: int) -> Face:
    xy = found.landmarks[:, :2]
    return Face(align(pixels, found.crop, image_size), align(pixels, found.crop, full_size),
                found.crop.from_photo(found.landmarks, full_size), found.blendshapes,
                View.of(*found.rotation), found.crop, (*xy.min(0).tolist(), *xy.max(0).tolist()))


def _detect_full(pixels: np.ndarray) -> list[Detection]:
    """First pass: the whole photo with a reflected border of PADDING."""
    border = [round(PADDING * side) for side in pixels.shape[:2]]
    padded = np.pad(pixels, ((border[0],) * 2, (border[1],) * 2, (0, 0)), mode="reflect")
    # A square as wide as the padded photo, upper left corners together, carries points back to the photo.
    side = padded.shape[1]
    frame = Crop((side / 2 - 0.5 - border[1], side / 2 - 0.5 - border[0]), side)
    grow = min(MIN_SHORT_SIDE / min(padded.shape[:2]), MAX_LONG_SIDE / max(padded.shape[:2]))
    if grow > 1:
        size = [round(side * grow) for side in padded.shape[1::-1]]
        padded = np.asarray(Image.fromarray(padded).resize(size, Image.Resampling.BICUBIC))
    faces = [_detection_of(result, padded.shape).within(frame, padded.shape[1]) for result in run_landmarker(padded)]
    # The landmarker is less exact for heads on their side than for upright ones.
    lying = [face for face in faces if abs(face.crop.roll) > math.pi / 4]
    return _deduplicate(_refine(pixels, lying) + faces, pixels)


def _quarter_turns(pixels: np.ndarray) -> int:
    """Number of anticlockwise quarter turns, 0 to 3, that make the face of the photo upright.

    The landmarker also reports faces that are upside down, but wrongly, so this comes first. The detector is more
    confident of upright faces: on the London Set at least 0.92, against at most 0.82 for upside down.
    """
    small, _ = _shrink(pixels, MIN_SHORT_SIDE)
    small = np.pad(small, [(round(PADDING * side),) * 2 for side in small.shape[:2]] + [(0, 0)], mode="reflect")
    upright = detector_confidence(small)
    if upright >= CONFIDENT:
        return 0
    turned = [detector_confidence(np.rot90(small, turns)) for turns in (1, 2, 3)]
    return int(np.argmax(turned)) + 1 if max(turned) > upright + CONFIDENCE_MARGIN else 0


def _upright_frame(shape: tuple[int, ...], turned: tuple[int, ...], turns: int) -> Crop:
    """Frame of the photo of shape `turned`, in the photo of `shape` before the `turns`.

    It is a square as wide as the turned photo; their upper left corners coincide.
    """
    roll = turns * math.pi / 2
    drop = (turned[1] - turned[0]) / 2
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    return Crop((x - math.sin(roll) * drop, y + math.cos(roll) * drop), turned[1], roll)


def _shrink(pixels: np.ndarray, longest: int) -> tuple[np.ndarray, tuple[Crop, int]]:
    """Reduce the long side to at most `longest` pixels; also return the arguments of `within` that undo it."""
    factor = max(1.0, max(pixels.shape) / longest)
    if factor > 1:
        size = [max(1, round(side / factor)) for side in pixels.shape[1::-1]]
        pixels = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX, reducing_gap=2.0))
    return pixels, (Crop(((factor - 1) / 2, (factor - 1) / 2), factor), 1)


def _detect_padded(pixels: np.ndarray) -> list[Detection]:
    """Second pass: the whole photo in a window PADDED_WINDOW times as large."""
    small, enlarge = _shrink(pixels, WINDOW)
    frame = Crop(((small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2), PADDED_WINDOW * max(small.shape))
    return _refine(pixels, [face.within(*enlarge) for face in _detect_in_window(small, frame, WINDOW)])


def _detect_tiled(pixels: np.ndarray, levels: Iterable[int], found: Iterable[Detection] = ()) -> list[Detection]:
    """Third pass: overlapping windows, level by level until one has new faces; at most about MAX_WINDOWS windows.

    Each new face costs one window more for its refinement, so only photos with crowds reach the limit.
    """
    found = list(found)
    before, looked = len(found), 0
    for level in levels:
        small, enlarge = _shrink(pixels, MIN_SHORT_SIDE * level)
        for window in _windows(small.shape, max(small.shape) / level):
            if looked >= MAX_WINDOWS:
                return found
            faces = [face.within(*enlarge) for face in _detect_in_window(small, window, MIN_SHORT_SIDE)]
            new = [face for face in faces if not _is_known(face, found)]
            found = _deduplicate([*found, *_refine(pixels, new)], pixels)
            looked += 1 + len(new)
        if len(found) > before:
            break
    return found


def _windows(shape: tuple[int, ...], side: float) -> Iterator[Crop]:
    """Squares of this side that cover the photo with 40 % overlap, row by row; none if too small to hold a face."""
    if side >= 4 * MIN_SIDE:
        rows, columns = (math.ceil(length / (0.6 * side)) for length in shape[:2])
        for row, column in itertools.product(range(rows), range(columns)):
            yield Crop(((column + 0.5) * shape[1] / columns - 0.5, (row + 0.5) * shape[0] / rows - 0.5), side)


def _detect_in_window(pixels: np.ndarray, window: Crop, size: int) -> list[Detection]:
    """Detect the faces of one square window, resampled to size × size pixels."""
    image = cut(pixels, window, size, fine=False)
    return [_detection_of(result, image.shape).within(window, size) for result in run_landmarker(image)]


def _refine(pixels: np.ndarray, found: list[Detection]) -> list[Detection]:
    """Detect each face again in a window around it; drop those that are not detected twice."""
    result = []
    for first in found:
        upright = round(first.crop.roll / (math.pi / 2)) * math.pi / 2
        window = Crop(first.crop.centre, REFINE_WINDOW * first.crop.side, upright)
        again = _detect_in_window(pixels, window, WINDOW if window.side > WINDOW / 2 else MIN_SHORT_SIDE)
        result += [face for face in again if _is_known(face, [first])][:1]
    return _deduplicate(result, pixels)


def _detection_of(result: LandmarkerResult, shape: tuple[int, ...]) -> Detection:
    """Add the crop and the rotation to a result of the landmarker on an image of this shape."""
    crop = crop_from_matrix(result.matrix, shape[1], shape[0])
    return Detection(crop, pose_from_matrix(result.matrix)[0], result.landmarks, result.blendshapes)


def _is_known(face: Detection, others: Iterable[Detection]) -> bool:
    """Whether one of the others is the same face: their centres are less than half a crop apart."""
    return any(math.dist(face.crop.centre, other.crop.centre) < max(face.crop.side, other.crop.side) / 2
               for other in others)


def _deduplicate(found: list[Detection], pixels: np.ndarray) -> list[Detection]:
    """Drop repeated faces (the first one stays) and faces in the reflected border; largest first."""
    kept = []
    for face in found:
        (x, y), inside = face.crop.centre, pixels.shape
        if 0 <= x < inside[1] and 0 <= y < inside[0] and face.crop.side >= MIN_SIDE and not _is_known(face, kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.crop.side)
