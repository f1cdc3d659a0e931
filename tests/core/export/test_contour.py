"""Triangles cut along a level of a field."""

import numpy as np

from core.export.contour import along, clip_triangles

CORNERS = np.array([[0, 0], [1, 0], [0, 1], [1, 1]], np.float64)
FACES = np.array([[0, 1, 2], [1, 3, 2]])


def areas(points: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(F,) signed areas, positive where counter-clockwise."""
    (ux, uy), (vx, vy) = ((points[faces[:, k]] - points[faces[:, 0]]).T for k in (1, 2))
    return (ux * vy - uy * vx) / 2


def test_a_square_is_cut_by_a_line():
    for field, part in ((CORNERS[:, 0], 0.75), (CORNERS.sum(1), 1 - 0.25**2 / 2), (-CORNERS.sum(1), 0.5 * 0.25**2)):
        faces, edges, where = clip_triangles(FACES, field, -0.25 if field.min() < 0 else 0.25)
        points = along(CORNERS, edges, where)
        found = areas(points, faces)
        assert (found > 0).all() and np.isclose(found.sum(), part)


def test_neighbours_share_the_new_vertices():
    faces, edges, _ = clip_triangles(FACES, CORNERS[:, 0], 0.25)
    assert len(edges) == 3
    assert (faces.max() + 1) == len(CORNERS) + len(edges)


def test_triangles_outside_are_left_out():
    faces, edges, _ = clip_triangles(FACES, np.array([1.0, 1, 1, 0]), 2.0)
    assert len(faces) == len(edges) == 0
