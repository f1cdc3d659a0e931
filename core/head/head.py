"""A whole head with named expressions, life size: the rig's topology in one person's shape and colors.

Convention: vertices are in glTF's axes and unit, as in core.export.mesh: x right, y up, z towards the viewer, metres.
The origin is the face's pivot.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from core.arguments import check_choice
from core.export.gltf import MorphMesh, Part, write_glb, write_obj
from core.export.mesh import HALF_WIDTH
from core.geometry.camera import FIELD_OF_VIEW, PIVOT
from core.head.fit import Front, fit_points, vertex_normals
from core.head.rig import EYES as EYEBALLS
from core.head.rig import MOUTH, SCALE, SKIN, TEETH, load_rig
from core.head.texture import Textures, bake, plain_uv
from core.model.expression_basis import EXPRESSION_NAMES
from core.model.head_regression import HeadRegression
from core.types import TexturedFace

METRES = HALF_WIDTH / math.tan(FIELD_OF_VIEW / 2)
"""Metres per camera-distance unit."""
GUMS, ENAMEL = (0.4, 0.15, 0.14), (0.83, 0.79, 0.74)
"""Colors of gums and teeth, sRGB."""


@dataclass(frozen=True, eq=False)
class Head:
    """One head; V vertices of the rig. What the photo does not show is an estimate: ears, back and neck are the rig's,
    and there is no hair."""

    neutral: np.ndarray
    """(V, 3) float32 vertices without expression, metres."""
    expression: dict[str, float]
    """Weights of the photo's expression, [0, 1], by name (core.model.expression_basis.EXPRESSION_NAMES)."""
    textures: Textures

    @property
    def triangles(self) -> np.ndarray:
        """(T, 3) int32 indices of vertices, counter-clockwise seen from outside."""
        return load_rig().triangles

    def vertices(self, expression: dict[str, float] | None = None) -> np.ndarray:
        """(V, 3) vertices with expression weights by name, metres; None: the photo's."""
        weights = self.expression if expression is None else expression
        amounts = np.array([weights.get(name, 0.0) for name in EXPRESSION_NAMES], np.float32)
        return self.neutral + np.tensordot(amounts, morphs(), 1)

    def mesh(self) -> MorphMesh:
        """As a mesh with its texture coordinates, materials and morph targets."""
        vertex, uv, triangles = topology()
        rig = load_rig()
        parts = [Part("skin", triangles[rig.of(*SKIN)], self.textures.skin),
                 Part("eyes", triangles[rig.of(*EYEBALLS)], self.textures.eyes),
                 Part("teeth", triangles[rig.of(*TEETH)], color=ENAMEL),
                 Part("gums", triangles[rig.of(*MOUTH)], color=GUMS)]
        moves = {name: moved[vertex] for name, moved in zip(EXPRESSION_NAMES, morphs(), strict=True)}
        return MorphMesh(self.neutral[vertex], vertex_normals(self.neutral, rig.triangles)[vertex], uv, parts, moves,
                         self.expression)

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Save as .glb, with morph targets, or as .zip: OBJ with the photo's expression, MTL and textures.

        Args:
            path, overwrite: as for `core.files.writing`, which also names the errors.

        Raises:
            ArgumentInvalid: another ending.
        """
        writers = {".glb": write_glb, ".zip": write_obj}
        writers[check_choice("the file's ending", Path(path).suffix.lower(), writers)](self.mesh(), path, overwrite)


def make_head(face: TexturedFace, front: Front, regression: HeadRegression,
              expression: np.ndarray | None = None) -> Head:
    """The head of the first face.

    Args:
        face: of `LatentFace.texture`.
        front: of core.head.fit.make_front.
        regression: of the model that analyzed the face.
        expression: (57,) weights, see `fit_points`.
    """
    points, weights = fit_points(front, regression, face, expression)
    named: dict[str, float] = dict(zip(EXPRESSION_NAMES, weights.tolist(), strict=True))
    neutral = ((points - PIVOT) * np.array([METRES, -METRES, -METRES])).astype(np.float32)
    posed = points + np.tensordot(weights, morphs(), 1) / np.array([METRES, -METRES, -METRES])
    return Head(neutral, named, bake(face, front, posed.astype(np.float32)))


@functools.cache
def morphs() -> np.ndarray:
    """(57, V, 3) displacement of the vertices by each expression at full strength, metres."""
    modes = load_rig().expression_modes
    return (modes * np.float32(SCALE * METRES)).reshape(len(modes), -1, 3)


@functools.cache
def topology() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices split where texture coordinates differ: the rig's vertex (K,) and coordinates (K, 2) of each, and
    triangles (T, 3) of them."""
    rig = load_rig()
    uvs = rig.corner_uvs.copy()
    uvs[rig.of("BackHead", *TEETH, *MOUTH)] = plain_uv()
    corners = np.concatenate([rig.triangles.reshape(-1, 1), uvs.reshape(-1, 2)], 1).astype(np.float64)
    unique, place = np.unique(corners, axis=0, return_inverse=True)
    return unique[:, 0].astype(np.int64), unique[:, 1:].astype(np.float32), place.reshape(-1, 3)
