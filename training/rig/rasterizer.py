"""Visible triangles, albedo, geometry and accessories of the face rig's renders, compiled with numba.

Convention: camera frame of core.geometry.camera (x right, y down, z away from the camera), integer pixel centres.
Images are rendered OVERSAMPLE times denser per axis. OVERSAMPLE is odd, so that the middle sample of a cell
is exactly the pixel centre, which gives depth, mask and normal, while the cell's mean gives albedo.
"""

from typing import Any

import numpy as np
from numba import njit

from core.geometry.rasterizer import COMPILED, z_buffer

OVERSAMPLE = 3
FACE, SCLERA = 0, 4  # material indices of the rig: textured skin; sclera left and right are 4 and 5
PUPIL_COLOUR, IRIS_COLOUR = 6, 7  # rows of the palette after the six materials
LAYERS = 4  # of accessories: hair, cloth, glasses' frames, lenses
TOLERANCE = 1e-5  # part of a triangle by which it reaches over its edges
PUPIL_RADIUS, IRIS_RADIUS = 0.05, 0.115  # in sclera UV about (.5, .5)

Scalar = Any
"""A number in compiled code, whose type numba infers."""

compiled = njit(**COMPILED, fastmath=True)


@compiled
def vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Area-weighted vertex normals, tangent_x x tangent_y sense: a frontal patch has (0, 0, +1).

    Args:
        vertices: (V, 3) canonical camera frame.
        triangles: (T, 3) indices, counter-clockwise seen from outside in a y-up frame.

    Returns:
        (V, 3) unit vectors pointing into the head.
    """
    normals = np.zeros_like(vertices)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, az = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        ux, uy, uz = vertices[b, 0] - ax, vertices[b, 1] - ay, vertices[b, 2] - az
        vx, vy, vz = vertices[c, 0] - ax, vertices[c, 1] - ay, vertices[c, 2] - az
        nx, ny, nz = uz * vy - uy * vz, ux * vz - uz * vx, uy * vx - ux * vy
        for corner in (a, b, c):
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz
    for v in range(normals.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2)
        if length > 0:
            for k in range(3):
                normals[v, k] /= length
    return normals


@compiled
def project(vertices: np.ndarray, focal: np.float32, centre: np.float32) -> np.ndarray:
    """Sample coordinates and inverse depth, (V, 3) float32, of camera-frame vertices; camera in samples."""
    points = np.empty_like(vertices)
    for v in range(vertices.shape[0]):
        inverse = np.float32(1) / vertices[v, 2]
        points[v, 0] = focal * vertices[v, 0] * inverse + centre
        points[v, 1] = focal * vertices[v, 1] * inverse + centre
        points[v, 2] = inverse
    return points


@compiled
def visible_triangles(points: np.ndarray, triangles: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Nearest front-facing triangle at every sample.

    Args:
        points: (V, 3) of `project`.
        triangles: (T, 3) vertex indices.
        size: side of the sample grid.

    Returns:
        (size, size) int32 triangle index, -1 for background, and (size, size) float32 inverse depth, 0 there.
    """
    index, nearest = np.empty((size, size), np.int32), np.empty((size, size), np.float32)
    z_buffer(points, triangles, False, TOLERANCE, index, nearest)
    return index, nearest


@compiled
def barycentric(points: np.ndarray, a: Scalar, b: Scalar, c: Scalar, x: Scalar, y: Scalar) -> tuple[Scalar, ...]:
    """Perspective-correct weights of corners a, b, c at sample (x, y), and the depth there."""
    ax, ay = points[a, 0], points[a, 1]
    bx, by, cx, cy = points[b, 0] - ax, points[b, 1] - ay, points[c, 0] - ax, points[c, 1] - ay
    area = cx * by - bx * cy
    wb = (cx * (y - ay) - (x - ax) * cy) / area
    wc = ((x - ax) * by - bx * (y - ay)) / area
    wa, wb, wc = (1 - wb - wc) * points[a, 2], wb * points[b, 2], wc * points[c, 2]
    depth = 1 / (wa + wb + wc)
    return wa * depth, wb * depth, wc * depth, depth


@compiled
def add_texel(total: np.ndarray, texture: np.ndarray, u: Scalar, v: Scalar) -> None:
    """Add the bilinear color of `texture` (h, w, 3) at UV (u, v), v up, edges clamped, to `total` (3,)."""
    height, width = texture.shape[0], texture.shape[1]
    x = min(max(u * width - 0.5, 0.0), width - 1.001)
    y = min(max((1 - v) * height - 0.5, 0.0), height - 1.001)
    i, j = int(x), int(y)
    fx, fy = np.float32(x - i), np.float32(y - j)
    for k in range(3):
        top = texture[j, i, k] + fx * (np.float32(texture[j, i + 1, k]) - texture[j, i, k])
        bottom = texture[j + 1, i, k] + fx * (np.float32(texture[j + 1, i + 1, k]) - texture[j + 1, i, k])
        total[k] += top + fy * (bottom - top)


@compiled
def palette_row(material: Scalar, u: Scalar, v: Scalar) -> int:
    """Row of the palette that colors an untextured sample; draws iris and pupil on the sclera."""
    radius = np.sqrt((u - 0.5) ** 2 + (v - 0.5) ** 2)
    if material < SCLERA or radius >= IRIS_RADIUS:
        return material
    return PUPIL_COLOUR if radius < PUPIL_RADIUS else IRIS_COLOUR


