"""Collections: the codes of every face of many photos, as one Parquet file with a row for each face.

    encode_photos([("a.jpg", "photos/a.jpg"), ...], "codes.parquet", workers=2)

`Encoder` turns batches of photos into rows. It is also an actor for Ray Data (docs/collections.md). A face's row
depends on its photo alone: not on the batch it was in, nor on the number of workers, threads or machines.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
import math
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from core.arguments import check_integer
from core.config import BATCH
from core.errors import ConfigError, FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable
from core.export.quality import SIDE, measure
from core.faces import Crop, Face, face_from_crop, find_faces
from core.faces.load_image import PhotoSource, read_photo
from core.files import explain_failure, prepare_folder, replacing, writing
from core.parallel import parallel_map
from core.pipeline import LatentFace
from core.types import CodePair, Factors

PHOTOS_OF_PART = 256
"""Photos that are encoded between two points from which an interrupted run continues."""
MAX_WORKERS = 1024
METADATA = b"latentface"
"""Key of the schema's metadata: JSON with the fingerprint of the weights, and the photos that were left out."""

Photo = tuple[str, str | Path]
"""The name of a photo in the rows, and its file."""
_NUMBER = pa.float32()
_CODES = ("codes", "identity", "expression")


def _struct(*names: str) -> pa.StructType:
    return pa.struct([(name, _NUMBER) for name in names])


_COLUMNS = pa.schema([
    ("file", pa.string()),
    ("face", pa.int32()),
    ("crop", _struct("x", "y", "side", "roll")),
    ("pose", _struct("pitch", "yaw", "roll", "shift_x", "shift_y")),
    ("pose_in_photo", _struct("pitch", "yaw", "roll")),
    ("light", pa.struct([("ambient", _NUMBER), ("diffuse", _NUMBER), ("direction", pa.list_(_NUMBER, 3))])),
    ("confidence", _NUMBER),
])
"""Columns before the codes. Values and units are those of `core.export.report.report`; face 1 is the largest of a
photo."""


def schema_of(length: int) -> pa.Schema:
    """Columns of the rows of a model whose depth and albedo codes have `length` numbers together.

    Codes, identity and expression hold depth first, then albedo, and codes = identity + expression; without diffusion
    weights the last two are null.
    """
    vector = pa.list_(_NUMBER, length)
    return pa.schema([*_COLUMNS, *((name, vector) for name in _CODES)])


class Encoder:
    """From photos to rows of `schema_of` its codes; the model is loaded once.

    Args:
        weights: see LatentFace.from_pretrained, which also names the errors.
        aligned: photos are aligned crops, as `core.faces` cuts them: each is taken whole, without detection.
        root: beginning of a batch's paths that names leave out.
    """

    def __init__(self, weights: str | Path | None = None, aligned: bool = False, root: str = ""):
        self.model, self.aligned, self.root = LatentFace.from_pretrained(weights), aligned, root
        config = self.model.config
        self.schema = _with_metadata(schema_of(config.code_size + config.albedo_code_size),
                                     weights=self.model.fingerprint)

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> pa.Table:
        """Rows of a batch, as Ray Data's `map_batches` asks for it; photos that are left out are logged by name.

        Args:
            batch: `path` of each photo, which becomes `file`, and `bytes`, its file's content.
        """
        names = [str(path).removeprefix(self.root) for path in batch["path"]]
        rows, left_out = self.encode(names, list(batch["bytes"]))
        for name, reason in left_out.items():
            logging.getLogger(__name__).warning("%s: %s", name, reason)
        return rows

    def encode(self, names: Sequence[str], photos: Sequence[PhotoSource]) -> tuple[pa.Table, dict[str, str]]:
        """Rows of photos.

        Args:
            names: one for each photo.
            photos: anything `core.faces.load_image.read_photo` reads.

        Returns:
            Rows in the order of the photos, of each photo the largest face first; and name to reason of the photos
            that were left out: those that cannot be read, or show no face.
        """
        tables, left_out, waiting = [], {}, []
        for name, photo in zip(names, photos, strict=True):
            try:
                faces = self._faces(photo)
            except (FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable) as error:
                left_out[name] = str(error)
                continue
            waiting += [(name, number, face) for number, face in enumerate(faces, 1)]
            while len(waiting) >= BATCH:
                tables.append(self._rows(waiting[:BATCH]))
                waiting = waiting[BATCH:]
        if waiting or not tables:
            tables.append(self._rows(waiting))
        return pa.concat_tables(tables), left_out

    def _faces(self, photo: PhotoSource) -> list[Face]:
        size = self.model.config.image_size
        if not self.aligned:
            return find_faces(photo, size, SIDE)
        pixels = read_photo(photo)
        height, width = pixels.shape[:2]
        if height != width:
            raise ImageUnreadable(f"An aligned photo is a square, and this one has {width} × {height} pixels: leave "
                                  "--aligned out.")
        return [face_from_crop(pixels, Crop(((width - 1) / 2, (width - 1) / 2), width), size, SIDE)]

    def _rows(self, faces: Sequence[tuple[str, int, Face]]) -> pa.Table:
        """Rows of at most `BATCH` faces.

        The networks always see a full batch, on one thread: only so are results the same to the last bit.
        """
        if not faces:
            return self.schema.empty_table()
        size = self.model.config.image_size
        images, photos = torch.zeros(BATCH, 3, size, size), torch.zeros(BATCH, 3, SIDE, SIDE)
        for index, (_, _, face) in enumerate(faces):
            images[index], photos[index] = face.image, face.full
        with _one_thread():
            factors = self.model.analyze(images, fine=False)
            split = self.model.split(factors.codes) if self.model.diffusion else None
            confidence = measure(factors, photos).confidence
        count = len(faces)
        codes = {"codes": _joined(factors.codes.pair), "identity": split and _joined(split.identity),
                 "expression": split and _joined(split.expression)}
        columns = {"file": [_text(name) for name, _, _ in faces], "face": [number for _, number, _ in faces],
                   **_numbers(factors[:count], [face for _, _, face in faces]),
                   "confidence": confidence[:count].cpu().numpy(),
                   **{name: pa.nulls(count, self.schema.field(name).type) if rows is None else _fixed(rows[:count])
                      for name, rows in codes.items()}}
        return pa.table([pa.array(columns[entry.name], entry.type) for entry in self.schema], schema=self.schema)


