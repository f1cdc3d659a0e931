"""Face detection in photos, including small, rotated and cut-off faces.

The result depends only on the pixels: every search ends after a counted number of tiles and faces, never after a time.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from torch import Tensor

from core.errors import FaceNotFound
from core.faces.align import Crop, align, crop_from_matrix, cut, pose_from_matrix, reflected_span
from core.faces.landmarker import LandmarkerResult, run_detector, run_landmarker
from core.faces.load_image import MIN_SIDE, PhotoSource, read_photo
from core.types import View

MAX_FACES = 64
"""Most faces of a photo. Where as many are found, the photo may show more."""
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
NEAR_WINDOW = 1.5
"""The same where a face is followed (`locate_near`): narrow, as landmarks are then most exact."""
TILE_LEVELS = (0.6, 0.3, 0.15)
"""Side of the tiles of each search level, as a fraction of the photo's long side. The detector finds faces whose crop
is at least 0.14 of a tile; the pass over the whole photo finds those of at least 0.2 of the long side."""
TILE_OVERLAP = 1 / 3
"""Fraction of a tile's side that it shares with its neighbour, so that each face lies whole in some tile."""
TILE_PIXELS = 256
"""Least side of a tile in pixels; where the photo has more, it is reduced by a whole factor."""
BOX_TO_CROP = 1.15
"""Side of a face's crop as a multiple of the side of the detector's box, on average."""
FINEST = 1024
"""Largest side of `Face.full` that `recut` gives, pixels: a texture of more takes too much memory."""
CONFIDENT, CONFIDENCE_MARGIN = 0.9, 0.05
"""Detector confidence, 0 to 1. The first accepts the photo as upright; the second is the lead a turned one needs."""


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
    photo_size: tuple[int, int]
    """Width and height of the photo, pixels. Parts of the crop outside it are reflected."""


@dataclass
class Detection:
    """A face in the photo's pixels, not yet cut out."""

    crop: Crop
    rotation: np.ndarray
    """(3,) pitch, yaw, roll in radians."""
    landmarks: np.ndarray
    """(478, 3) pixels, integer pixel centres; z likewise, smaller nearer."""
    blendshapes: dict[str, float]
    """52 expression scores in [0, 1]."""

    def within(self, frame: Crop, size: int) -> Detection:
        """Convert to the pixels of an outer photo, in which this `size`-pixel image covers the square `frame`."""
        crop = self.crop.within(frame, size)
        return Detection(crop, np.array([*self.rotation[:2], crop.roll]), frame.to_photo(self.landmarks, size),
                         self.blendshapes)


def find_faces(photo: PhotoSource, image_size: int = 64, full_size: int = 512, quick: bool = False) -> list[Face]:
    """Find and align every face of a photo.

    A photo on its side or upside down is turned first. The first pass sees the photo with a reflected border of
    25 %; where it finds no face, a pass with a wider border follows. Then overlapping tiles of decreasing size are
    searched for smaller faces (`locate`). The same photo gives the same faces at every call.

    Args:
        photo: anything `core.faces.load_image.read_photo` reads.
        image_size: side of `Face.image`.
        full_size: side of `Face.full`.
        quick: run only the first pass and skip the rotation test: for the frames of a video.

    Returns:
        1 to MAX_FACES faces, largest first. Where it is MAX_FACES, the photo may show more.

    Raises:
        FaceNotFound: no face was detected.
        ImageUnreadable, ImageTooLarge: from reading.
        ImageTooSmall: the photo, or the crop of a face, is smaller than 16 pixels.
        WeightsMissing, WeightsDamaged: the landmarker's model file.
    """
    pixels = read_photo(photo)
    faces = _detect_full(pixels) if quick else locate(pixels)
    return [cut_out(pixels, face, image_size, full_size) for face in _require_faces(faces)]


def find_face(photo: PhotoSource, image_size: int = 64, full_size: int = 512) -> Face:
    """Find and align the largest face, without the search for smaller ones. Arguments and errors as `find_faces`."""
    pixels = read_photo(photo)
    return cut_out(pixels, _require_faces(locate(pixels, others=False))[0], image_size, full_size)


