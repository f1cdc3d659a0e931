"""Differentiable depth rendering of grid meshes with exact occlusion.

A z-buffer decides which triangle each pixel sees; the depth there is where the pixel's ray meets the triangle's plane,
and its gradient has a closed form. Both loops are compiled by numba and run on the CPU, one image per thread; tensors
on other devices take the same path, only their points travel.
"""

from __future__ import annotations

import functools
import math
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import BackendMissing
from core.geometry.camera import FIELD_OF_VIEW, intrinsics

BACKGROUND = 1.1
"""Depth of pixels that no triangle covers: the far end of the depth head's range."""

STEEPEST = 0.05
"""Cosine between ray and normal below which gradients grow no further: a triangle seen edge-on."""


@numba.njit(cache=True, nogil=True)
def _corner(cell, half, width):  # pragma: no cover - compiled
    """Grid indices (flat) of the corners of a triangle: cell (i, j) is (a, b / c) and its other half (d, c / b)."""
    first = cell // (width - 1) * width + cell % (width - 1)
    if half == 0:
        return first, first + 1, first + width
    return first + width + 1, first + width, first + 1


@numba.njit(cache=True, nogil=True)
def _z_buffer(points, focal, centre, ids, depth):  # pragma: no cover - compiled
    """Fill ids (S, S) with 2 · cell + half of the nearest triangle, −1 for none, and depth (S, S).

    points (H, W, 3) in the camera frame. 1 / depth is linear in the image: the interpolation is perspective-correct.
    """
    height, width, size = points.shape[0], points.shape[1], len(ids)
    flat = points.reshape(height * width, 3)
    pixel = np.empty_like(flat)
    for k in range(len(flat)):
        pixel[k, 2] = 1 / flat[k, 2]
        pixel[k, 0] = flat[k, 0] * pixel[k, 2] * focal + centre
        pixel[k, 1] = flat[k, 1] * pixel[k, 2] * focal + centre
    nearest = np.zeros((size, size), points.dtype)
    ids[:] = -1
    depth[:] = BACKGROUND
    for triangle in range(2 * (height - 1) * (width - 1)):
        ia, ib, ic = _corner(triangle // 2, triangle % 2, width)
        ax, ay, bx, by, cx, cy = (pixel[ia, 0], pixel[ia, 1], pixel[ib, 0], pixel[ib, 1], pixel[ic, 0], pixel[ic, 1])
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        x0, x1 = max(0, int(np.ceil(min(ax, bx, cx) - 1e-4))), min(size - 1, int(np.floor(max(ax, bx, cx) + 1e-4)))
        y0, y1 = max(0, int(np.ceil(min(ay, by, cy) - 1e-4))), min(size - 1, int(np.floor(max(ay, by, cy) + 1e-4)))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((x - ax) * (cy - ay) - (y - ay) * (cx - ax)) / area
                wc = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / area
                # A hair of tolerance closes the cracks that rounding leaves between neighbours.
                if wb < -1e-4 or wc < -1e-4 or wb + wc > 1.0001:
                    continue
                inverse = pixel[ia, 2] * (1 - wb - wc) + pixel[ib, 2] * wb + pixel[ic, 2] * wc
                if inverse > nearest[y, x]:
                    nearest[y, x] = inverse
                    ids[y, x] = triangle
                    depth[y, x] = 1 / inverse


@numba.njit(cache=True, nogil=True)
def _z_buffer_backward(points, focal, centre, ids, grad_depth, grad_points):  # pragma: no cover - compiled
    """Add to grad_points (H, W, 3) what grad_depth (S, S) asks of the corners.

    A ray r meets the plane with normal n at depth z. Moving corner k by e moves the plane at the hit point, whose
    barycentric weight for k is w, by w e; so dz = w (n·e) / (n·r).
    """
    height, width, size = points.shape[0], points.shape[1], len(ids)
    flat, grad = points.reshape(height * width, 3), grad_points.reshape(height * width, 3)
    for y in range(size):
        for x in range(size):
            if ids[y, x] < 0 or grad_depth[y, x] == 0:
                continue
            ia, ib, ic = _corner(ids[y, x] // 2, ids[y, x] % 2, width)
            a, u, v = flat[ia], flat[ib] - flat[ia], flat[ic] - flat[ia]
            n = np.array((u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]))
            length = np.sqrt(n[0] ** 2 + n[1] ** 2 + n[2] ** 2)
            rx, ry = (x - centre) / focal, (y - centre) / focal
            along = n[0] * rx + n[1] * ry + n[2]
            if length < 1e-12 or along == 0:
                continue
            z = (n[0] * a[0] + n[1] * a[1] + n[2] * a[2]) / along
            px, py, pz = z * rx - a[0], z * ry - a[1], z - a[2]
            wb = (n[0] * (py * v[2] - pz * v[1]) + n[1] * (pz * v[0] - px * v[2])
                  + n[2] * (px * v[1] - py * v[0])) / length**2
            wc = (n[0] * (u[1] * pz - u[2] * py) + n[1] * (u[2] * px - u[0] * pz)
                  + n[2] * (u[0] * py - u[1] * px)) / length**2
            wb, wc = min(max(wb, 0.0), 1.0), min(max(wc, 0.0), 1.0)
            scale = grad_depth[y, x] / (np.sign(along) * max(abs(along), STEEPEST * length))
            for k in range(3):
                grad[ia, k] += scale * n[k] * (1 - wb - wc)
                grad[ib, k] += scale * n[k] * wb
                grad[ic, k] += scale * n[k] * wc


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="z-buffer")


