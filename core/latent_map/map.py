"""The latent map: faces laid out in the plane so that similar codes lie close together, one layout per kind of code.

A map is a file of arrays (npz, nothing pickled): codes, their two-dimensional layouts, a small picture of each face and
columns to colour by. `core.latent_map.builder` makes one, `assets/map` holds the bundled one.

Convention: similarity is the cosine between codes about the mean of the map's own faces; positions lie in −1 … 1, x
right and y up. What lies between points is read off their neighbours (Shepard's weights, which vanish at the edge of
the neighbourhood), so that faces change smoothly along any path and each point gives back exactly its own.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from core.config import ASSETS
from core.errors import MapUnreadable, WeightsMissing
from core.export.provenance import SYNTHETIC
from core.geometry.camera import depth_to_normal
from core.geometry.shading import shade
from core.types import CodePair, Codes, Light

if TYPE_CHECKING:
    from core.pipeline import LatentFace

BUNDLED = ASSETS / "map" / "gallery.npz"
KINDS = {"identity": "identity", "expression": "expression", "code": "whole"}
"""What a layout is made of, in the order shown, and the part of `Codes` that it stands for."""
NEIGHBOURS = 6
"""Points that a position or a face is read off."""
_DAMAGE = (OSError, ValueError, KeyError, TypeError, EOFError, IndexError, RuntimeError,
           zipfile.BadZipFile, WeightsMissing)


@dataclass(frozen=True, eq=False)
class LatentMap:
    """N faces."""

    names: np.ndarray
    """(N,) str, one line each."""
    codes: Codes
    """Of the N faces; their identity is known unless the map was made without the diffusion model."""
    positions: dict[str, np.ndarray]
    """Kind to (N, 2) float32, −1 … 1."""
    columns: dict[str, np.ndarray]
    """Name to (N,) float32, NaN where unknown, or str."""
    pictures: list[bytes]
    """The aligned faces as image files."""
    weights: str
    """`fingerprint` of the model that the codes came from."""
    credit: str = ""
    """Whose pictures they are."""
    _spaces: dict[str, Space] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self):
        self._spaces.update((kind, Space(code_rows(self.codes, kind))) for kind in self.positions)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def kinds(self) -> list[str]:
        """The layouts there are, in the order of `KINDS`."""
        return [kind for kind in KINDS if kind in self.positions]

    def nearest(self, codes: Codes, kind: str, count: int = 8) -> tuple[np.ndarray, np.ndarray]:
        """The most similar faces.

        Args:
            codes: of one face.
            kind: one of `kinds`.
            count: how many, at most.

        Returns:
            Their numbers, most similar first, and the similarities in [−1, 1].
        """
        similarity = self._spaces[kind].similarity(code_rows(codes, kind)[0])
        order = np.argsort(-similarity, kind="stable")[:count]
        return order, similarity[order]

    def project(self, codes: Codes, kind: str) -> np.ndarray:
        """(2,) where a face with these codes belongs."""
        order, similarity = self.nearest(codes, kind, NEIGHBOURS + 1)
        return idw_weights(np.sqrt(np.maximum(2 - 2 * similarity, 0))) @ self.positions[kind][order]

    def face_at(self, position: tuple[float, float], kind: str, subject: Codes | None = None) -> Codes:
        """The face at a position of a layout, mixed smoothly from its neighbours.

        Args:
            position: x, y.
            kind: one of `kinds`.
            subject: the face that gives what this layout leaves open: on the identity map its expression, on the
                expression map its identity. By default no expression, and the mean identity.

        Returns:
            Codes of one face.
        """
        distance = np.linalg.norm(self.positions[kind] - np.asarray(position, np.float32), axis=1)
        order = np.argsort(distance, kind="stable")[: NEIGHBOURS + 1]
        weights = torch.from_numpy(idw_weights(distance[order]))[None]
        near = self.codes[torch.from_numpy(order)]
        mixed = getattr(near, KINDS[kind]).apply(lambda rows: weights @ rows)
        if kind == "code":
            return Codes(mixed.depth, mixed.albedo)
        if kind == "identity":
            return Codes.of(mixed, subject.expression if subject else mixed - mixed)
        identity = subject.identity if subject else self.codes.identity.apply(lambda rows: rows.mean(0, keepdim=True))
        return Codes.of(identity, mixed)

    def check_weights(self, model: LatentFace) -> None:
        """Raises MapUnreadable where the codes came from another model: they would be decoded to nonsense."""
        if self.weights != fingerprint(model):
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
            pictures = [blob[start:end] for start, end in zip([0, *ends[:-1]], ends, strict=True)]
            positions, columns = ({key.partition(".")[2]: array for key, array in arrays.items()
                                   if key.startswith(group)} for group in ("positions.", "columns."))
            result = cls(arrays["names"], _codes(arrays), positions, columns, pictures, str(arrays["weights"]),
                         str(arrays["credit"]))
        except _DAMAGE as error:
            raise MapUnreadable(f"{Path(path).name} cannot be read as a map: fetch the file again, or make one with "
                                "`python -m training.build_map`.") from error
        result._check()
        return result

    def write(self, path: str | Path) -> None:
        """Write the map's file, codes in half precision."""
        rows = {part: code_rows(self.codes, kind).astype(np.float16) for kind, part in KINDS.items()
                if kind in self.positions and kind != "expression"}
        np.savez_compressed(
            path, names=self.names, **rows,
            **{f"positions.{kind}": positions for kind, positions in self.positions.items()},
            **{f"columns.{name}": column for name, column in self.columns.items()},
            pictures=np.frombuffer(b"".join(self.pictures), np.uint8),
            ends=np.cumsum([len(picture) for picture in self.pictures]),
            weights=np.array(self.weights), credit=np.array(self.credit), **SYNTHETIC)

    def export(self, numbers: list[int], path: str | Path) -> None:
        """Write some of the faces as a zip: faces.csv (name, columns, positions), codes.npz and the pictures."""
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
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("faces.csv", table.getvalue())
            file.writestr("codes.npz", codes.getvalue())
            for number in numbers:
                file.writestr(f"pictures/{number:05d}.webp", self.pictures[number])

    def _check(self) -> None:
        """Refuse a map whose parts do not belong together."""
        parts = [self.names, *self.columns.values(), self.pictures, self.codes.depth_code]
        flat = all(kind in KINDS and positions.shape == (len(self), 2) for kind, positions in self.positions.items())
        finite = all(np.isfinite(rows).all() for rows in (*self.positions.values(), code_rows(self.codes, "code")))
        if not (flat and finite and "code" in self.positions) or {len(part) for part in parts} != {len(self)}:
            raise MapUnreadable("This map is damaged: its parts do not belong together. Fetch the file again.")


