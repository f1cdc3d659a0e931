"""Differentiable depth rendering of grid meshes with exact occlusion.

A z-buffer finds the nearest triangle at each pixel. The depth there is where the pixel's ray meets the triangle's
plane; its gradient has a closed form. The loops are compiled by numba and run on the CPU, one image per thread. Points
on another device are copied to the CPU, and the results back. PyTorch3D can do the same: see `use_rasterizer`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numba
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.environment import prepare_caches
from core.errors import ArgumentInvalid, BackendMissing
from core.geometry.camera import FIELD_OF_VIEW, intrinsics, pixel_grid

BACKGROUND = 1.1
"""Depth of pixels that no triangle covers: the far end of the depth head's range."""

STEEPEST = 0.05
"""Cosine between ray and normal below which gradients grow no further: a triangle seen edge-on."""

COMPILED = {"cache": prepare_caches(), "nogil": True, "error_model": "numpy"}
"""How numba compiles the loops: they release the interpreter lock, and a division by 0 is infinite."""

TOLERANCE = 1e-4
"""Part of a triangle by which it reaches over its edges: closes the cracks that rounding leaves between neighbours."""

SMALLEST_AREA = 1e-9
"""Twice the area in square pixels below which a triangle is not drawn."""


@numba.njit(**COMPILED)
def _project(points, focal, centre):  # pragma: no cover - compiled
    """Pixel coordinates x, y and inverse depth, (V, 3), of points (V, 3) in the camera frame."""
    pixels = np.empty_like(points)
    for k in range(len(points)):
        pixels[k, 2] = 1 / points[k, 2]
        pixels[k, 0] = points[k, 0] * pixels[k, 2] * focal + centre
        pixels[k, 1] = points[k, 1] * pixels[k, 2] * focal + centre
    return pixels


@numba.njit(inline="always", **COMPILED)
def _corners(pixels, triangles, index):  # pragma: no cover - compiled
    """x, y and inverse depth of the three corners of a triangle."""
    a, b, c = triangles[index, 0], triangles[index, 1], triangles[index, 2]
    return (pixels[a, 0], pixels[a, 1], pixels[a, 2], pixels[b, 0], pixels[b, 1], pixels[b, 2],
            pixels[c, 0], pixels[c, 1], pixels[c, 2])


@numba.njit(inline="always", **COMPILED)
def z_buffer(pixels: np.ndarray, triangles: np.ndarray, both_sides: bool, tolerance: float, ids: np.ndarray,
             nearest: np.ndarray) -> None:  # pragma: no cover - compiled
    """Find the nearest triangle at each pixel centre.

    1 / depth is linear in the image, so its interpolation is perspective-correct. The loop is inlined: each caller
    compiles it with its own options (fastmath rounds differently).

    Args:
        pixels: (V, 3) pixel coordinates x, y and inverse depth.
        triangles: (T, 3) indices of corners.
        both_sides: False leaves out triangles whose corners are clockwise in the image.
        tolerance: part of a triangle by which it reaches over its edges.
        ids: (S, S) int32, filled with the index of the nearest triangle, -1 for none.
        nearest: (S, S), filled with its inverse depth, 0 for none.
    """
    size = len(ids)
    ids[:], nearest[:] = -1, 0
    for triangle in range(len(triangles)):
        ax, ay, az, bx, by, bz, cx, cy, cz = _corners(pixels, triangles, triangle)
        area = (cx - ax) * (by - ay) - (bx - ax) * (cy - ay)
        if abs(area) < SMALLEST_AREA or (area < 0 and not both_sides):
            continue
        x0 = max(0, int(np.ceil(min(ax, bx, cx) - tolerance)))
        x1 = min(size - 1, int(np.floor(max(ax, bx, cx) + tolerance)))
        y0 = max(0, int(np.ceil(min(ay, by, cy) - tolerance)))
        y1 = min(size - 1, int(np.floor(max(ay, by, cy) + tolerance)))
        for y in range(y0, y1 + 1):
            for x in range(x0, x1 + 1):
                wb = ((cx - ax) * (y - ay) - (x - ax) * (cy - ay)) / area
                wc = ((x - ax) * (by - ay) - (bx - ax) * (y - ay)) / area
                wa = 1 - wb - wc
                if min(wa, wb, wc) < -tolerance:
                    continue
                inverse = wa * az + wb * bz + wc * cz
                if inverse > nearest[y, x]:
                    nearest[y, x], ids[y, x] = inverse, triangle


