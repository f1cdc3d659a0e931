"""Build a latent map from faces: codes, columns, thumbnails, and layouts by UMAP."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from core.config import BATCH
from core.errors import FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable
from core.export.quality import measure
from core.export.visualize import to_uint8
from core.faces import Face, find_face
from core.latent_map.map import LatentMap, Space, code_rows, spread
from core.model.code_ops import KINDS, Kind
from core.types import Codes, SplitCodes

if TYPE_CHECKING:
    from core.pipeline import LatentFace

FEWEST = 12
"""Fewest faces that make a map."""
THUMBNAIL, QUALITY = 256, 80
"""Side of each face's thumbnail, pixels, and its quality as WebP."""
UMAP_NEIGHBORS, UMAP_DISTANCE = 15, 0.3
"""UMAP's n_neighbors and min_dist: wide enough for thumbnails."""
ESTIMATES = ("yaw", "light", "confidence")
"""Columns that the model estimates: yaw in degrees, light in degrees to the right, and the confidence of
core.export.quality."""
SMILE = ("mouthSmileLeft", "mouthSmileRight")


class MapBuilder:
    """Takes faces one by one, keeps little of each, and embeds them at the end.

    builder = MapBuilder(model)
    for face in faces:
        builder.add(face, "holiday.jpg")
    for kind in builder.embed(): ...    # seconds each; the first one of a process takes a minute, see `warm_up`
    result = builder.finish(credit)
    """

    def __init__(self, model: LatentFace):
        self.model = model
        self._waiting: list[Face] = []
        self._codes: list[Codes | SplitCodes] = []
        self._names: list[str] = []
        self._rows: list[dict] = []
        self._thumbnails: list[bytes] = []
        self._positions: dict[Kind, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, face: Face, name: str, thumbnail: bytes | None = None, **columns: float | str) -> None:
        """Take one face.

        Args:
            face: aligned.
            name: one line.
            thumbnail: image file to keep of it; by default made from the face.
            columns: known values; `ESTIMATES` and, of detected faces, smile are added.
        """
        smile = face.blendshapes and float(np.mean([face.blendshapes[side] for side in SMILE]))
        self._names.append(name)
        self._rows.append({"smile": smile} | columns)
        self._thumbnails.append(thumbnail or _webp(face))
        self._waiting.append(face)
        if len(self._waiting) == BATCH:
            self._analyze()

    def embed(self) -> Iterator[Kind]:
        """Compute the layouts; yields the kind of each when it is done.

        Raises:
            FaceNotFound: too few faces for a map.
        """
        if len(self) < FEWEST:
            raise FaceNotFound(f"{len(self)} faces were found, and a map needs at least {FEWEST}: choose more photos.")
        self._analyze()
        codes = self._all_codes()
        for kind in KINDS:
            if kind == "code" or self.model.diffusion:
                self._positions[kind] = umap_layout(code_rows(codes, kind))
                yield kind

    def finish(self, credit: str = "") -> LatentMap:
        """The map, once all layouts are computed."""
        return LatentMap(np.array(self._names), self._all_codes(), self._positions, self._columns(), self._thumbnails,
                         self.model.fingerprint, credit)

    def _analyze(self) -> None:
        """Codes and columns of the faces that wait."""
        if not self._waiting:
            return
        factors = self.model.analyze(self._waiting, fine=False)
        self._codes.append(self.model.split(factors.codes) if self.model.diffusion else factors.codes)
        across = torch.atan2(-factors.light.direction[:, 0], factors.light.direction[:, 2]).rad2deg()
        yaw = factors.view.rotation[:, 1].rad2deg()
        for index, (face, row) in enumerate(zip(self._waiting, self._rows[-len(self._waiting):], strict=True)):
            quality = measure(factors[index], face.full[None])
            found = yaw[index].item(), across[index].item(), quality.confidence.item()
            row |= dict(zip(ESTIMATES, found, strict=True))
        self._waiting.clear()

    def _all_codes(self) -> Codes | SplitCodes:
        parts: list[Any] = self._codes  # all of one type
        self._codes[:] = [type(parts[0]).cat(parts)]
        return self._codes[0]

    def _columns(self) -> dict[str, np.ndarray]:
        """Rows to columns; a missing value is NaN, or an empty word."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        found = {name: [row.get(name) for row in self._rows] for name in names}
        return {name: np.array([value or "" for value in column]) if any(isinstance(v, str) for v in column)
                else np.array(column, np.float32) for name, column in found.items()
                if any(value is not None for value in column)}


def add_photo(builder: MapBuilder, photo: Any, name: str) -> str:
    """Find the largest face of a photo and add it to a map.

    Args:
        builder: of the map.
        photo: anything `core.faces.load_image.read_photo` reads.
        name: its path; the folder becomes a column.

    Returns:
        Why the photo was left out; empty where its face was added.
    """
    try:
        face = find_face(photo, builder.model.config.image_size, THUMBNAIL)
    except (FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable) as error:
        return str(error).partition(":")[0]  # the rest is advice for a single photo
    folder = name.rpartition("/")[0]
    builder.add(face, name, None, **({"folder": folder} if folder else {}))
    return ""


def umap_layout(rows: np.ndarray) -> np.ndarray:
    """UMAP of codes (N, F), spread over the plane: positions (N, 2) in −1 … 1; deterministic."""
    from umap import UMAP

    layout = UMAP(n_neighbors=min(UMAP_NEIGHBORS, len(rows) - 1), min_dist=UMAP_DISTANCE, metric="euclidean",
                  init="pca", random_state=0, n_jobs=1)
    return spread(np.asarray(layout.fit_transform(Space(rows).rows)))


def warm_up() -> None:
    """Compile UMAP's loops, once a process; it takes a minute on two cores."""
    umap_layout(np.random.default_rng(0).normal(size=(4 * UMAP_NEIGHBORS, 8)).astype(np.float32))


def _webp(face: Face) -> bytes:
    file = io.BytesIO()
    image = Image.fromarray(to_uint8(face.full))
    image.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC).save(file, "webp", quality=QUALITY)
    return file.getvalue()