@dataclass
class Summary:
    """What a run found."""

    photos: int
    faces: int = 0
    left_out: dict[str, str] = field(default_factory=dict)
    """Name to reason of photos without a row."""


def encode_photos(photos: Sequence[Photo], out: str | Path, weights: str | Path | None = None, aligned: bool = False,
                  workers: int = 1, overwrite: bool = False,
                  report: Callable[[int], object] = lambda _: None) -> Summary:
    """Encode photos to a Parquet file with the columns of `schema_of`.

    An interrupted run is continued by the same call, and ends with the same file to the last bit. Until the file is
    complete, its parts are in a folder beside it that is called like it, with `.parts` behind.

    Args:
        photos: in the order of the rows; names are unique.
        out: the file.
        weights, aligned: as of `Encoder`.
        workers: processes.
        overwrite: also replace a file that LatentFace did not write.
        report: called with the number of photos after each part of `PHOTOS_OF_PART`.

    Raises:
        FaceNotFound: no photo has a face.
        ConfigError: the parts of another run are in the way.
        OutputExists, OutputUnwritable: see core.files.writing.
        LatentFaceError: a worker was ended from outside; and see LatentFace.from_pretrained.
    """
    out, workers = Path(out), check_integer("workers", workers, 1, MAX_WORKERS)
    prepare_folder(out.parent, [out.name], overwrite)
    encoder = _encoder(weights, aligned)
    folder = out.with_name(f"{out.name}.parts")
    parts = [folder / f"{start // PHOTOS_OF_PART:06d}.parquet" for start in range(0, len(photos), PHOTOS_OF_PART)]
    groups = [photos[start:start + PHOTOS_OF_PART] for start in range(0, len(photos), PHOTOS_OF_PART)]
    _open_parts(folder, photos, {"weights": encoder.model.fingerprint, "aligned": aligned})
    todo = []
    for part, group in zip(parts, groups, strict=True):
        if _is_whole(part):
            report(len(group))
        else:
            todo.append((group, part))
    for count in parallel_map(functools.partial(_encode_part, weights, aligned), todo, workers):
        report(count)
    summary = _merge(parts, out, Summary(len(photos)), overwrite)
    with explain_failure(folder):
        shutil.rmtree(folder)
    if not summary.faces:
        raise FaceNotFound(f"No face was found in any of the {len(photos)} photos: choose others.")
    return summary


