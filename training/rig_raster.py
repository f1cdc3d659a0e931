"""Triangle z-buffer and shading pass for the face rig, compiled with numba.

Convention: camera frame of core.geometry (x right, y down, z away from the camera); pixel positions are floats with
integer pixel centres. Images are rendered OVERSAMPLE times denser per axis; OVERSAMPLE is odd, so that the middle
sample of a cell is exactly the pixel centre, which gives depth, mask and normal, while the cell's mean gives albedo.
"""

import numpy as np
from numba import njit

OVERSAMPLE = 3
FACE, SCLERA = 0, 4  # material indices of the rig: textured skin; sclera left and right are 4 and 5
PUPIL_COLOUR, IRIS_COLOUR = 6, 7  # rows of the palette after the six materials
PUPIL_RADIUS, IRIS_RADIUS = 0.05, 0.115  # in sclera UV about (.5, .5)


@njit(cache=True, nogil=True)
def vertex_normals(vertices, triangles):
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
        ux, uy, uz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        vx, vy, vz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        nx, ny, nz = uz * vy - uy * vz, ux * vz - uz * vx, uy * vx - ux * vy
        for k in (a, b, c):
            normals[k, 0] += nx
            normals[k, 1] += ny
            normals[k, 2] += nz
    for v in range(normals.shape[0]):
        length = np.sqrt(normals[v, 0] ** 2 + normals[v, 1] ** 2 + normals[v, 2] ** 2) + 1e-20
        normals[v] /= length
    return normals


@njit(cache=True, nogil=True)
def visible_triangles(points, triangles, size):
    """Nearest front-facing triangle at every sample.

    Args:
        points: (V, 3) sample x, sample y, 1 / z.
        triangles: (T, 3) vertex indices.
        size: side of the sample grid.

    Returns:
        (size, size) int32 triangle index, -1 for background.
    """
    nearest = np.zeros((size, size), np.float32)
    index = np.full((size, size), -1, np.int32)
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        ax, ay, bx, by, cx, cy = (points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1])
        area = (cx - ax) * (by - ay) - (bx - ax) * (cy - ay)  # > 0: facing the camera
        if area <= 1e-9:
            continue
        left, right = max(0, int(np.ceil(min(ax, bx, cx)))), min(size - 1, int(np.floor(max(ax, bx, cx))))
        top, bottom = max(0, int(np.ceil(min(ay, by, cy)))), min(size - 1, int(np.floor(max(ay, by, cy))))
        for y in range(top, bottom + 1):
            for x in range(left, right + 1):
                wb = ((cx - ax) * (y - ay) - (x - ax) * (cy - ay)) / area
                wc = ((x - ax) * (by - ay) - (bx - ax) * (y - ay)) / area
                wa = 1 - wb - wc
                if wa < -1e-6 or wb < -1e-6 or wc < -1e-6:
                    continue
                inverse = wa * points[a, 2] + wb * points[b, 2] + wc * points[c, 2]
                if inverse > nearest[y, x]:
                    nearest[y, x], index[y, x] = inverse, t
    return index


@njit(cache=True, nogil=True)
def barycentric(points, triangle, x, y):
    """Perspective-correct weights of the three corners at sample (x, y), and the depth there."""
    a, b, c = triangle
    ax, ay = points[a, 0], points[a, 1]
    bx, by, cx, cy = points[b, 0] - ax, points[b, 1] - ay, points[c, 0] - ax, points[c, 1] - ay
    area = cx * by - bx * cy
    wb = (cx * (y - ay) - (x - ax) * cy) / area
    wc = ((x - ax) * by - bx * (y - ay)) / area
    wa, wb, wc = (1 - wb - wc) * points[a, 2], wb * points[b, 2], wc * points[c, 2]
    depth = 1 / (wa + wb + wc)
    return wa * depth, wb * depth, wc * depth, depth


@njit(cache=True, nogil=True)
def bilinear(texture, u, v, k):
    """Channel k of `texture` at UV (u, v), v up, edges clamped."""
    height, width = texture.shape[0], texture.shape[1]
    x, y = min(max(u * width - 0.5, 0), width - 1.001), min(max((1 - v) * height - 0.5, 0), height - 1.001)
    i, j = int(x), int(y)
    fx, fy = x - i, y - j
    top = texture[j, i, k] * (1 - fx) + texture[j, i + 1, k] * fx
    return top * (1 - fy) + (texture[j + 1, i, k] * (1 - fx) + texture[j + 1, i + 1, k] * fx) * fy


@njit(cache=True, nogil=True)
def palette_row(material, u, v):
    """Row of the palette that colours an untextured sample; paints iris and pupil on the sclera."""
    if material < SCLERA:
        return material
    radius = np.sqrt((u - 0.5) ** 2 + (v - 0.5) ** 2)
    if radius < PUPIL_RADIUS:
        return PUPIL_COLOUR
    return IRIS_COLOUR if radius < IRIS_RADIUS else material


@njit(cache=True, nogil=True)
def shade_samples(index, points, normals, triangles, uvs, triangle_uvs, materials, texture, palette, background):
    """Depth, mask, albedo and normal images of size n from the n * OVERSAMPLE visibility grid.

    Args:
        index: (n * OVERSAMPLE,) * 2 triangle indices of `visible_triangles`.
        points: (V, 3) sample x, sample y, 1 / z.
        normals: (V, 3) unit vectors.
        triangles, triangle_uvs: (T, 3) indices; uvs (U, 2); materials (T,).
        texture: (h, w, 3) uint8 skin; palette: (8, 3) colours 0-255 per material, then pupil and iris.
        background: depth where nothing is hit.

    Returns:
        depth (n, n) float32, mask (n, n) bool, albedo (n, n, 3) uint8, normal (n, n, 3) float32.
    """
    n = index.shape[0] // OVERSAMPLE
    depth, mask = np.full((n, n), background, np.float32), np.zeros((n, n), np.bool_)
    albedo, normal = np.zeros((n, n, 3), np.uint8), np.zeros((n, n, 3), np.float32)
    total = np.zeros(3)
    for i in range(n):
        for j in range(n):
            total[:] = 0
            hits = 0
            for y in range(i * OVERSAMPLE, (i + 1) * OVERSAMPLE):
                for x in range(j * OVERSAMPLE, (j + 1) * OVERSAMPLE):
                    t = index[y, x]
                    if t < 0:
                        continue
                    hits += 1
                    a, b, c = triangles[t]
                    wa, wb, wc, z = barycentric(points, (a, b, c), x, y)
                    p, q, r = triangle_uvs[t]
                    u = wa * uvs[p, 0] + wb * uvs[q, 0] + wc * uvs[r, 0]
                    v = wa * uvs[p, 1] + wb * uvs[q, 1] + wc * uvs[r, 1]
                    row = palette_row(materials[t], u, v)
                    for k in range(3):
                        total[k] += bilinear(texture, u, v, k) if materials[t] == FACE else palette[row, k]
                    if y % OVERSAMPLE == OVERSAMPLE // 2 and x % OVERSAMPLE == OVERSAMPLE // 2:
                        depth[i, j], mask[i, j] = z, True
                        length = 0.0
                        for k in range(3):
                            normal[i, j, k] = wa * normals[a, k] + wb * normals[b, k] + wc * normals[c, k]
                            length += normal[i, j, k] ** 2
                        normal[i, j] /= np.sqrt(length) + 1e-12
            if hits:
                for k in range(3):
                    albedo[i, j, k] = np.uint8(total[k] / hits + 0.5)
    return depth, mask, albedo, normal
