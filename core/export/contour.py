"""Triangles that end along a smooth contour."""

from __future__ import annotations

import numpy as np

LEAST = 0.02
"""Part of an edge by which its new vertex lies beyond the inner end, so that no triangle is a line."""


def clip_triangles(faces: np.ndarray, field: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The part of triangles where a field, linear between their corners, is at least `level`.

    Args:
        faces: (F, 3) indices of V vertices.
        field: (V,) values at the vertices.
        level: where to cut.

    Returns:
        Triangles (G, 3), which turn as `faces` do, of V + M vertices; and for the M new ones the edges (M, 2) that
        they lie on, the inner end first, and how far along these they lie (M,), 0 to 1.
    """
    inside = (field >= level)[faces]
    count = inside.sum(1)
    one, two = (np.take_along_axis(faces[chosen], (first[chosen][:, None] + np.arange(3)) % 3, 1)
                for chosen, first in ((count == 1, inside.argmax(1)), (count == 2, inside.argmin(1))))
    edges = np.concatenate([one[:, [0, 1]], one[:, [0, 2]], two[:, [1, 0]], two[:, [2, 0]]])
    edges, place = np.unique(edges, axis=0, return_inverse=True)
    ends = np.cumsum([len(one), len(one), len(two)])
    ab, ac, ba, ca = np.split(len(field) + place.reshape(-1), ends)
    _, b, c = two.T
    triangles = np.concatenate([faces[count == 3], np.stack([one[:, 0], ab, ac], 1), np.stack([ba, b, c], 1),
                                np.stack([ba, c, ca], 1)])
    inner, outer = field[edges].T
    return triangles, edges, ((inner - level) / (inner - outer)).clip(LEAST, 1)


def along(values: np.ndarray, edges: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Values (V, C) of vertices, and those (M, C) of new vertices of `clip_triangles`, (V + M, C)."""
    inner, outer = values[edges[:, 0]], values[edges[:, 1]]
    return np.concatenate([values, inner + (outer - inner) * part[:, None].astype(values.dtype)])