def _open_parts(folder: Path, photos: Sequence[Photo], settings: dict[str, Any]) -> None:
    """Make the folder of the parts; ConfigError where it belongs to other photos or settings."""
    digest = hashlib.sha256()
    for name, path in photos:
        with contextlib.suppress(OSError):  # of a file that is gone, reading it says so
            digest.update(f"{os.fsencode(name)!r} {os.path.getsize(path)}\n".encode())
    head = json.dumps({**settings, "photos": digest.hexdigest()}).encode()
    prepare_folder(folder)
    with explain_failure(folder):
        path = folder / "run.json"
        if path.exists() and path.read_bytes() != head:
            raise ConfigError(f"{folder} was begun with other photos, weights or settings: use those, or delete it.")
        with replacing(path) as part:
            part.write_bytes(head)


def _is_whole(part: Path) -> bool:
    try:
        pq.read_metadata(part)
    except (FileNotFoundError, pa.ArrowInvalid):
        return False
    return True


@functools.lru_cache(1)
def _encoder(weights: str | Path | None, aligned: bool) -> Encoder:
    """The encoder of this process."""
    return Encoder(weights, aligned)


def _encode_part(weights: str | Path | None, aligned: bool, task: tuple[Sequence[Photo], Path]) -> int:
    """Write the rows of some photos; returns their number."""
    photos, part = task
    rows, left_out = _encoder(weights, aligned).encode(*map(list, zip(*photos, strict=True)))
    with replacing(part) as path:
        pq.write_table(rows.replace_schema_metadata(_with_metadata(rows.schema, left_out=left_out).metadata), path)
    return len(photos)


def _merge(parts: Sequence[Path], out: Path, summary: Summary, overwrite: bool) -> Summary:
    """Write the rows of all parts into one file, a part at a time; returns the completed summary."""
    schema = pa.schema([])
    for part in parts:
        schema = pq.read_schema(part)
        summary.left_out |= read_metadata(schema)["left_out"]
        summary.faces += pq.read_metadata(part).num_rows
    if summary.faces:
        schema = _with_metadata(schema, left_out=summary.left_out)
        with writing(out, overwrite) as path, pq.ParquetWriter(path, schema, compression="zstd") as writer:
            for part in parts:
                writer.write_table(pq.read_table(part).replace_schema_metadata(schema.metadata))
    return summary


def read_metadata(schema: pa.Schema) -> dict[str, Any]:
    """What a file of `encode_photos` says of itself: `weights`, their fingerprint, and `left_out`, name to reason."""
    return json.loads((schema.metadata or {}).get(METADATA, b"{}"))


def _with_metadata(schema: pa.Schema, **values: Any) -> pa.Schema:
    return schema.with_metadata({METADATA: json.dumps({**read_metadata(schema), **values}).encode()})


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute on one thread: sums of several depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _numbers(factors: Factors, faces: Sequence[Face]) -> dict[str, pa.Array]:
    """Crop, poses and light of faces, in degrees and camera-distance units."""
    light, view = factors.light, factors.view
    angles, shift = view.rotation.rad2deg().cpu().numpy(), view.translation.cpu().numpy()
    turned = torch.cat([face.crop.rotation_to_photo(rotation)
                        for face, rotation in zip(faces, view.rotation.split(1), strict=True)])
    crops = np.array([(*face.crop.centre, face.crop.side, math.degrees(face.crop.roll)) for face in faces], np.float32)
    lights = [light.ambient.cpu().numpy(), light.diffuse.cpu().numpy(), _fixed(light.direction.cpu().numpy())]
    return {"crop": _structs("crop", crops.T), "pose": _structs("pose", [*angles.T, *shift.T]),
            "pose_in_photo": _structs("pose_in_photo", turned.rad2deg().cpu().numpy().T),
            "light": _structs("light", lights)}


def _structs(name: str, values: Any) -> pa.Array:
    """An array of a struct column from one array for each of its fields."""
    fields = list(_COLUMNS.field(name).type)
    return pa.StructArray.from_arrays([pa.array(one, entry.type) for one, entry in zip(values, fields, strict=True)],
                                      fields=fields)


def _fixed(rows: np.ndarray) -> pa.Array:
    """Rows (B, F) as an array of lists of F numbers."""
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1), _NUMBER), rows.shape[1])


def _joined(pair: CodePair) -> np.ndarray:
    """(B, F) depth first, then albedo."""
    return torch.cat([pair.depth, pair.albedo], 1).cpu().numpy()


def _text(name: str) -> str:
    """A name as UTF-8, which Parquet asks for; bytes that are none become escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")
