"""From what the autoencoder finds in a photo to the rig's head.

A linear regression reads identity coefficients and expression weights from the codes. Where landmarks are known, the
head is shifted, and a smooth displacement brings lips, lids, brows and nose to where the photo shows them: both across
the photo's lines of sight. The displacement fades to 0 towards ears, back and neck. The canonical depth map sets the
head's distance alone: pulling the surface onto it makes heads of held-out renders less exact (2.4 to 2.5 mm in place of
2.3).

Convention: points are in the canonical camera frame (core.geometry.camera).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numba
import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import map_coordinates
from scipy.sparse import coo_matrix, csc_matrix, csr_matrix, diags, identity
from scipy.sparse.linalg import SuperLU, splu

from core.geometry.camera import intrinsics, rotation_matrix, transform
from core.geometry.landmark_warp import ANCHORS
from core.geometry.rasterizer import COMPILED, z_buffer
from core.head.rig import DEPTH_ORIGIN, EYES, MOUTH, SKIN, TEETH, HeadRig, in_camera, load_rig

if TYPE_CHECKING:
    from core.model.head_regression import HeadRegression
    from core.types import TexturedFace

OUTLINE = 12
"""The last anchors lie on the outline. It is a line on the skin in frontal photos alone."""
FRONT_YAW, SIDE_YAW = math.radians(10), math.radians(25)
"""Turns of the head between which the outline ceases to count."""
FAR, NEAR = 1.06, 1.045
"""Depths of the mean head between which its front begins, camera-distance units."""
GRAZING, FRONTAL = 0.2, 0.6
"""Cosines between surface and line of sight between which the front begins."""
STIFFNESS = 30.0
"""Of the displacement, beside the landmarks' weight of 1."""
ANCHORED = 0.05
"""Weight with which everything but the front keeps its place."""
LARGEST = 0.02
"""Displacement at which a landmark's pull saturates, camera-distance units (19 mm)."""
SMOOTHINGS = 64
"""Largest number of times that a displacement is smoothed where it turns triangles over."""
WIDER = 4
"""Smoothings after which the smoothed surroundings of turned triangles grow by one ring of vertices."""
WEAKER, PATIENCE, LAST = 0.75, 8, 32
"""Factor on the displacement at each smoothing: after `PATIENCE` of them around the triangles that are still turned,
after `LAST` everywhere."""
SIZE = 512
"""Side of the image in which the mean head's visible triangles are found, pixels."""


@dataclass(frozen=True, eq=False)
class Front:
    """What is the same for every head; V vertices of the rig, S of them skin."""

    rig: HeadRig
    weight: np.ndarray
    """(V,) [0, 1]: 1 on the face, 0 where the mean head does not show it from the front."""
    skin: np.ndarray
    """(S,) vertices of the skin."""
    system: SuperLU
    """Factors of the displacement's equations, S unknowns."""
    mean: csr_matrix
    """(S, S) mean of a vertex's neighbours."""
    row: np.ndarray
    """(K,) place in `skin` of the vertex of each of the landmarks `ANCHORS`."""
    inner: tuple[np.ndarray, ...]
    """Vertices of each eye, and of the mouth with its teeth, which move as one piece each."""

    @property
    def triangles(self) -> np.ndarray:
        """(F, 3) triangles of the rig's front."""
        return self.rig.triangles[(self.weight > 0)[self.rig.triangles].all(1)]


@numba.njit(**COMPILED)
def triangle_ids(pixels, triangles, both_sides, ids, nearest):  # pragma: no cover - compiled
    """`z_buffer` of triangles."""
    z_buffer(pixels, triangles, both_sides, 1e-4, ids, nearest)


def visible(pixels: np.ndarray, triangles: np.ndarray, size: int, both_sides: bool = False) -> np.ndarray:
    """(size, size) int32 number of the triangle that each pixel shows, −1 for none.

    Args:
        pixels: (V, 3) pixel coordinates x, y, and inverse depth.
        triangles: (T, 3) int32.
        size: side of the image.
        both_sides: also triangles whose corners are clockwise.
    """
    ids, nearest = np.empty((size, size), np.int32), np.empty((size, size), np.float32)
    triangle_ids(pixels.astype(np.float32), triangles, both_sides, ids, nearest)
    return ids


