"""The rig: one topology for every head, with identity modes and named expressions (ICT-FaceKit, MIT licence).

Convention: rig frame, cm, x to the image's right, y up, z towards the viewer. `in_camera` gives the canonical camera
frame (core.geometry.camera).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from core.config import ASSETS

RIG_FILE = ASSETS / "rig" / "rig.npz"
IDENTITY_MODES = 100
PIVOT_CM = np.array([0.0, -0.57, 0.0], np.float32)
"""Point of the rig that lies on the optical axis."""
SCALE = 0.0875 / 7.08
"""Camera units per cm: half a crop's side is 7.08 cm at distance 1."""
DEPTH_ORIGIN = 1.127
"""Depth of the rig's origin in the canonical frame, before each person's own correction."""
SKIN, MOUTH, TEETH, EYES = ("Face", "BackHead"), ("GumsTongue",), ("Teeth",), ("ScleraLeft", "ScleraRight")
"""The rig's materials, by what a head is made of."""
FACE_UV = 1.0
"""Texture coordinates u up to here are the skin of the face; the back of the head has those beyond."""


@dataclass(frozen=True, eq=False)
class HeadRig:
    """Shapes and topology; V vertices, T triangles."""

    neutral: np.ndarray
    """(V * 3,) float32 mean head."""
    identity_modes: np.ndarray
    """(100, V * 3) float32."""
    expression_modes: np.ndarray
    """(57, V * 3) float32, in the order of core.model.expression_basis.EXPRESSION_NAMES."""
    triangles: np.ndarray
    """(T, 3) int32, counter-clockwise seen from outside."""
    corner_uvs: np.ndarray
    """(T, 3, 2) float32 texture coordinates, origin at the lower left; of eyes and face in [0, 1]."""
    materials: dict[str, np.ndarray]
    """(T,) bool by the rig's material."""

    def of(self, *names: str) -> np.ndarray:
        """(T,) bool: triangles of these materials."""
        return np.logical_or.reduce([self.materials[name] for name in names])

    def vertices_of(self, *names: str) -> np.ndarray:
        """(V,) bool: corners of the triangles of these materials."""
        found = np.zeros(self.neutral.size // 3, bool)
        found[self.triangles[self.of(*names)]] = True
        return found

    def shape(self, identity: np.ndarray, expression: np.ndarray) -> np.ndarray:
        """(V, 3) vertices of identity coefficients (100,) and expression weights (57,)."""
        moved = self.neutral + identity @ self.identity_modes + expression @ self.expression_modes
        return moved.reshape(-1, 3)


@functools.cache
def load_rig() -> HeadRig:
    """The bundled rig; read once."""
    with np.load(RIG_FILE) as stored:
        arrays = dict(stored)
    modes = arrays["modes"].astype(np.float32) * arrays["mode_step"][:, None]
    materials = {str(name): arrays["triangle_material"] == row for row, name in enumerate(arrays["materials"])}
    return HeadRig(arrays["neutral"].reshape(-1), modes[:IDENTITY_MODES], modes[IDENTITY_MODES:],
                   arrays["triangles"].astype(np.int32), arrays["uvs"][arrays["triangle_uvs"].astype(np.int32)],
                   materials)


def in_camera(vertices: np.ndarray, depth_origin: float = DEPTH_ORIGIN) -> np.ndarray:
    """Rig points (..., 3) in the canonical camera frame."""
    axes = np.array([SCALE, -SCALE, -SCALE], np.float32)
    return (vertices - PIVOT_CM) * axes + np.array([0, 0, depth_origin], np.float32)