def _each_image(function, count: int) -> None:
    """Run function(index) for each image of the batch; the compiled loops release the interpreter lock."""
    if count == 1:
        function(0)
    else:
        list(_pool(torch.get_num_threads()).map(function, range(count)))


class _GridDepth(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, size: int) -> tuple[Tensor, Tensor]:
        grids = points.detach().cpu().contiguous().numpy()
        focal, centre = intrinsics(size)
        ids = np.empty((len(grids), size, size), np.int32)
        depth = np.empty((len(grids), size, size), grids.dtype)
        _each_image(lambda k: _z_buffer(grids[k], focal, centre, ids[k], depth[k]), len(grids))
        ctx.grids, ctx.ids = grids, ids
        mask = torch.from_numpy(ids >= 0).to(points.device)
        ctx.mark_non_differentiable(mask)
        return torch.from_numpy(depth).to(points.device), mask

    @staticmethod
    def backward(ctx, grad_depth: Tensor, _) -> tuple[Tensor, None]:
        grids, ids = ctx.grids, ctx.ids
        focal, centre = intrinsics(ids.shape[-1])
        wanted, grad = grad_depth.cpu().contiguous().numpy(), np.zeros_like(grids)
        _each_image(lambda k: _z_buffer_backward(grids[k], focal, centre, ids[k], wanted[k], grad[k]), len(grids))
        return torch.from_numpy(grad).to(grad_depth.device), None


def rasterize_depth(points: Tensor, size: int, backend: str = "grid") -> tuple[Tensor, Tensor]:
    """Render the depth of grid meshes.

    Convention: camera of core.geometry.camera; both sides of a triangle are visible.

    Args:
        points: (B, H, W, 3) points in the camera frame; each 2 × 2 cell of the grid is two triangles.
        size: side of the rendered image in pixels.
        backend: "grid" (this module) or "pytorch3d" (optional, requirements-pytorch3d.txt).

    Returns:
        Depth (B, size, size), `BACKGROUND` where nothing is seen, and mask (B, size, size), bool.

    Raises:
        BackendMissing: PyTorch3D was asked for and is not installed.
        ValueError: wrong shape or an unknown backend.
    """
    if points.dim() != 4 or points.shape[-1] != 3:
        raise ValueError(f"points must be (B, H, W, 3), got {tuple(points.shape)}")
    if backend == "grid":
        return _GridDepth.apply(points, size)
    if backend == "pytorch3d":
        return _rasterize_pytorch3d(points, size)
    raise ValueError(f"unknown backend {backend!r}: use 'grid' or 'pytorch3d'")


def _rasterize_pytorch3d(points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    try:
        from pytorch3d import _C  # noqa: F401 - a broken install imports pytorch3d but not its extension
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes
    except ImportError as error:
        raise BackendMissing("PyTorch3D is not installed: run `pip install -r requirements-pytorch3d.txt` in an "
                             "environment of its own, or use the default backend 'grid'.") from error
    batch, height, width, _ = points.shape
    focal, _ = intrinsics(size)
    # Its image plane spans −1 … 1 from edge to edge of the pixels, x to the left and y up.
    plane = -points[..., :2] / points[..., 2:] * focal * 2 / size
    vertices = torch.cat([plane, points[..., 2:]], -1).flatten(1, 2)
    cells = np.arange((height - 1) * (width - 1))
    triangles = np.concatenate([np.stack(_corner.py_func(cells, half, width), -1) for half in (0, 1)])
    faces = torch.from_numpy(triangles).to(points.device)
    mesh = Meshes(vertices, faces[None].expand(batch, -1, -1))
    ids, depth, _, _ = rasterize_meshes(mesh, size, blur_radius=0.0, faces_per_pixel=1, perspective_correct=True)
    mask = ids[..., 0] >= 0
    return torch.where(mask, depth[..., 0], torch.full_like(depth[..., 0], BACKGROUND)), mask


def rasterize_crop(points: Tensor, tangent: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`rasterize_depth` for a crop: depth and mask (B, size, size) at the pixel centres of a crop of the view."""
    narrow = math.tan(FIELD_OF_VIEW / 2) / tangent * size / (size - 1)
    return rasterize_depth(points * F.pad(narrow[:, None].expand(-1, 2), (0, 1), value=1.0)[:, None, None], size)
