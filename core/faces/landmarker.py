"""MediaPipe's face landmarker and detector, kept alive, quiet and safe to call from several threads.

Hazard (mediapipe 1.2.2): after one packet it dislikes the graph stays in an error for good. So it only ever
sees contiguous RGB of sane size, and after any exception it is made anew.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import zipfile
from dataclasses import dataclass

import numpy as np

from core.config import ASSETS
from core.errors import LatentFaceError, WeightsDamaged, WeightsMissing

MODEL_PATH = ASSETS / "models" / "face_landmarker.task"
MAX_FACES = 8

_lock = threading.Lock()
_graphs = {}


@dataclass
class Raw:
    """One face as MediaPipe reports it."""

    landmarks: np.ndarray
    """(478, 3) pixels of the picture given, integer pixel centres; z in the same unit, smaller is nearer."""
    matrix: np.ndarray
    """(4, 4) metric pose, see core.faces.align.pose_from_matrix."""
    blendshapes: dict[str, float]
    """52 scores in [0, 1]."""


def detect(pixels: np.ndarray) -> list[Raw]:
    """Run the landmarker once.

    Args:
        pixels: (H, W, 3) uint8 RGB.

    Returns:
        Up to eight faces in MediaPipe's order.

    Raises:
        WeightsMissing, WeightsDamaged: the model file is not there, or is not what it should be.
        LatentFaceError: it failed twice on this picture.
    """
    return _unpack(_call(_landmarker, pixels), pixels.shape)


def confidence(pixels: np.ndarray) -> float:
    """How sure the detector inside the same bundle is of its best face, 0 to 1; arguments as for `detect`."""
    found = _call(_detector, pixels).detections
    return max((face.categories[0].score for face in found), default=0.0)


def close():
    """Free the graphs; the next call makes new ones."""
    while _graphs:
        with contextlib.suppress(Exception):  # a broken graph also fails to close
            _graphs.popitem()[1].close()


atexit.register(close)


def _call(make, pixels):
    """Run one graph, made at its first call and made anew after an exception."""
    pixels = np.ascontiguousarray(pixels)
    with _lock:
        for attempt in range(2):
            try:
                if make not in _graphs:
                    _graphs[make] = _created(make)
                return _run(_graphs[make], pixels)
            except LatentFaceError:
                raise
            except Exception as error:  # whatever it was, this graph cannot be trusted any more
                close()
                if attempt:
                    raise LatentFaceError("Face detection failed here: set the crop by hand.") from error


def _run(graph, pixels):
    import mediapipe

    return graph.detect(mediapipe.Image(mediapipe.ImageFormat.SRGB, pixels))


def _created(make):
    if not MODEL_PATH.is_file():
        raise WeightsMissing(f"{MODEL_PATH} is missing, without it no face can be found: restore it from the "
                             "repository.")
    try:
        with _quiet():
            graph = make()
            _run(graph, np.zeros((64, 64, 3), np.uint8))
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
def _quiet():
    """Swallow what MediaPipe's C++ side writes to stderr at its start; no variable or flag silences it."""
    saved = os.dup(2)
    try:
        with open(os.devnull, "w") as sink:
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def _unpack(result, shape):
    """MediaPipe's result to a list of Raw."""
    height, width = shape[:2]
    unit = np.array([width, height, width])  # MediaPipe measures z in picture widths
    faces = zip(result.face_landmarks, result.facial_transformation_matrixes, result.face_blendshapes,
                strict=True)
    return [Raw(np.array([(p.x, p.y, p.z) for p in points]) * unit - (0.5, 0.5, 0), np.array(matrix),
                {score.category_name: score.score for score in scores}) for points, matrix, scores in faces]