@numba.njit(**COMPILED)
def _depth_map(points, triangles, focal, centre, ids, depth):  # pragma: no cover - compiled
    """Fill ids (S, S) with the nearest triangle, −1 for none, and depth (S, S); points (V, 3) in the camera frame."""
    pixels = _project(points, focal, centre)
    z_buffer(pixels, triangles, True, TOLERANCE, ids, depth)
    for y in range(len(ids)):
        for x in range(len(ids)):
            if ids[y, x] < 0:
                depth[y, x] = BACKGROUND
                continue
            ax, ay, az, bx, by, bz, cx, cy, cz = _corners(pixels, triangles, ids[y, x])
            area = (cx - ax) * (by - ay) - (bx - ax) * (cy - ay)
            wb = ((cx - ax) * (y - ay) - (x - ax) * (cy - ay)) / area
            wc = ((x - ax) * (by - ay) - (bx - ax) * (y - ay)) / area
            depth[y, x] = 1 / ((1 - wb - wc) * az + wb * bz + wc * cz)


@numba.njit(**COMPILED)
def _depth_map_backward(points, triangles, focal, centre, ids, grad_depth, grad_points):  # pragma: no cover - compiled
    """Add to grad_points (V, 3) what grad_depth (S, S) asks of the corners.

    A ray r meets the plane with normal n at depth z. Moving corner k by e moves the plane at the hit point, whose
    barycentric weight for k is w, by w e; so dz = w (n·e) / (n·r).
    """
    size = len(ids)
    for y in range(size):
        for x in range(size):
            if ids[y, x] < 0 or grad_depth[y, x] == 0:
                continue
            ia, ib, ic = triangles[ids[y, x]]
            a, u, v = points[ia], points[ib] - points[ia], points[ic] - points[ia]
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
                grad_points[ia, k] += scale * n[k] * (1 - wb - wc)
                grad_points[ib, k] += scale * n[k] * wb
                grad_points[ic, k] += scale * n[k] * wc


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="z-buffer")


def _each_image(function: Callable[[int], None], count: int) -> None:
    """Run function(index) for each image of the batch; the compiled loops release the interpreter lock."""
    if count == 1:
        function(0)
    else:
        list(_pool(torch.get_num_threads()).map(function, range(count)))


@functools.lru_cache(maxsize=16)
def _grid_triangles(height: int, width: int) -> np.ndarray:
    """(2 (height − 1) (width − 1), 3) int32 corners of a grid's triangles, two for each cell."""
    first = (np.arange(height - 1)[:, None] * width + np.arange(width - 1)).ravel()
    cells = [(first, first + 1, first + width), (first + width + 1, first + width, first + 1)]
    return np.stack([np.stack(corners, -1) for corners in cells], 1).reshape(-1, 3).astype(np.int32)


class _GridDepth(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, size: int) -> tuple[Tensor, Tensor]:
        flat = points.detach().cpu().flatten(1, 2).contiguous().numpy()
        triangles, intrinsic = _grid_triangles(*points.shape[1:3]), intrinsics(size)
        ids = np.empty((len(flat), size, size), np.int32)
        depth = np.empty((len(flat), size, size), flat.dtype)
        _each_image(lambda k: _depth_map(flat[k], triangles, *intrinsic, ids[k], depth[k]), len(flat))
        ctx.flat, ctx.ids, ctx.shape = flat, ids, points.shape
        mask = torch.from_numpy(ids >= 0).to(points.device)
        ctx.mark_non_differentiable(mask)
        return torch.from_numpy(depth).to(points.device), mask

    @staticmethod
    def backward(ctx, grad_depth: Tensor, _) -> tuple[Tensor, None]:
        flat, ids = ctx.flat, ctx.ids
        triangles, intrinsic = _grid_triangles(*ctx.shape[1:3]), intrinsics(ids.shape[-1])
        wanted, grad = grad_depth.cpu().contiguous().numpy(), np.zeros_like(flat)
        _each_image(lambda k: _depth_map_backward(flat[k], triangles, *intrinsic, ids[k], wanted[k], grad[k]),
                    len(flat))
        return torch.from_numpy(grad).view(ctx.shape).to(grad_depth.device), None


RASTERIZERS = ("grid", "pytorch3d")
"""The backends: this module, and PyTorch3D (requirements-pytorch3d.txt)."""

PYTORCH3D_SCALE, PYTORCH3D_SHIFT = 1 + 1e-4, (3e-5, 5e-5)
"""Scale, and shift in half images, of a mesh given to PyTorch3D: it leaves out pixels whose centres lie exactly on an
edge. The scale lets the outline cover such pixels; the shift moves inner edges off them."""

