"""Making a latent map out of faces: codes, columns, small pictures, and layouts by UMAP."""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image

from core.errors import FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable
from core.export.report import mean_confidence
from core.export.visualize import pixels
from core.faces import Face, find_face
from core.latent_map.map import KINDS, LatentMap, Space, code_rows, fingerprint
from core.pipeline import BATCH, LatentFace
from core.types import Codes

FEWEST = 12
"""Faces below which a map says nothing."""
PICTURE, QUALITY = 256, 80
"""Side of the pictures kept of each face, pixels, and their quality as WebP."""
UMAP_NEIGHBOURS, UMAP_DISTANCE = 15, 0.3
"""Points whose distances a layout keeps, and how tightly it may pack: wide enough for thumbnails."""
EVEN = 0.8
"""Part of the way from UMAP's positions to even spacing along each axis: islands else leave most of the plane empty.
The order along the axes stays, and with it who is whose neighbour."""
ESTIMATES = ("yaw", "light", "confidence")
"""Columns that the model itself finds: degrees, degrees to the right, part."""
SMILE = ("mouthSmileLeft", "mouthSmileRight")


class MapBuilder:
    """Takes faces one by one, keeps little of each, and lays them out in the end.

    maker = MapBuilder(model)
    for face in faces:
        maker.add(face, "holiday.jpg")
    for kind in maker.lay_out(): ...    # seconds each; the first one of a process takes a minute, see `warm_up`
    result = maker.finish(credit)
    """

    def __init__(self, model: LatentFace):
        self.model = model
        self._waiting: list[Face] = []
        self._codes: list[Codes] = []
        self._names: list[str] = []
        self._rows: list[dict] = []
        self._pictures: list[bytes] = []
        self._positions: dict[str, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self._names)

    def add(self, face: Face, name: str, picture: bytes | None = None, **columns: float | str) -> None:
        """Take one face.

        Args:
            face: aligned.
            name: one line.
            picture: image file to keep of it; made of the face by default.
            columns: what is known of it; `ESTIMATES` and, of detected faces, smile are added.
        """
        smile = face.blendshapes and float(np.mean([face.blendshapes[side] for side in SMILE]))
        self._names.append(name)
        self._rows.append({"smile": smile} | columns)
        self._pictures.append(picture or _webp(face))
        self._waiting.append(face)
        if len(self._waiting) == BATCH:
            self._analyze()

    def lay_out(self) -> Iterator[str]:
        """Make the layouts; yields the name of each when it is done.

        Raises:
            FaceNotFound: too few faces for a map.
        """
        if len(self) < FEWEST:
            raise FaceNotFound(f"{len(self)} faces were found, and a map needs at least {FEWEST}: choose more photos.")
        self._analyze()
        codes = self._all_codes()
        for kind in KINDS if self.model.diffusion else ["code"]:
            self._positions[kind] = lay_out(code_rows(codes, kind))
            yield kind

    def finish(self, credit: str = "") -> LatentMap:
        """The map, once all layouts are made."""
        return LatentMap(np.array(self._names), self._all_codes(), self._positions, self._columns(), self._pictures,
                         fingerprint(self.model), credit)

    def _analyze(self) -> None:
        """Codes and columns of the faces that wait."""
        if not self._waiting:
            return
        factors = self.model.analyze(self._waiting)
        identity = factors.codes.identity if self.model.diffusion else None
        self._codes.append(Codes(factors.codes.depth_code, factors.codes.albedo_code, known_identity=identity))
        across = torch.atan2(-factors.light.direction[:, 0], factors.light.direction[:, 2]).rad2deg()
        yaw = factors.view.rotation[:, 1].rad2deg()
        for index, row in enumerate(self._rows[-len(self._waiting):]):
            found = yaw[index].item(), across[index].item(), mean_confidence(factors[index])
            row |= dict(zip(ESTIMATES, found, strict=True))
        self._waiting.clear()

    def _all_codes(self) -> Codes:
        self._codes[:] = [Codes.cat(self._codes)]
        return self._codes[0]

    def _columns(self) -> dict[str, np.ndarray]:
        """Rows to columns; what a row lacks is NaN, or an empty word."""
        names = dict.fromkeys(name for row in self._rows for name in row)
        found = {name: [row.get(name) for row in self._rows] for name in names}
        return {name: np.array([value or "" for value in column]) if any(isinstance(v, str) for v in column)
                else np.array(column, np.float32) for name, column in found.items()
                if any(value is not None for value in column)}


def add_photo(maker: MapBuilder, photo, name: str) -> str:
    """Find the largest face of a photo and take it.

    Args:
        maker: who takes it.
        photo: anything `core.faces.load_image.read_photo` reads.
        name: its path; the folder becomes a column.

    Returns:
        Why the photo was left out; empty where its face was taken.
    """
    try:
        face = find_face(photo, maker.model.config.image_size, PICTURE)
    except (FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable) as error:
        return str(error).partition(":")[0]  # what follows is advice for a single photo
    folder = name.rpartition("/")[0]
    maker.add(face, name, **({"folder": folder} if folder else {}))
    return ""


def lay_out(rows: np.ndarray) -> np.ndarray:
    """UMAP of codes (N, F), spread over the plane: positions (N, 2) in −1 … 1, the same at every call."""
    from umap import UMAP

    layout = UMAP(n_neighbors=min(UMAP_NEIGHBOURS, len(rows) - 1), min_dist=UMAP_DISTANCE, metric="euclidean",
                  init="pca", random_state=0, n_jobs=1)
    found = layout.fit_transform(Space(rows).rows)
    low, high = found.min(0), found.max(0)
    even = found.argsort(0).argsort(0) / (len(found) - 1)
    return (2 * ((1 - EVEN) * (found - low) / (high - low) + EVEN * even) - 1).astype(np.float32)


def warm_up() -> None:
    """Compile UMAP's loops, which takes a minute on two cores, once a process."""
    lay_out(np.random.default_rng(0).normal(size=(4 * UMAP_NEIGHBOURS, 8)).astype(np.float32))


def _webp(face: Face) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(pixels(face.full))
    picture.resize((PICTURE, PICTURE), Image.Resampling.BICUBIC).save(file, "webp", quality=QUALITY)
    return file.getvalue()