@compiled
def mean_albedo(index: np.ndarray, points: np.ndarray, triangles: np.ndarray, uvs: np.ndarray, triangle_uvs: np.ndarray,
                materials: np.ndarray, texture: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Albedo (n, n, 3) uint8: each pixel the mean over its covered samples, black where there are none.

    Args:
        index: (n * OVERSAMPLE,) * 2 triangle indices of `visible_triangles`.
        points: (V, 3) of `project`.
        triangles, triangle_uvs: (T, 3) indices; uvs (U, 2); materials (T,).
        texture: (h, w, 3) uint8 skin; palette: (8, 3) float32 0-255 per material, then pupil and iris.
    """
    n = index.shape[0] // OVERSAMPLE
    albedo, total = np.zeros((n, n, 3), np.uint8), np.zeros(3, np.float32)
    for cell in range(n * n):
        i, j = cell // n, cell % n
        total[:] = 0
        hits = 0
        for sample in range(OVERSAMPLE * OVERSAMPLE):
            y, x = i * OVERSAMPLE + sample // OVERSAMPLE, j * OVERSAMPLE + sample % OVERSAMPLE
            t = index[y, x]
            if t < 0:
                continue
            hits += 1
            wa, wb, wc, _ = barycentric(points, triangles[t, 0], triangles[t, 1], triangles[t, 2], x, y)
            p, q, r = triangle_uvs[t, 0], triangle_uvs[t, 1], triangle_uvs[t, 2]
            u = wa * uvs[p, 0] + wb * uvs[q, 0] + wc * uvs[r, 0]
            v = wa * uvs[p, 1] + wb * uvs[q, 1] + wc * uvs[r, 1]
            if materials[t] == FACE:
                add_texel(total, texture, u, v)
            else:
                row = palette_row(materials[t], u, v)
                for k in range(3):
                    total[k] += palette[row, k]
        if hits:
            for k in range(3):
                albedo[i, j, k] = np.uint8(min(total[k] / hits + 0.5, 255))
    return albedo


@compiled
def centre_geometry(index: np.ndarray, points: np.ndarray, normals: np.ndarray, triangles: np.ndarray,
                    background: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Depth (n, n) float32, mask (n, n) bool and unit normal (n, n, 3) float32 at the pixel centres.

    Args:
        index, points, triangles: as in `mean_albedo`.
        normals: (V, 3) unit vectors.
        background: depth where nothing is hit.
    """
    n = index.shape[0] // OVERSAMPLE
    depth, mask = np.full((n, n), background, np.float32), np.zeros((n, n), np.bool_)
    normal = np.zeros((n, n, 3), np.float32)
    for i in range(n):
        for j in range(n):
            y, x = i * OVERSAMPLE + OVERSAMPLE // 2, j * OVERSAMPLE + OVERSAMPLE // 2
            t = index[y, x]
            if t < 0:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            wa, wb, wc, depth[i, j] = barycentric(points, a, b, c, x, y)
            mask[i, j] = True
            for k in range(3):
                normal[i, j, k] = wa * normals[a, k] + wb * normals[b, k] + wc * normals[c, k]
            length = np.sqrt(normal[i, j, 0] ** 2 + normal[i, j, 1] ** 2 + normal[i, j, 2] ** 2)
            for k in range(3):
                normal[i, j, k] /= max(length, 1e-6)
    return depth, mask, normal


@compiled
def cover(index: np.ndarray, nearest: np.ndarray, head: np.ndarray, points: np.ndarray, triangles: np.ndarray,
          fronts: int, layers: np.ndarray, grain: np.ndarray, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What accessories hide of a head.

    Args:
        index, nearest: of `visible_triangles` for the accessories; head: `nearest` of the head.
        points, triangles: as in `mean_albedo`, of the accessories.
        fronts: triangles from this number on are back sides, whose normals point the other way.
        layers: (T,) below LAYERS; grain: (V,) in [0, 1]; normals: (V, 3) unit vectors.

    Returns:
        (n, n, LAYERS + 1) uint8: the layers' shares of each pixel, 0-255, and the mean grain, 0-255; (n, n, 3) float32
        mean normal, 0 where nothing is hidden.
    """
    n = index.shape[0] // OVERSAMPLE
    shares, normal = np.zeros((n, n, LAYERS + 1), np.uint8), np.zeros((n, n, 3), np.float32)
    hidden, facing = np.zeros(LAYERS, np.float32), np.zeros(3, np.float32)
    for cell in range(n * n):
        i, j = cell // n, cell % n
        hidden[:], facing[:], light = 0, 0, 0.0
        for sample in range(OVERSAMPLE * OVERSAMPLE):
            y, x = i * OVERSAMPLE + sample // OVERSAMPLE, j * OVERSAMPLE + sample % OVERSAMPLE
            t = index[y, x]
            if t < 0 or nearest[y, x] <= head[y, x]:
                continue
            a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
            wa, wb, wc, _ = barycentric(points, a, b, c, x, y)
            hidden[layers[t]] += 1
            light += wa * grain[a] + wb * grain[b] + wc * grain[c]
            side = 1 if t < fronts else -1
            for k in range(3):
                facing[k] += side * (wa * normals[a, k] + wb * normals[b, k] + wc * normals[c, k])
        samples = hidden.sum()
        if samples == 0:
            continue
        shares[i, j, :LAYERS] = (255 * hidden / (OVERSAMPLE * OVERSAMPLE) + 0.5).astype(np.uint8)
        shares[i, j, LAYERS] = np.uint8(255 * light / samples + 0.5)
        normal[i, j] = facing / max(np.sqrt((facing**2).sum()), 1e-6)
    return shares, normal
