"""Faces of other people's data sets, found and aligned once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.errors import LatentFaceError
from core.faces.align import Crop, cut
from core.faces.detect import locate
from core.faces.load_image import read_photo
from core.files import prepare_folder, replacing
from training.data.face_pack import name_photo


def read_faces(sources: Sequence[Path | np.ndarray], size: int, aligned: bool,
               cache: Path | None) -> tuple[Tensor, int]:
    """Aligned faces of images; of several faces in one image the most central, as such data sets mean it.

    Args:
        sources: files, or uint8 arrays (H, W) or (H, W, 3).
        size: side of the result.
        aligned: the images are cut as core.faces cuts them, and are only shrunk.
        cache: folder to keep the result in; None keeps nothing.

    Returns:
        (N, 3, size, size) uint8; in how many images no face was found: these are used whole.

    Raises:
        ImageUnreadable: an image is damaged or missing; it is named.
    """
    from tqdm import tqdm

    path = cache and Path(cache) / f"faces-{_key(sources, size, aligned)}.npz"
    if path and path.is_file():
        with np.load(path) as stored:
            return torch.from_numpy(stored["faces"]), int(stored["missed"])
    faces, missed = np.empty((len(sources), 3, size, size), np.uint8), 0
    for number, source in enumerate(tqdm(sources, desc="faces", leave=False)):
        with name_photo(source if isinstance(source, Path) else f"Image {number}"):
            pixels = read_photo(source)
        crop = None if aligned else _central(pixels)
        missed += crop is None and not aligned
        faces[number] = cut(pixels, crop or _whole(pixels), size).transpose(2, 0, 1)
    if path:
        prepare_folder(path.parent)
        with replacing(path) as part, open(part, "wb") as file:
            np.savez(file, faces=faces, missed=missed)
    return torch.from_numpy(faces), missed


def _whole(pixels: np.ndarray) -> Crop:
    """The largest square in the middle of an image."""
    height, width = pixels.shape[:2]
    return Crop(((width - 1) / 2, (height - 1) / 2), min(height, width))


def _central(pixels: np.ndarray) -> Crop | None:
    """Crop of the face nearest the middle of an image; None where there is none."""
    try:
        crops = [found.crop for found in locate(pixels)]
    except LatentFaceError:  # an image that detection chokes on is one without a face
        return None
    middle = np.array(_whole(pixels).centre)
    return min(crops, key=lambda crop: np.linalg.norm(crop.centre - middle), default=None)


def _key(sources: Sequence[Path | np.ndarray], size: int, aligned: bool) -> str:
    """Name of a list of images: files are known by path, length and date, arrays by what they hold."""
    digest = hashlib.sha256(f"{size} {aligned}".encode())
    for source in sources:
        if isinstance(source, np.ndarray):
            digest.update(source.tobytes())
        else:
            with name_photo(source):
                status = source.stat()
            digest.update(f"{source} {status.st_size} {status.st_mtime_ns}".encode())
    return digest.hexdigest()[:16]