def to_pixels(points: np.ndarray, size: int) -> np.ndarray:
    """(V, 3) pixel coordinates x, y, and inverse depth, of points in the frame of a camera."""
    focal, centre = intrinsics(size)
    return np.concatenate([points[:, :2] / points[:, 2:] * focal + centre, 1 / points[:, 2:]], 1)


def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, area-weighted; outwards where y points up and triangles are counter-clockwise."""
    face = facing(vertices, triangles)
    total = np.stack([np.bincount(triangles.ravel(), np.repeat(face[:, axis], 3), len(vertices))
                      for axis in range(3)], 1)
    return (total / np.linalg.norm(total, axis=1, keepdims=True).clip(1e-12)).astype(np.float32)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """Smooth step from 0 at 0 to 1 at 1."""
    x = x.clip(0, 1)
    return x * x * (3 - 2 * x)


def front_weight(rig: HeadRig) -> np.ndarray:
    """`Front.weight`."""
    neutral = rig.neutral.reshape(-1, 3)
    mean, seen = in_camera(neutral), np.zeros(len(neutral), bool)
    ids = visible(to_pixels(mean, SIZE), rig.triangles, SIZE)
    seen[rig.triangles[np.unique(ids[ids >= 0])]] = True
    cosine = vertex_normals(neutral, rig.triangles)[:, 2]
    weight = smoothstep((cosine - GRAZING) / (FRONTAL - GRAZING)) * smoothstep((FAR - mean[:, 2]) / (FAR - NEAR))
    return (weight * seen * rig.vertices_of(*SKIN)).astype(np.float32)


def make_front(regression: HeadRegression) -> Front:
    """Prepare what is the same for every head: about a second."""
    rig = load_rig()
    weight, skin = front_weight(rig), np.flatnonzero(rig.vertices_of(*SKIN))
    row = np.searchsorted(skin, regression.landmarks.numpy()[ANCHORS])
    known = np.bincount(row, minlength=len(skin)) + ANCHORED * (1 - weight[skin])
    mean = _neighbour_mean(rig, skin)
    bending = identity(len(skin)) - mean  # what a displacement costs that is not smooth
    system = splu(cast(csc_matrix, (diags(known) + STIFFNESS * (bending.T @ bending)).tocsc()))
    pieces = [*((name,) for name in EYES), (*MOUTH, *TEETH)]
    inner = tuple(np.flatnonzero(rig.vertices_of(*names)) for names in pieces)
    return Front(rig, weight, skin, system, mean, row, inner)


def _neighbour_mean(rig: HeadRig, skin: np.ndarray) -> csr_matrix:
    """`Front.mean`."""
    count, triangles = rig.neutral.size // 3, rig.triangles[rig.of(*SKIN)]
    rows, columns = triangles.ravel(), np.roll(triangles, 1, 1).ravel()
    joined = coo_matrix((np.ones(len(rows)), (rows, columns)), (count, count)).tocsr()
    joined = (joined + joined.T).astype(bool).astype(float)[skin][:, skin]
    return cast(csr_matrix, (diags(1 / np.asarray(joined.sum(1)).ravel()) @ joined).tocsr())


def fit_points(front: Front, regression: HeadRegression, face: TexturedFace,
               expression: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Points (V, 3) of one face's head without its expression, and its expression weights (57,).

    Args:
        front, regression: of the rig, and of the model that analyzed the face.
        face: one face.
        expression: (57,) weights, [0, 1]; None: as the regression reads them, which was fitted to renders alone.
    """
    rig = front.rig
    identity_, read = (found[0] for found in regression.predict(face.factors.of_codes.codes))
    weights = read if expression is None else expression
    neutral, posed = rig.shape(identity_, np.zeros_like(weights)), rig.shape(identity_, weights)
    origin = _depth_origin(front, in_camera(posed), face.factors.canon_depth[0].cpu().numpy())
    points, posed = in_camera(neutral, origin), in_camera(posed, origin)
    if face.landmarks is None:
        return points, weights
    yaw = float(face.view.rotation[0, 1].abs())
    outline = float(smoothstep(np.array((SIDE_YAW - yaw) / (SIDE_YAW - FRONT_YAW))))
    pull = _across_sight(face, posed[front.skin[front.row]])
    return points + landmark_pull(front, posed, pull, outline), weights