def code_rows(codes: Codes, kind: str) -> np.ndarray:
    """(B, F) float32: codes of a kind, depth and albedo in one row."""
    part = getattr(codes, KINDS[kind])
    return torch.cat([part.depth, part.albedo], 1).float().cpu().numpy()


def _codes(arrays: dict[str, np.ndarray]) -> Codes:
    """Codes out of a map's file."""
    halves = {part: torch.from_numpy(arrays[part]).float().chunk(2, 1) for part in ("whole", "identity")
              if part in arrays}
    return Codes(*halves["whole"], known_identity=CodePair(*halves["identity"]) if "identity" in halves else None)


@torch.inference_mode()
def canonical_image(model: LatentFace, codes: Codes, light: Light) -> Tensor:
    """Faces (B, 3, H, W) of B codes, [0, 1], seen from the front under one light: the quickest picture of codes."""
    depth, albedo = model.autoencoder.decode(codes)
    return (albedo * shade(depth_to_normal(depth), light)).clamp(0, 1)


def fingerprint(model: LatentFace) -> str:
    """Short name of the weights that a map depends on."""
    digest = hashlib.sha256()
    for part in filter(None, (model.autoencoder, model.diffusion)):
        for _, tensor in sorted(part.state_dict().items()):
            digest.update(tensor.cpu().half().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


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
