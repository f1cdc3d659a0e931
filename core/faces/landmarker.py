"""MediaPipe's face landmarker and face detector. Graphs are created once; calls are thread-safe.

Known defect (mediapipe 1.2.2): after one invalid packet a graph fails on every later one. So graphs only get
contiguous RGB, and after any exception they are created again.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.config import ASSETS
from core.errors import LatentFaceError, WeightsDamaged, WeightsMissing

MODEL_PATH = ASSETS / "models" / "face_landmarker.task"
MAX_FACES = 8

_lock = threading.Lock()
_graphs: dict[Callable[[], Any], Any] = {}


@dataclass
class LandmarkerResult:
    """One face as MediaPipe reports it."""

    landmarks: np.ndarray
    """(478, 3) pixels of the image, integer pixel centres; z in the same unit, smaller is nearer."""
    matrix: np.ndarray
    """(4, 4) metric pose, see core.faces.align.pose_from_matrix."""
    blendshapes: dict[str, float]
    """52 scores in [0, 1]."""


def run_landmarker(pixels: np.ndarray) -> list[LandmarkerResult]:
    """Run the landmarker once.

    Args:
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        Up to eight faces in MediaPipe's order.

    Raises:
        WeightsMissing, WeightsDamaged: the model file is missing or cannot be loaded.
        LatentFaceError: it failed twice on this image.
    """
    return _unpack(_run_safely(_landmarker, pixels), pixels.shape)


def detector_confidence(pixels: np.ndarray) -> float:
    """Confidence of the face detector in its best face, 0 to 1; 0 if there is none.

    The detector is part of the landmarker's model file. Arguments and errors as `run_landmarker`.
    """
    found = _run_safely(_detector, pixels).detections
    return max((face.categories[0].score for face in found), default=0.0)


def close() -> None:
    """Free the graphs; the next call creates new ones."""
    while _graphs:
        with contextlib.suppress(Exception):  # a broken graph also fails to close
            _graphs.popitem()[1].close()


atexit.register(close)


def _run_safely(make: Callable[[], Any], pixels: np.ndarray) -> Any:
    """Run the graph that `make` creates, created at its first call and again, once, after an exception."""
    pixels = np.ascontiguousarray(pixels)
    with _lock:
        for attempt in range(2):
            try:
                if make not in _graphs:
                    _graphs[make] = _create_graph(make)
                return _run_graph(_graphs[make], pixels)
            except LatentFaceError:
                raise
            except Exception as error:  # after any exception the graph is unusable
                close()
                if attempt:
                    raise LatentFaceError("Face detection failed here: set the crop by hand.") from error


def _run_graph(graph, pixels):
    import mediapipe

    return graph.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels))


def _create_graph(make):
    if not MODEL_PATH.is_file():
        raise WeightsMissing(f"{MODEL_PATH} is missing, without it no face can be found: restore it from the "
                             "repository.")
    try:
        with _stderr_silenced():
            graph = make()
            _run_graph(graph, np.zeros((64, 64, 3), np.uint8))
        return graph
    except (RuntimeError, ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsDamaged(f"{MODEL_PATH} cannot be loaded: restore it from the repository.") from error


def _landmarker():
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarker, FaceLandmarkerOptions

    return FaceLandmarker.create_from_options(FaceLandmarkerOptions(
        BaseOptions(model_asset_path=str(MODEL_PATH)), num_faces=MAX_FACES,
        output_face_blendshapes=True, output_facial_transformation_matrixes=True))


def _detector():
    from mediapipe.tasks.python.core.base_options import BaseOptions
    from mediapipe.tasks.python.vision.face_detector import FaceDetector, FaceDetectorOptions

    with zipfile.ZipFile(MODEL_PATH) as bundle:
        model = bundle.read("face_detector.tflite")
    return FaceDetector.create_from_options(FaceDetectorOptions(BaseOptions(model_asset_buffer=model)))


@contextlib.contextmanager
def _stderr_silenced() -> Iterator[None]:
    """Discard what MediaPipe's C++ code writes to stderr when a graph is created; no setting turns it off."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _unpack(result: Any, shape: tuple[int, ...]) -> list[LandmarkerResult]:
    """Convert MediaPipe's result for an image of this shape to pixels."""
    height, width = shape[:2]
    unit = np.array([width, height, width])  # MediaPipe measures z in image widths
    faces = zip(result.face_landmarks, result.facial_transformation_matrixes, result.face_blendshapes,
                strict=True)
    return [LandmarkerResult(np.array([(p.x, p.y, p.z) for p in points]) * unit - (0.5, 0.5, 0), np.array(matrix),
                {score.category_name: score.score for score in scores}) for points, matrix, scores in faces]