def _across_sight(face: TexturedFace, points: np.ndarray) -> np.ndarray:
    """Displacement (K, 3), across the photo's lines of sight, from points of a head to the landmarks `ANCHORS`."""
    assert face.landmarks is not None
    at = face.landmarks[:1, ANCHORS]
    depth = F.grid_sample(face.depth[:1, None], at[:, None], padding_mode="border", align_corners=False)[0, :, 0].mT
    rays = F.pad(at[0] * face.tangent[0], (0, 1), value=1.0)
    seen, ours = (transform(found[None], face.view[:1])[0] for found in
                  (rays * depth, torch.from_numpy(points).to(rays)))
    pull = F.pad(seen[:, :2] / seen[:, 2:] * ours[:, 2:] - ours[:, :2], (0, 1))
    return (pull @ rotation_matrix(face.view.rotation[:1])[0]).cpu().numpy()


def _depth_origin(front: Front, points: np.ndarray, depth: np.ndarray) -> float:
    """Depth of the rig's origin at which the front lies, on average, on a canonical depth map (H, H)."""
    pixels = to_pixels(points, len(depth))
    found = map_coordinates(depth, [pixels[:, 1], pixels[:, 0]], order=1, mode="nearest")
    return DEPTH_ORIGIN + float(np.average(found - points[:, 2], weights=front.weight))


def landmark_pull(front: Front, points: np.ndarray, pull: np.ndarray, outline: float = 1.0) -> np.ndarray:
    """Displacement (V, 3) that brings landmarks to their place: the whole head is shifted, its front bent smoothly.

    Args:
        front: of `make_front`.
        points: (V, 3) of the head, with its expression.
        pull: (K, 3) displacement of the landmarks `ANCHORS`.
        outline: share of the pull of those on the outline, [0, 1].
    """
    shift = pull[:-OUTLINE].mean(0)
    pull = pull - shift
    length = np.linalg.norm(pull, axis=1, keepdims=True).clip(1e-9)
    pull *= (LARGEST * np.tanh(length / LARGEST) / length)
    pull[-OUTLINE:] *= outline
    moved = np.zeros_like(points)
    for axis in range(3):
        moved[front.skin, axis] = front.system.solve(np.bincount(front.row, pull[:, axis], len(front.skin)))
    _untangle(front, points, moved)
    for piece in front.inner:
        moved[piece] = _moved_around(points, moved, front, piece)
    return moved + shift


def _untangle(front: Front, points: np.ndarray, moved: np.ndarray) -> None:
    """Smooth a displacement (V, 3) in place where it turns triangles of the front over, weaken it if need be."""
    triangles = front.triangles
    before, place = facing(points, triangles), np.searchsorted(front.skin, np.arange(len(points)))
    for smoothing in range(SMOOTHINGS):
        turned = (before * facing(points + moved, triangles)).sum(1) <= 0
        if not turned.any():
            return
        near = np.zeros(len(front.skin))
        near[place[triangles[turned]]] = 1
        for _ in range(2 + smoothing // WIDER):
            near = front.mean @ near
        around = front.skin[near > 0]
        if smoothing >= PATIENCE:
            moved[around if smoothing < LAST else slice(None)] *= WEAKER
        for _ in range(2):
            moved[around] = (front.mean @ moved[front.skin])[near > 0]


def facing(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """(T, 3) normals of triangles, as long as twice their areas."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def _moved_around(points: np.ndarray, moved: np.ndarray, front: Front, piece: np.ndarray) -> np.ndarray:
    """Mean displacement (3,) of the skin around a piece: eyes and teeth keep their sockets."""
    centre = points[piece].mean(0)
    reach = np.linalg.norm(points[piece] - centre, axis=1).max()
    near = front.skin[np.linalg.norm(points[front.skin, :2] - centre[:2], axis=1) < reach]
    return np.average(moved[near], axis=0, weights=front.weight[near] + 1e-6)
