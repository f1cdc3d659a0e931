"""Session files: a photo, its faces and the page's settings, to continue later.

Factors are not stored: whoever opens the file analyses the face again, with the weights in use. A session file is a
safetensors file: arrays and one JSON text, no code. It may come from anybody: all of it is checked.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.arguments import check_integer, check_number
from core.errors import LatentFaceError, SessionUnreadable
from core.export.provenance import SYNTHETIC
from core.faces import Crop, Face
from core.faces.load_image import MAX_BYTES, read_photo
from core.files import write_bytes
from core.geometry.landmark_warp import LANDMARKS
from core.model.weights import read_safetensors
from core.types import View

FORMAT = "LatentFace session 1"
LOSSLESS_BYTES = 10 * 2**20
"""Photos whose PNG is larger are stored as JPEG; their aligned faces are stored exactly all the same."""
DONORS = ("donor", "identity_donor")
"""Fields of `SavedSession` that are sessions themselves, and prefixes of the names of their arrays."""
FULL = 512
"""Side of `Face.full`."""


@dataclass
class SavedSession:
    """What a session file holds."""

    photo: np.ndarray
    """(H, W, 3) uint8."""
    faces: list[Face]
    index: int
    """The face that is shown."""
    weights: str
    """Fingerprint of the model that was used (LatentFace.fingerprint); empty in files of earlier versions."""
    settings: dict
    """Plain values, unchecked."""
    donor: SavedSession | None = None
    """The expression source."""
    identity_donor: SavedSession | None = None
    """The face whose identity is blended in."""


def write_session(saved: SavedSession, path: str | Path, overwrite: bool = False) -> None:
    """Write a session file; `overwrite` and errors as of `core.files.writing`."""
    from safetensors.torch import save

    arrays, values = _pack(saved)
    for donor in DONORS:
        if lender := getattr(saved, donor):
            lent, values[donor] = _pack(lender)
            arrays |= {f"{donor}.{name}": array for name, array in lent.items()}
    metadata = {"format": FORMAT, "session": json.dumps(values), "synthetic": SYNTHETIC["note"]}
    arrays = {name: array.detach().clone(memory_format=torch.contiguous_format) for name, array in arrays.items()}
    write_bytes(path, save(arrays, metadata), overwrite)


def read_session(path: str | Path) -> SavedSession:
    """Read a file of `write_session`.

    Raises:
        SessionUnreadable: it is something else, damaged, or holds what no face can have.
    """
    from safetensors import SafetensorError

    try:
        if Path(path).stat().st_size > MAX_BYTES * 2:
            raise ValueError("too large")
        arrays, metadata = read_safetensors(path)
        if metadata.get("format") != FORMAT:
            raise ValueError("another format")
        return _unpack(_Arrays(arrays), json.loads(metadata["session"]))
    except (SafetensorError, OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError,
            RecursionError, LatentFaceError) as error:
        raise SessionUnreadable("This is not a session file of LatentFace, or it is damaged: choose one that was "
                                "exported here.") from error


class _Arrays(dict):
    """Named tensors that are taken out with the shape and range they must have; ValueError where they do not."""

    def take(self, name: str, *shape: int, low: float, high: float) -> Tensor:
        array = self[name]
        if tuple(array.shape) != shape or array.dtype not in (torch.float32, torch.float64, torch.uint8):
            raise ValueError(f"{name} has another shape")
        if not (array.min() >= low and array.max() <= high):  # also false for NaN
            raise ValueError(f"{name} is out of range")
        return array


def _pack(saved: SavedSession) -> tuple[dict[str, Tensor], dict]:
    """Arrays by name, and plain values."""
    arrays = {"photo": torch.frombuffer(bytearray(_photo_bytes(saved.photo)), dtype=torch.uint8)}
    for number, face in enumerate(saved.faces):
        arrays[f"image{number}"] = face.image
        arrays[f"full{number}"] = (face.full * 255).round().byte()
        if face.landmarks is not None:
            arrays[f"landmarks{number}"] = torch.as_tensor(face.landmarks, dtype=torch.float64)
    faces = [_face_values(face) for face in saved.faces]
    return arrays, {"index": saved.index, "weights": saved.weights, "settings": saved.settings, "faces": faces}


def _unpack(arrays: _Arrays, values: dict) -> SavedSession:
    size = arrays["image0"].shape[-1]
    if not 32 <= size <= 256 or not isinstance(values["faces"], list):
        raise ValueError("no faces can be like this")
    photo = read_photo(arrays["photo"].numpy().tobytes())
    faces = [_face(arrays, number, one, size, photo) for number, one in enumerate(values["faces"])]
    index = check_integer("index", values["index"], 0, len(faces) - 1)
    settings = values["settings"]
    if not isinstance(settings, dict):
        raise ValueError("settings are named values")
    weights = values.get("weights", "")
    if not isinstance(weights, str):
        raise ValueError("a fingerprint is text")
    donors = {}
    for donor in DONORS:
        if donor in values:
            lent = _Arrays({name.removeprefix(f"{donor}."): array for name, array in arrays.items()
                            if name.startswith(f"{donor}.")})
            donors[donor] = _unpack(lent, values[donor])
    return SavedSession(photo, faces, index, weights, settings, **donors)


def _face(arrays: _Arrays, number: int, values: dict, size: int, photo: np.ndarray) -> Face:
    x, y, side, roll = _numbers(values["crop"], 4)
    left, top, right, bottom = _numbers(values["box"], 4)
    pose, scores, landmarks = values["pose"], values["blendshapes"], None
    if side < 1 or not (scores is None or isinstance(scores, dict)):
        raise ValueError("no face can be like this")
    if f"landmarks{number}" in arrays:
        landmarks = arrays.take(f"landmarks{number}", LANDMARKS, 3, low=-1e6, high=1e6).numpy()
    return Face(arrays.take(f"image{number}", 3, size, size, low=0, high=1),
                arrays.take(f"full{number}", 3, FULL, FULL, low=0, high=255).float() / 255, landmarks,
                scores and dict(zip(scores, _numbers(list(scores.values()), len(scores)), strict=True)),
                None if pose is None else View.of(*_numbers(pose, 3)), Crop((x, y), side, roll),
                (left, top, right, bottom), (photo.shape[1], photo.shape[0]))


def _numbers(values: Any, count: int) -> list[float]:
    """A list of finite numbers of a length; ArgumentInvalid or ValueError where it is something else."""
    if not isinstance(values, list) or len(values) != count:
        raise ValueError(f"{count} numbers are missing")
    return [check_number("a value", value, -1e6, 1e6) for value in values]


def _face_values(face: Face) -> dict:
    """The plain values of a face."""
    pose = face.pose and face.pose.rotation[0].tolist()
    return {"crop": [*face.crop.centre, face.crop.side, face.crop.roll], "box": list(face.box), "pose": pose,
            "blendshapes": face.blendshapes}


def _photo_bytes(photo: np.ndarray) -> bytes:
    """The photo without anything that came with its file."""
    image, file = Image.fromarray(photo), io.BytesIO()
    image.save(file, "PNG", compress_level=3)
    if file.tell() > LOSSLESS_BYTES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=90)
    return file.getvalue()
