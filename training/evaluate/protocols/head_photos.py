"""How well the rig's head lies on photos: landmarks of the head, seen in the photo's pose, beside those of MediaPipe.

    python -m training.evaluate head --photos packs/fairface photos/

Distances are in pixels of a crop of 128. A head is untangled where no triangle of its front is turned over by the fit.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from core.cli.photos import SUFFIXES
from core.errors import ConfigError
from core.geometry.camera import transform
from core.geometry.landmark_warp import ANCHORS
from core.head.fit import OUTLINE, fit_points
from core.head.rig import IDENTITY_MODES, SCALE, in_camera
from core.pipeline import LatentFace
from core.rendering.texture_transfer import texture_from_photo
from core.types import TexturedFace
from training.data.face_pack import FacePack
from training.evaluate.comparison import Row, finish
from training.evaluate.protocols.head import flipped

CROP = 128
"""Side of the crop whose pixels are counted."""
INNER = ANCHORS[:-OUTLINE]
"""Landmarks of brows, eyes, nose and lips: a line on the skin in every pose, unlike the outline."""
NAMES = {"mean": "mean head", "linear": "codes alone", "basis": "codes, expression basis",
         "landmarks": "codes, landmarks", "head": "head"}


def run_photos(options: Namespace) -> dict:
    """Measure folders of photos, print the table and write the report.

    Returns:
        What is written with --out.

    Raises:
        ConfigError: no faces in a folder.
        WeightsMissing, WeightsMismatch: see `LatentFace.head`.
    """
    model, figures, rows = LatentFace.from_pretrained(options.weights), {}, {}
    for folder in options.photos:
        figures |= measure(model, folder, options.limit)
        rows |= {f"{folder.name}.inner": Row(f"{folder.name}, inner landmarks: px of {CROP}", 2, "low"),
                 f"{folder.name}.untangled": Row(f"{folder.name}, part of the heads that are untangled", 2)}
    return finish(rows, figures, f"heads of at most {options.limit} photos", options, NAMES)


def measure(model: LatentFace, folder: Path, limit: int) -> dict[str, dict[str, float]]:
    """Figures of the photos of a folder, by row and column.

    Args:
        model: the model.
        folder: a face pack with split val and val_landmarks.npz, or a folder of photos.
        limit: number of photos at most.

    Raises:
        ConfigError: no photo shows a face.
    """
    found = [_figures(model, *face) for face in tqdm(_faces(model, folder, limit), desc=folder.name, leave=False)]
    if not found:
        raise ConfigError(f"No photo in {folder} shows a face.")
    return {f"{folder.name}.inner": {name: float(np.mean([row[name] for row in found])) for name in NAMES},
            f"{folder.name}.untangled": {"head": float(np.mean([row["flipped"] == 0 for row in found]))}}


def _faces(model: LatentFace, folder: Path, limit: int) -> Iterator[tuple[TexturedFace, Tensor]]:
    """Faces, and MediaPipe's landmarks (478, 2) of each in pixels of a crop of `CROP`."""
    if not (folder / "val.csv").exists():
        for path in sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)[:limit]:
            face, = model.find_faces(path)[:1]
            if face.landmarks is not None:
                textured = model.texture(model.analyze([face], fine=False), [face])
                landmarks = torch.from_numpy(face.landmarks[:, :2]).float()
                yield textured, (landmarks + 0.5) * (CROP / face.full.shape[-1]) - 0.5
        return
    photos = FacePack(folder, CROP, "val", limit)[:]
    with np.load(folder / "val_landmarks.npz") as arrays:
        landmarks = torch.from_numpy(arrays["landmarks"][:limit].astype(np.float32))
    for photo, points in zip(photos[:, None], landmarks[:, None], strict=True):
        image = F.interpolate(photo, (model.config.image_size,) * 2, mode="area")
        yield texture_from_photo(model.analyze(image, fine=False), photo, points), points[0, :, :2]


def _figures(model: LatentFace, face: TexturedFace, landmarks: Tensor) -> dict[str, float]:
    """Mean distance of the inner landmarks by column, and the number of triangles that are turned over."""
    regression, front = model.head_fit
    identity, read = (found[0] for found in regression.predict(face.factors.of_codes.codes))
    basis = model.expressions(face.factors).values[0].clamp(0, 1).cpu().numpy()
    scale = np.array([SCALE, -SCALE, -SCALE], np.float32)

    def fitted(weights: np.ndarray) -> np.ndarray:
        moved = (weights @ front.rig.expression_modes).reshape(-1, 3) * scale
        return fit_points(front, regression, face, weights)[0] + moved

    before = in_camera(front.rig.shape(identity, basis))
    mean = np.zeros(IDENTITY_MODES, np.float32), np.zeros_like(read)
    heads = {"mean": in_camera(front.rig.shape(*mean)), "linear": in_camera(front.rig.shape(identity, read)),
             "basis": before, "landmarks": fitted(read), "head": fitted(basis)}
    vertices = front.skin[front.row[:-OUTLINE]]
    return {name: distance(face, points[vertices], landmarks) for name, points in heads.items()} | {
        "flipped": flipped(front, before, heads["head"])}


def distance(face: TexturedFace, points: np.ndarray, landmarks: Tensor) -> float:
    """Mean distance, in pixels of a crop of `CROP`, between points of a head and MediaPipe's landmarks `INNER`.

    Args:
        face: whose view the points are turned into.
        points: (K, 3), canonical camera frame.
        landmarks: (478, 2) in pixels of the crop.
    """
    seen = transform(torch.from_numpy(points)[None].float(), face.view)[0]
    places = ((seen[:, :2] / seen[:, 2:] / face.tangent[0] + 1) * CROP - 1) / 2
    return float((places - landmarks[INNER]).norm(dim=1).mean())