_backend: ContextVar[str] = ContextVar("rasterizer", default="grid")


def current_rasterizer() -> str:
    """Name of the backend that renders depth here: "grid" outside of `use_rasterizer`."""
    return _backend.get()


@contextmanager
def use_rasterizer(name: str) -> Iterator[None]:
    """Render depth with one of `RASTERIZERS` within the context.

    Raises:
        ArgumentInvalid: another name.
        BackendMissing: PyTorch3D is not installed.
    """
    if name not in RASTERIZERS:
        raise ArgumentInvalid(f"rasterizer must be {' or '.join(RASTERIZERS)}, got {name!r}.")
    if name == "pytorch3d":
        _import_pytorch3d()
    token = _backend.set(name)
    try:
        yield
    finally:
        _backend.reset(token)


def rasterize_depth(points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Render the depth of grid meshes.

    Convention: camera of core.geometry.camera; both sides of a triangle are visible.

    Args:
        points: (B, H, W, 3) points in the camera frame; each 2 × 2 cell of the grid is two triangles.
        size: side of the rendered image in pixels.

    Returns:
        Depth (B, size, size), `BACKGROUND` where nothing is seen, and mask (B, size, size), bool.

    Raises:
        ArgumentInvalid: wrong shape.
    """
    if points.dim() != 4 or points.shape[-1] != 3:
        raise ArgumentInvalid(f"points must be (B, H, W, 3), got {tuple(points.shape)}.")
    return _rasterize_pytorch3d(points, size) if current_rasterizer() == "pytorch3d" else _GridDepth.apply(points, size)


def _import_pytorch3d() -> tuple[Callable[..., Any], Callable[..., Any]]:
    """PyTorch3D's function and class that are needed. Raises BackendMissing."""
    try:
        # A broken install imports pytorch3d but not its extension.
        from pytorch3d import _C  # noqa: F401  # pyright: ignore[reportMissingImports]
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes  # pyright: ignore[reportMissingImports]
        from pytorch3d.structures import Meshes  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise BackendMissing("PyTorch3D is not installed: run `pip install -r requirements-pytorch3d.txt` in an "
                             "environment of its own, or use the default rasterizer, grid.") from error
    return rasterize_meshes, Meshes


def _rasterize_pytorch3d(points: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`rasterize_depth` with the triangles that PyTorch3D finds.

    PyTorch3D's own depth is float32 only. Here it is where each pixel's ray meets its triangle's plane.
    """
    rasterize_meshes, Meshes = _import_pytorch3d()
    batch, height, width, _ = points.shape
    focal, centre = intrinsics(size)
    # PyTorch3D's image plane: −1 … 1 between the outer edges of the pixels, x left, y up.
    plane = -points[..., :2] / points[..., 2:] * focal * 2 / size * PYTORCH3D_SCALE
    plane = plane + points.new_tensor(PYTORCH3D_SHIFT)
    vertices = torch.cat([plane, points[..., 2:]], -1).flatten(1, 2).detach().float()
    faces = torch.from_numpy(_grid_triangles(height, width)).long().to(points.device)
    ids = rasterize_meshes(Meshes(vertices, faces[None].expand(batch, -1, -1)), size, blur_radius=0.0,
                           faces_per_pixel=1)[0][..., 0]
    mask = ids >= 0
    images = torch.arange(batch, device=points.device)[:, None, None, None]
    triangles = faces[ids.clamp(min=0) % len(faces)]  # PyTorch3D numbers triangles through the whole batch
    a, b, c = points.flatten(1, 2)[images, triangles].unbind(-2)
    normal = torch.linalg.cross(b - a, c - a)
    rays = F.pad((pixel_grid(size, points.device).to(points) - centre) / focal, (0, 1), value=1.0)
    along = (normal * rays).sum(-1).where(mask, 1.0)
    depth = (normal * a).sum(-1) / along
    # Gradients grow no further for triangles seen edge-on.
    damping = (along.abs() / (STEEPEST * normal.norm(dim=-1)).clamp(min=1e-12)).clamp(max=1).detach()
    depth = torch.lerp(depth.detach(), depth, damping)
    return depth.where(mask, BACKGROUND), mask


def rasterize_crop(points: Tensor, tangent: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`rasterize_depth` for a crop: depth and mask (B, size, size) at the pixel centres of a crop of the view."""
    narrow = math.tan(FIELD_OF_VIEW / 2) / tangent * size / (size - 1)
    return rasterize_depth(points * F.pad(narrow[:, None].expand(-1, 2), (0, 1), value=1.0)[:, None, None], size)
