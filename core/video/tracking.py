"""Follow one face through a film: found again near where it was, or by its appearance after a cut or an absence."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from core.arguments import check_face
from core.errors import FaceNotFound
from core.faces.align import Crop
from core.faces.detect import Detection, Face, cut_out, locate, locate_near
from core.video.reader import Frame
from core.video.smoothing import OneEuro

THUMBNAIL = 24
"""Side of the images by which cuts are detected, pixels."""
CUT = 0.12
"""Mean change of a thumbnail from one frame to the next, of 1 from black to white, that is a cut."""
SEARCH_SECONDS = 0.2
"""A face that is absent is searched for at this interval."""
DESCRIBE_SECONDS = 0.5
"""Interval at which the appearance of the followed face is learnt."""
CROP_FILTER = 2.0, 40.0
"""Cutoff and beta of the crop's filter; speeds are sides of the crop, or radians, a second."""
LANDMARK_FILTER = 3.0, 40.0
"""Cutoff and beta of the landmarks' filter; speeds are sides of the crop a second."""


@dataclass(frozen=True)
class Sighting:
    """The followed face in one frame."""

    time: float
    """Seconds since the film's first frame."""
    face: Face
    """Aligned by the smoothed crop, with smoothed landmarks."""
    start: bool
    """Whether nothing connects it with the frame before: the film's first face, after a cut, or after an absence."""


class FaceTracker:
    """Follows one face, frame by frame. The result is a function of the frames and their times alone.

    Args:
        describe: gives the appearance of a face, a vector; faces of one person are near each other.
        reach: largest distance (root mean square) from the mean appearance of a face that returns.
        number: of the face in the first frame that shows any, 1 is the largest.
        image_size, full_size: sides of `Face.image` and `Face.full`.
    """

    def __init__(self, describe: Callable[[Face], np.ndarray], reach: float, number: int, image_size: int,
                 full_size: int):
        self._describe, self._reach, self._number, self._sizes = describe, reach, number, (image_size, full_size)
        self._crop_filter, self._landmark_filter = OneEuro(*CROP_FILTER), OneEuro(*LANDMARK_FILTER)
        self._thumbnail: np.ndarray | None = None
        self._last: Detection | None = None
        self._start: Crop | None = None
        self._roll = 0.0
        self._searched = self._described = -math.inf
        self._appearances: list[np.ndarray] = []

    def __call__(self, frame: Frame) -> Sighting | None:
        """The face in the next frame; None where it is not there.

        Raises:
            ArgumentInvalid, FaceNotFound: the first frame with a face has none of this number.
        """
        last = None if self._is_cut(frame.pixels) else self._last
        found = (last and locate_near(frame.pixels, last.crop)) or self._search(frame)
        start = found is not None and (last is None or not found.crop.same_face(last.crop))
        self._last = found
        if found is None:
            return None
        if start:
            self._start = None
            self._crop_filter.reset()
            self._landmark_filter.reset()
        face = cut_out(frame.pixels, self._smoothed(frame.time, found), *self._sizes)
        if start or frame.time - self._described >= DESCRIBE_SECONDS:
            self._learn(frame.time, face)
        return Sighting(frame.time, face, start)

    def _is_cut(self, pixels: np.ndarray) -> bool:
        image = Image.fromarray(pixels).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX, reducing_gap=2.0)
        before, self._thumbnail = self._thumbnail, np.asarray(image, np.float32) / 255
        return before is not None and float(np.abs(self._thumbnail - before).mean()) > CUT

    def _search(self, frame: Frame) -> Detection | None:
        """The followed face anywhere in a frame."""
        if self._last is None and frame.time - self._searched < SEARCH_SECONDS:
            return None
        self._searched = frame.time
        found = locate(frame.pixels)
        if not self._appearances:
            return found[check_face(self._number, len(found)) - 1] if found else None
        near = [(self._unlikeness(cut_out(frame.pixels, one, *self._sizes)), one) for one in found]
        least, face = min(near, key=lambda pair: pair[0], default=(math.inf, None))
        return face if least <= self._reach else None

    def _unlikeness(self, face: Face) -> float:
        """Distance of a face from the mean appearance."""
        return math.sqrt(((self._describe(face) - np.mean(self._appearances, 0)) ** 2).mean())

    def _learn(self, time: float, face: Face) -> None:
        self._described = time
        self._appearances.append(self._describe(face))

    def _smoothed(self, time: float, found: Detection) -> Detection:
        """The detection with crop and landmarks smoothed over time; the landmarks stay where the face is."""
        crop = found.crop
        places = self._landmark_filter(time, crop.from_photo(found.landmarks, 1))
        roll = crop.roll if self._start is None else self._roll + math.remainder(crop.roll - self._roll, 2 * math.pi)
        self._start, self._roll = self._start or crop, roll
        unit = self._start.side
        x, y, size, roll = self._crop_filter(time, np.array([*(part / unit for part in crop.centre),
                                                             math.log(crop.side / unit), roll])).tolist()
        smooth = Crop((x * unit, y * unit), math.exp(size) * unit, math.remainder(roll, 2 * math.pi))
        return replace(found, crop=smooth, landmarks=crop.to_photo(places, 1))


def follow(frames: Iterable[Frame], tracker: FaceTracker) -> Iterator[Sighting]:
    """The sightings of the followed face.

    Raises:
        FaceNotFound: no frame shows a face.
    """
    seen = False
    for frame in frames:
        sighting = tracker(frame)
        if sighting is not None:
            seen = True
            yield sighting
    if not seen:
        raise FaceNotFound("No face was found in this film: choose one where a face is larger and well lit.")