def face_from_crop(photo: PhotoSource, crop: Crop, image_size: int = 64, full_size: int = 512) -> Face:
    """Cut out a face at a crop set by hand, without detection. Raises as `align` does."""
    pixels = read_photo(photo)
    corners = crop.to_photo(np.array([(x, y) for x in (-0.5, 0.5) for y in (-0.5, 0.5)]), 1)
    box = (*corners.min(0).tolist(), *corners.max(0).tolist())
    return Face(align(pixels, crop, image_size), align(pixels, crop, full_size), None, None, None, crop, box,
                _size(pixels))


def recut(photo: PhotoSource, face: Face) -> Face:
    """The same face of its photo with `full` at the photo's resolution, up to `FINEST`; raises as `align` does."""
    size, marks = face.full.shape[-1], face.landmarks
    full_size = max(size, min(FINEST, math.ceil(face.crop.side)))
    if marks is not None:
        marks = face.crop.from_photo(face.crop.to_photo(marks, size), full_size)
    return replace(face, full=align(photo, face.crop, full_size), landmarks=marks)


def locate(pixels: np.ndarray, others: bool = True) -> list[Detection]:
    """Detect faces without cutting them out.

    Search in tiles goes on while it finds smaller faces. At two cores a portrait takes 15 ms, a photo of 12 megapixels
    without a face 0.3 s, and 64 faces about 1 s, which is the most.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        others: search for smaller faces beside those of the whole photo.

    Returns:
        0 to MAX_FACES faces, largest first.
    """
    pixels, enlarge = _shrink(pixels, MAX_LONG_SIDE)
    turns = _quarter_turns(pixels)
    upright = np.ascontiguousarray(np.rot90(pixels, turns))
    found = _detect_full(upright) or _detect_padded(upright)
    if others or not found:
        found = _detect_tiled(upright, found)
    found = [_turned_over(upright, face) for face in found]
    frame = _upright_frame(pixels.shape, upright.shape, turns)
    return [face.within(frame, upright.shape[1]).within(*enlarge) for face in found]


def locate_near(pixels: np.ndarray, crop: Crop) -> Detection | None:
    """Detect a face again that was at `crop` in the frame before; None where it has moved farther than half a crop.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        crop: of the face in the frame before.
    """
    window = Crop(crop.centre, NEAR_WINDOW * crop.side, round(crop.roll / (math.pi / 2)) * math.pi / 2)
    found = [face for face in _deduplicate(_detect_in_window(pixels, window, MIN_SHORT_SIDE), pixels)
             if face.crop.same_face(crop)]
    return min(found, key=lambda face: math.dist(face.crop.centre, crop.centre), default=None)


def _require_faces(found: list[Detection]) -> list[Detection]:
    """Return the faces; raise FaceNotFound if there are none."""
    if not found:
        raise FaceNotFound("No face was found in this photo: choose one where a face is larger and well lit, "
                           "or set the crop by hand.")
    return found


def cut_out(pixels: np.ndarray, found: Detection, image_size: int, full_size: int) -> Face:
    """The aligned images of a face, and its landmarks in them."""
    xy = found.landmarks[:, :2]
    (left, top), (right, bottom) = xy.min(0).tolist(), xy.max(0).tolist()
    return Face(align(pixels, found.crop, image_size), align(pixels, found.crop, full_size),
                found.crop.from_photo(found.landmarks, full_size), found.blendshapes,
                View.of(*found.rotation), found.crop, (left, top, right, bottom), _size(pixels))


def _size(pixels: np.ndarray) -> tuple[int, int]:
    """Width and height of a photo (H, W, 3)."""
    return pixels.shape[1], pixels.shape[0]


