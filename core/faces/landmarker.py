"""MediaPipe's face landmarker and face detector. Graphs are created once; calls are safe in threads and after a fork.

Known defect (mediapipe 1.2.2): after one invalid packet a graph fails on every later one. So graphs only get
contiguous RGB, and after any exception they are created again. What a graph saw before does not change its results.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.config import ASSETS
from core.errors import LatentFaceError, WeightsDamaged, WeightsMissing

if TYPE_CHECKING:
    from mediapipe.tasks.python.vision.face_detector import FaceDetector
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker

MODEL_PATH = ASSETS / "models" / "face_landmarker.task"
FACES_PER_RUN = 8
"""Faces that one run of the landmarker finds at most."""

_lock = threading.RLock()
_graphs: dict[Callable[[], Any], Any] = {}


@dataclass
class LandmarkerResult:
    """One face as the landmarker reports it."""

    landmarks: np.ndarray
    """(478, 3) pixels of the given image, integer pixel centres; z in the same unit, smaller is nearer."""
    matrix: np.ndarray
    """(4, 4) metric pose, see core.faces.align.pose_from_matrix."""
    blendshapes: dict[str, float]
    """52 scores in [0, 1]."""


@dataclass
class DetectorResult:
    """One face as the detector reports it: a square box from the brows to the chin."""

    score: float
    """Confidence, 0.5 to 1."""
    centre: tuple[float, float]
    """(x, y) pixels of the given image, integer pixel centres."""
    side: float
    """Side of the box in pixels."""
    roll: float
    """Clockwise turn of the line through both eyes, radians."""


def run_landmarker(pixels: np.ndarray) -> list[LandmarkerResult]:
    """Find the landmarks of the large faces in an image (crops of about 0.12 of its side or more).

    Args:
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        Up to eight faces in MediaPipe's order.

    Raises:
        WeightsMissing, WeightsDamaged: the model file is missing or damaged.
        LatentFaceError: MediaPipe failed twice on this image.
    """
    height, width = pixels.shape[:2]
    result = _run(_make_landmarker, pixels)
    unit = np.array([width, height, width])  # MediaPipe measures z in image widths
    faces = zip(result.face_landmarks, result.facial_transformation_matrixes, result.face_blendshapes, strict=True)
    return [LandmarkerResult(np.array([(p.x, p.y, p.z) for p in points]) * unit - (0.5, 0.5, 0), np.array(matrix),
                             {score.category_name: score.score for score in scores})
            for points, matrix, scores in faces]


def run_detector(pixels: np.ndarray) -> list[DetectorResult]:
    """Find only the boxes of the faces, in a sixth of the time; arguments and errors as of `run_landmarker`."""
    height, width = pixels.shape[:2]
    results = []
    for face in _run(_make_detector, pixels).detections:
        box, (right_eye, left_eye) = face.bounding_box, face.keypoints[:2]
        roll = math.atan2((left_eye.y - right_eye.y) * height, (left_eye.x - right_eye.x) * width)
        centre = (box.origin_x + (box.width - 1) / 2, box.origin_y + (box.height - 1) / 2)
        results.append(DetectorResult(face.categories[0].score, centre, float(box.width), roll))
    return results


def close() -> None:
    """Free the graphs; the next call makes new ones."""
    while _graphs:
        with contextlib.suppress(Exception):  # a broken graph also fails to close
            _graphs.popitem()[1].close()


def _run(make: Callable[[], Any], pixels: np.ndarray) -> Any:
    """MediaPipe's result of one graph, which is made at its first call and made anew after an exception."""
    pixels = np.ascontiguousarray(pixels)
    with _lock:
        for last in (False, True):
            try:
                return _detect(_graph(make), pixels)
            except LatentFaceError:
                raise
            except Exception as error:  # whatever it was, this graph cannot be trusted any more
                close()
                if last:
                    raise LatentFaceError("Face detection failed here: set the crop by hand.") from error


def _detect(graph: Any, pixels: np.ndarray) -> Any:
    import mediapipe

    return graph.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels))


def _graph(make: Callable[[], Any]) -> Any:
    """The living graph of a kind, made and tried where there is none."""
    if make in _graphs:
        return _graphs[make]
    if not MODEL_PATH.is_file():
        raise WeightsMissing(f"{MODEL_PATH} is missing, without it no face can be found: restore it from the "
                             "repository.")
    try:
        with _stderr_silenced():
            graph = make()
            _detect(graph, np.zeros((64, 64, 3), np.uint8))
    except (RuntimeError, ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsDamaged(f"{MODEL_PATH} cannot be loaded: restore it from the repository.") from error
    _graphs[make] = graph
    return graph


def _make_landmarker() -> FaceLandmarker:
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

    return FaceLandmarker.create_from_options(FaceLandmarkerOptions(
        BaseOptions(model_asset_path=str(MODEL_PATH)), num_faces=FACES_PER_RUN,
        output_face_blendshapes=True, output_facial_transformation_matrixes=True))


def _make_detector() -> FaceDetector:
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision.face_detector import FaceDetector, FaceDetectorOptions

    with zipfile.ZipFile(MODEL_PATH) as bundle:
        model = bundle.read("face_detector.tflite")
    return FaceDetector.create_from_options(FaceDetectorOptions(BaseOptions(model_asset_buffer=model)))


@contextlib.contextmanager
def _stderr_silenced() -> Iterator[None]:
    """Discard what MediaPipe's C++ code writes to stderr when a graph is created; no setting turns it off.

    A closed stderr is opened on the null device for good. Else the next file that the process opens would become
    descriptor 2, and MediaPipe would write its log into that file.
    """
    try:
        saved = os.dup(2)
    except OSError:
        saved = os.open(os.devnull, os.O_WRONLY)  # this may be descriptor 2 itself
    try:
        with open(os.devnull, "w") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        if saved != 2:
            os.close(saved)


def _abandon_graphs() -> None:
    """In a forked child: forget the parent's graphs without closing them, since their threads do not exist here."""
    global _lock
    _lock = threading.RLock()
    for graph in _graphs.values():
        graph._handle = None  # else the finalizer waits for those threads for ever
    _graphs.clear()


atexit.register(close)
if hasattr(os, "register_at_fork"):
    # A fork waits until no graph runs, so that the child inherits no lock of MediaPipe's in a locked state.
    os.register_at_fork(before=lambda: _lock.acquire(), after_in_parent=lambda: _lock.release(),
                        after_in_child=_abandon_graphs)
