"""The latent map: faces placed in the plane so that similar codes are close together, one layout for each kind of code.

A map is a file of arrays (npz, nothing pickled): codes, their two-dimensional positions, a thumbnail of each face and
columns to color by. core.latent_map.builder makes one, assets/map holds the bundled one.

Convention: similarity is the cosine between codes about the mean of the map's own faces; positions are in −1 … 1, x
right and y up. A point between faces is interpolated from its neighbors by inverse distance (Shepard's weights, which
vanish at the edge of the neighborhood), so that faces change smoothly along any path, and each face's own position
gives exactly that face.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from core.config import ASSETS
from core.errors import MapUnreadable
from core.export.provenance import SYNTHETIC
from core.files import writing
from core.model.code_ops import KINDS, Kind, select
from core.types import CodePair, Codes, SplitCodes

BUNDLED = ASSETS / "map" / "gallery.npz"
NEIGHBORS = 6
"""Faces that a position, or a face between others, is interpolated from."""
EVEN = 0.8
"""Part of the way from UMAP's positions to even spacing along each axis: islands would leave most of the plane empty.
The order along the axes stays, and so do the neighbors."""
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, IndexError, RuntimeError, zipfile.BadZipFile)


@dataclass(frozen=True, eq=False)
class LatentMap:
    """N faces with their codes and positions."""

    names: np.ndarray
    """(N,) str, one line each."""
    codes: Codes | SplitCodes
    """Of the N faces; not split where the map was made without a diffusion model."""
    positions: dict[Kind, np.ndarray]
    """Kind to (N, 2) float32, −1 … 1."""
    columns: dict[str, np.ndarray]
    """Name to (N,) float32, NaN where unknown, or str."""
    thumbnails: list[bytes]
    """The aligned faces as image files."""
    weights: str
    """`LatentFace.fingerprint` of the model that the codes came from."""
    credit: str = ""
    """Who made the photos."""
    _spaces: dict[Kind, Space] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self):
        self._spaces.update((kind, Space(code_rows(self.codes, kind))) for kind in self.positions)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def kinds(self) -> list[Kind]:
        """The layouts there are, in the order of `KINDS`."""
        return [kind for kind in KINDS if kind in self.positions]

    def part(self, numbers: np.ndarray) -> LatentMap:
        """A map of some of the faces, spread over the plane anew."""
        return replace(self, names=self.names[numbers], codes=self.codes[torch.from_numpy(numbers)],
                       positions={kind: spread(places[numbers]) for kind, places in self.positions.items()},
                       columns={name: column[numbers] for name, column in self.columns.items()},
                       thumbnails=[self.thumbnails[number] for number in numbers], _spaces={})

    def nearest(self, codes: Codes | SplitCodes, kind: Kind, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """The most similar faces.

        Args:
            codes: of one face; split unless `kind` is "code".
            kind: one of `kinds`.
            count: how many, at most.

        Returns:
            Their indices, most similar first, and the similarities in [−1, 1].
        """
        similarity = self._spaces[kind].similarity(code_rows(codes, kind)[0])
        order = np.argsort(-similarity, kind="stable")[:count]
        return order, similarity[order]

    def project(self, codes: Codes | SplitCodes, kind: Kind) -> np.ndarray:
        """(2,) position of a face with these codes; arguments as of `nearest`."""
        order, similarity = self.nearest(codes, kind, NEIGHBORS + 1)
        return idw_weights(np.sqrt(np.maximum(2 - 2 * similarity, 0))) @ self.positions[kind][order]

    def face_at(self, position: tuple[float, float], kind: Kind, subject: SplitCodes | None = None) -> Codes:
        """Codes of the face at a position of a layout, interpolated smoothly from its neighbors.

        Args:
            position: x, y.
            kind: one of `kinds`.
            subject: the face that gives the other part: on the identity map the expression, on the expression map the
                identity. By default no expression, and the mean identity.
        """
        distance = np.linalg.norm(self.positions[kind] - np.asarray(position, np.float32), axis=1)
        order = np.argsort(distance, kind="stable")[: NEIGHBORS + 1]
        weights = torch.from_numpy(idw_weights(distance[order]))[None]
        mixed = select(self.codes, kind)[torch.from_numpy(order)].apply(lambda rows: weights @ rows)
        if kind == "identity":
            mixed = mixed + subject.expression if subject else mixed
        elif kind == "expression":
            mean = select(self.codes, "identity").apply(lambda rows: rows.mean(0, keepdim=True))
            mixed = (subject.identity if subject else mean) + mixed
        return Codes.of(mixed)

    def check_weights(self, fingerprint: str) -> None:
        """Raises MapUnreadable where the codes came from another model: they would be decoded to nonsense."""
        if self.weights != fingerprint:
            raise MapUnreadable("This map was made with other weights than those in use: make it again with "
                                "`python -m training.build_map`.")

    @classmethod
    def read(cls, path: str | Path = BUNDLED) -> LatentMap:
        """Read a map's file.

        Raises:
            MapUnreadable: no such file, or not a map, or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {key: file[key] for key in file.files}
            ends = arrays["ends"].tolist()
            blob = arrays["pictures"].tobytes()
            thumbnails = [blob[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
            positions, columns = ({key.partition(".")[2]: array for key, array in arrays.items()
                                   if key.startswith(group)} for group in ("positions.", "columns."))
            result = cls(arrays["names"], _codes(arrays), positions, columns, thumbnails, str(arrays["weights"]),
                         str(arrays["credit"]))
        except _DAMAGE as error:
            raise MapUnreadable(f"{Path(path).name} cannot be read as a map: fetch the file again, or make one with "
                                "`python -m training.build_map`.") from error
        result._check()
        return result

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Write the map's file, codes in half precision; arguments and errors as of `core.files.writing`."""
        rows = {name: code_rows(self.codes, kind).astype(np.float16)
                for name, kind in (("whole", "code"), ("identity", "identity")) if kind in self.positions}
        with writing(path, overwrite) as part, open(part, "wb") as file:
            np.savez_compressed(
                file, names=self.names, depth_size=np.array(select(self.codes, "code").depth.shape[1]), **rows,
                **{f"positions.{kind}": positions for kind, positions in self.positions.items()},
                **{f"columns.{name}": column for name, column in self.columns.items()},
                pictures=np.frombuffer(b"".join(self.thumbnails), np.uint8),
                ends=np.cumsum([len(one) for one in self.thumbnails]),
                weights=np.array(self.weights), credit=np.array(self.credit), **SYNTHETIC)

    def export(self, numbers: list[int], path: str | Path, overwrite: bool = False) -> None:
        """Write some of the faces as a zip: faces.csv (name, columns, positions), codes.npz and thumbnails.

        `path`, `overwrite` and errors as of `core.files.writing`.
        """
        table, codes = io.StringIO(), io.BytesIO()
        writer = csv.writer(table)
        places = [f"{kind}_{axis}" for kind in self.kinds for axis in "xy"]
        writer.writerow(["number", "name", *self.columns, *places])
        for number in numbers:
            values = [column[number] for column in self.columns.values()]
            xy = [value for kind in self.kinds for value in self.positions[kind][number]]
            writer.writerow([number, self.names[number], *values, *(f"{value:.4f}" for value in xy)])
        rows = {kind: code_rows(self.codes, kind)[numbers] for kind in self.kinds}
        np.savez_compressed(codes, number=np.array(numbers), **rows, **SYNTHETIC)
        with writing(path, overwrite) as part, zipfile.ZipFile(part, "w") as file:
            file.writestr("faces.csv", table.getvalue().encode("utf-8", "backslashreplace"))
            file.writestr("codes.npz", codes.getvalue())
            for number in numbers:
                file.writestr(f"thumbnails/{number:05d}.webp", self.thumbnails[number])

    def _check(self) -> None:
        """Refuse a map whose parts do not belong together."""
        parts = [self.names, *self.columns.values(), self.thumbnails, self.codes]
        flat = all(kind in KINDS and positions.shape == (len(self), 2) for kind, positions in self.positions.items())
        finite = all(np.isfinite(rows).all() for rows in (*self.positions.values(), code_rows(self.codes, "code")))
        if not (flat and finite and "code" in self.positions) or {len(part) for part in parts} != {len(self)}:
            raise MapUnreadable("This map is damaged: its parts do not belong together. Fetch the file again.")


def spread(places: np.ndarray) -> np.ndarray:
    """Positions (N, 2) spread over −1 … 1 along both axes, `EVEN` of the way to even spacing."""
    low, high = places.min(0), places.max(0)
    even = places.argsort(0).argsort(0) / (len(places) - 1)
    return (2 * ((1 - EVEN) * (places - low) / (high - low) + EVEN * even) - 1).astype(np.float32)


def code_rows(codes: Codes | SplitCodes, kind: Kind) -> np.ndarray:
    """(B, F) float32: codes of a kind, depth and albedo in one row."""
    part = select(codes, kind)
    return torch.cat([part.depth, part.albedo], 1).float().cpu().numpy()


def _codes(arrays: dict[str, np.ndarray]) -> Codes | SplitCodes:
    """Codes out of a map's file."""
    pairs = {}
    for name in {"whole", "identity"} & set(arrays):
        rows = torch.from_numpy(arrays[name]).float()
        depth_size = int(arrays["depth_size"]) if "depth_size" in arrays else rows.shape[1] // 2
        pairs[name] = CodePair.of_rows(rows, depth_size)
    if "identity" not in pairs:
        return Codes.of(pairs["whole"])
    return SplitCodes(pairs["identity"], pairs["whole"] - pairs["identity"])


class Space:
    """Codes about their mean, of unit length, to compare by cosine."""

    def __init__(self, rows: np.ndarray):
        self.mean = rows.mean(0)
        self.rows = self._unit(rows)

    def _unit(self, rows: np.ndarray) -> np.ndarray:
        about = rows - self.mean
        return about / np.maximum(np.linalg.norm(about, axis=-1, keepdims=True), 1e-9)

    def similarity(self, row: np.ndarray) -> np.ndarray:
        """(N,) cosines."""
        return self.rows @ self._unit(row)


def idw_weights(distance: np.ndarray) -> np.ndarray:
    """(k,) weights, sum 1, of the neighbours at ascending distances; the last one, at the edge, gets none."""
    near, reach = np.maximum(distance, 1e-6), max(distance[-1], 2e-6)
    weights = np.maximum(reach - near, 0) ** 2 / (reach * near) ** 2
    return (weights / weights.sum() if weights.sum() > 0 else np.eye(len(distance))[0]).astype(np.float32)