def _detect_full(pixels: np.ndarray) -> list[Detection]:
    """First pass: the whole photo with a reflected border of PADDING."""
    border = [round(PADDING * side) for side in pixels.shape[:2]]
    padded = np.pad(pixels, ((border[0],) * 2, (border[1],) * 2, (0, 0)), mode="reflect")
    # A square as wide as the padded photo, upper left corners together, carries points back to the photo.
    side = padded.shape[1]
    frame = Crop((side / 2 - 0.5 - border[1], side / 2 - 0.5 - border[0]), side)
    enlarge = min(MIN_SHORT_SIDE / min(padded.shape[:2]), MAX_LONG_SIDE / max(padded.shape[:2]))
    if enlarge > 1:
        width, height = (round(side * enlarge) for side in padded.shape[1::-1])
        padded = np.asarray(Image.fromarray(padded).resize((width, height), Image.Resampling.BICUBIC))
    faces = [_detection_of(result, padded.shape).within(frame, padded.shape[1]) for result in run_landmarker(padded)]
    # The landmarker is less exact for heads on their side than for upright ones.
    lying = [face.crop for face in faces if abs(face.crop.roll) > math.pi / 4]
    return _deduplicate(_refine(pixels, lying) + faces, pixels)


def _detect_padded(pixels: np.ndarray) -> list[Detection]:
    """Second pass: the whole photo in a window PADDED_WINDOW times as large."""
    small, enlarge = _shrink(pixels, WINDOW)
    window = Crop(((small.shape[1] - 1) / 2, (small.shape[0] - 1) / 2), PADDED_WINDOW * max(small.shape))
    return _refine(pixels, [face.crop.within(*enlarge) for face in _detect_in_window(small, window, WINDOW)])


def _detect_tiled(pixels: np.ndarray, found: list[Detection]) -> list[Detection]:
    """Third pass: overlapping tiles, level by level, until one adds no face to those already found.

    All levels of a square photo have 4 + 25 + 100 tiles, and at most MAX_FACES candidates are refined at each.
    """
    for part in TILE_LEVELS:
        candidates = _boxes_in_tiles(pixels, part)
        new = [crop for crop in candidates if not any(crop.same_face(face.crop) for face in found)]
        more = _deduplicate([*found, *_refine(pixels, new[:MAX_FACES - len(found)])], pixels)
        if found and len(more) == len(found):
            break
        found = more
    return found


def _boxes_in_tiles(pixels: np.ndarray, part: float) -> list[Crop]:
    """Rough crops of what the detector takes for faces in tiles of this part of the long side, surest first."""
    factor = max(1, int(part * max(pixels.shape) / TILE_PIXELS))
    small = _reduce(pixels, factor)
    side = round(part * max(small.shape))
    boxes = []
    for row, column in _tiles(small.shape, side):
        rows, columns = (reflected_span(start, side, limit)
                         for start, limit in zip((row, column), small.shape, strict=False))
        for box in run_detector(small[rows][:, columns]):
            centre = ((box.centre[0] + column + 0.5) * factor - 0.5, (box.centre[1] + row + 0.5) * factor - 0.5)
            boxes.append((box.score, Crop(centre, BOX_TO_CROP * box.side * factor, box.roll)))
    boxes.sort(key=lambda box: -box[0])
    kept: list[Crop] = []
    for _, crop in boxes:
        if not any(crop.same_face(other) for other in kept):
            kept.append(crop)
    return kept


def _tiles(shape: tuple[int, ...], side: int) -> Iterator[tuple[int, int]]:
    """Row and column of the first pixel of overlapping square tiles; too small ones do not exist."""
    if side < 4 * MIN_SIDE:
        return
    step = side * (1 - TILE_OVERLAP)
    starts = []
    for length in shape[:2]:
        count = max(1, math.ceil((length - side) / step - 0.05) + 1)  # rounding of `side` must not add a row
        first, last = (0, length - side) if count > 1 else ((length - side) // 2,) * 2
        starts.append([round(start) for start in np.linspace(first, last, count)])
    yield from itertools.product(*starts)


def _detect_in_window(pixels: np.ndarray, window: Crop, size: int) -> list[Detection]:
    """Detect the faces of one square window, resampled to size × size pixels."""
    image = cut(pixels, window, size, fine=False)
    return [_detection_of(result, image.shape).within(window, size) for result in run_landmarker(image)]


def _refine(pixels: np.ndarray, crops: Sequence[Crop]) -> list[Detection]:
    """Detect each face again in a window around it; drop those that are not detected twice."""
    found = []
    for crop in crops:
        quarter = round(crop.roll / (math.pi / 2)) * math.pi / 2
        window = Crop(crop.centre, REFINE_WINDOW * crop.side, quarter)
        size = WINDOW if window.side > WINDOW / 2 else MIN_SHORT_SIDE
        again = [face for face in _detect_in_window(pixels, window, size) if face.crop.same_face(crop)]
        found += again[:1]
    return _deduplicate(found, pixels)


def _detection_of(result: LandmarkerResult, shape: tuple[int, ...]) -> Detection:
    """Add the crop and the rotation to a result of the landmarker on an image of this shape."""
    crop = crop_from_matrix(result.matrix, shape[1], shape[0])
    return Detection(crop, pose_from_matrix(result.matrix)[0], result.landmarks, result.blendshapes)


def _deduplicate(found: Sequence[Detection], pixels: np.ndarray) -> list[Detection]:
    """Drop repetitions (the first one stays), tiny faces, and mirror images in the border; largest first."""
    kept: list[Detection] = []
    for face in found:
        (x, y), (height, width) = face.crop.centre, pixels.shape[:2]
        inside = 0 <= x < width and 0 <= y < height and face.crop.side >= MIN_SIDE
        if inside and not any(face.crop.same_face(other.crop) for other in kept):
            kept.append(face)
    return sorted(kept, key=lambda face: -face.crop.side)


def _quarter_turns(pixels: np.ndarray) -> int:
    """Number of anticlockwise quarter turns, 0 to 3, that make the face of the photo upright within 45 degrees.

    The landmarker also reports faces that are upside down, but wrongly, so this comes first. The detector is more
    confident of upright faces: on the London Set at least 0.92, against at most 0.87 for others. All eighths of a turn
    are compared: of a face turned by 135 degrees each quarter turn shows a tilted one.
    """
    small = _reduce(pixels, max(1, max(pixels.shape) // MIN_SHORT_SIDE))
    small = np.pad(small, [(round(PADDING * side),) * 2 for side in small.shape[:2]] + [(0, 0)], mode="reflect")
    upright = _confidence(small)
    if upright >= CONFIDENT:
        return 0
    image = Image.fromarray(small)
    turned = [upright] + [_confidence(np.asarray(image.rotate(45 * eighths, Image.Resampling.BILINEAR, expand=True)))
                          for eighths in range(1, 8)]
    best = int(np.argmax(turned))
    if turned[best] <= upright + CONFIDENCE_MARGIN or best in (1, 7):
        return 0
    return max((best // 2, (best + 1) // 2), key=lambda quarters: turned[2 * quarters])


def _turned_over(pixels: np.ndarray, face: Detection) -> Detection:
    """The face, found again the other way up where the detector is surer of that: the whole photo hides small ones."""
    def sure(roll: float) -> float:
        window = Crop(face.crop.centre, REFINE_WINDOW * face.crop.side, roll)
        return _confidence(cut(pixels, window, MIN_SHORT_SIDE, fine=False))

    over, as_found = face.crop.roll + math.pi, sure(face.crop.roll)
    if as_found >= CONFIDENT or sure(over) <= as_found + CONFIDENCE_MARGIN:
        return face
    return next(iter(_refine(pixels, [replace(face.crop, roll=over)])), face)


def _confidence(pixels: np.ndarray) -> float:
    """The detector's confidence in its best face; 0 where it finds none."""
    return max((box.score for box in run_detector(pixels)), default=0.0)


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


def _reduce(pixels: np.ndarray, factor: int) -> np.ndarray:
    """The photo averaged over blocks of factor × factor pixels."""
    return pixels if factor == 1 else np.asarray(Image.fromarray(pixels).reduce(factor))
