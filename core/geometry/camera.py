"""Camera, poses and normals: the one place where the geometric conventions are stated.

Convention (paper section 3.1, after unsup3d):
    - Pinhole camera with a field of view of 10°. In an n × n image f = (n − 1)/2 / tan 5° and c = (n − 1)/2; pixel
      centres are integers and the centres of the outer pixels lie on the edge of the field of view
      (`align_corners=True`).
    - x right, y down, z away from the camera; the face's pivot is (0, 0, 1).
    - A view rotates by R = Rz·Ry·Rx about the pivot, then shifts in x and y.
      Positive pitch turns the nose down, positive yaw turns it to the image's left, positive roll tilts the head
      clockwise in the image.
    - Normals are tangent_x × tangent_y: a frontal patch has (0, 0, +1), away from the camera.
    - Two ways to place pixels meet: the **camera** above puts the centres of an image's outer pixels on the edge of the
      field of view; a **crop** (core.faces.align) puts the edges of its outer pixels on the edge of the square that was
      cut. The model sees a crop of n pixels and takes it for the camera's. So the crop is a little wider than the field
      of view: its edge lies at tangent `crop_tangent(n)` = tan 5° · n / (n − 1), whatever its resolution, and model
      pixel i lies at (i + 0.5) · N / n − 0.5 of an N-pixel crop. Crop coordinates are (x, y) in −1 … 1 from edge to
      edge, as `grid_sample` has them with `align_corners=False`.
"""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from torch import Tensor

from core.types import View

FIELD_OF_VIEW = math.radians(10.0)
PIVOT = (0.0, 0.0, 1.0)


def intrinsics(size: int) -> tuple[float, float]:
    """Focal length and principal point, in pixels, of the camera of a `size` × `size` image."""
    centre = (size - 1) / 2
    return centre / math.tan(FIELD_OF_VIEW / 2), centre


def rotation_matrix(rotation: Tensor) -> Tensor:
    """R = Rz·Ry·Rx.

    Args:
        rotation: (B, 3) pitch, yaw, roll in radians.

    Returns:
        (B, 3, 3), for column vectors.
    """
    (sx, sy, sz), (cx, cy, cz) = rotation.sin().unbind(-1), rotation.cos().unbind(-1)
    rows = [cz * cy, cz * sy * sx - sz * cx, cz * sy * cx + sz * sx,
            sz * cy, sz * sy * sx + cz * cx, sz * sy * cx - cz * sx,
            -sy, cy * sx, cy * cx]
    return torch.stack(rows, -1).unflatten(-1, (3, 3))


def pixel_grid(size: int, device: torch.device | None = None) -> Tensor:
    """(size, size, 2) pixel coordinates (x, y)."""
    axis = torch.arange(size, dtype=torch.float32, device=device)
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)


def backproject(depth: Tensor) -> Tensor:
    """Depth map to the 3-D point of each pixel.

    Args:
        depth: (B, H, W) with H = W, in the camera's frame.

    Returns:
        (B, H, W, 3) points in the same frame.
    """
    if depth.dim() != 3 or depth.shape[1] != depth.shape[2]:
        raise ValueError(f"depth must be (B, H, W) with H = W, got {tuple(depth.shape)}")
    focal, centre = intrinsics(depth.shape[-1])
    rays = (pixel_grid(depth.shape[-1], depth.device) - centre) / focal
    return torch.cat([rays * depth[..., None], depth[..., None]], -1)


def project(points: Tensor, size: int) -> Tensor:
    """Points (..., 3) in the camera's frame to pixel coordinates (..., 2), x then y."""
    focal, centre = intrinsics(size)
    return points[..., :2] / points[..., 2:] * focal + centre


def transform(points: Tensor, view: View) -> Tensor:
    """Move points from the canonical frame to the frame of the view.

    Args:
        points: (B, H, W, 3) or (B, N, 3), canonical frame.
        view: B views.

    Returns:
        Points of the same shape in the camera frame of the view.
    """
    shape = points.shape
    pivot = points.new_tensor(PIVOT)
    shift = F.pad(view.translation, (0, 1)) + pivot
    turned = _matmul(points.flatten(1, -2) - pivot, rotation_matrix(view.rotation).transpose(1, 2))
    return (turned + shift[:, None]).view(shape)


def inverse_transform(points: Tensor, view: View) -> Tensor:
    """Undo `transform`: from the frame of the view back to the canonical frame. Same shapes."""
    shape = points.shape
    pivot = points.new_tensor(PIVOT)
    shift = F.pad(view.translation, (0, 1)) + pivot
    return (_matmul(points.flatten(1, -2) - shift[:, None], rotation_matrix(view.rotation)) + pivot).view(shape)


def _matmul(points: Tensor, matrix: Tensor) -> Tensor:
    """Product in full precision also where convolutions have half of it: bfloat16 moves points by 0.05 pixels."""
    with torch.autocast(points.device.type, enabled=False):
        return points @ matrix


def depth_to_normal(depth: Tensor) -> Tensor:
    """Unit normals of a depth map from central differences of its points.

    Args:
        depth: (B, H, W).

    Returns:
        (B, H, W, 3) unit vectors in the frame of the map; a frontal patch has (0, 0, +1). Border pixels repeat
        their inner neighbours.
    """
    points = backproject(depth)
    tangent_x = points[:, 1:-1, 2:] - points[:, 1:-1, :-2]
    tangent_y = points[:, 2:, 1:-1] - points[:, :-2, 1:-1]
    (ax, ay, az), (bx, by, bz) = tangent_x.unbind(-1), tangent_y.unbind(-1)
    normal = torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -1)  # linalg.cross is slower
    normal = F.normalize(normal, dim=-1).movedim(-1, 1)
    return F.pad(normal, (1, 1, 1, 1), mode="replicate").movedim(1, -1)


def sample(maps: Tensor, pixels: Tensor, mode: str = "bilinear") -> Tensor:
    """Read maps at pixel coordinates.

    Args:
        maps: (B, C, H, W).
        pixels: (B, h, w, 2) coordinates (x, y) in the pixels of `maps`; outside, the border is repeated.
        mode: interpolation of `grid_sample`.

    Returns:
        (B, C, h, w).
    """
    limits = pixels.new_tensor([maps.shape[-1] - 1, maps.shape[-2] - 1])
    return F.grid_sample(maps, pixels / limits * 2 - 1, mode=mode, padding_mode="border", align_corners=True)


def canonical_pixels(recon_depth: Tensor, view: View, canon_size: int | None = None) -> Tensor:
    """For each pixel of a view, the canonical pixel it shows: inverse warping (paper section 3.1).

    Args:
        recon_depth: (B, H, W) depth in the frame of the view.
        view: B views.
        canon_size: side of the canonical maps in pixels; H by default.

    Returns:
        (B, H, W, 2) coordinates (x, y) in canonical pixels.
    """
    points = inverse_transform(backproject(recon_depth), view)
    return project(points, canon_size or recon_depth.shape[-1])


def crop_tangent(image_size: int) -> float:
    """Tangent of the angle to the edge of a crop that the model saw at `image_size` pixels, see the module."""
    return math.tan(FIELD_OF_VIEW / 2) * image_size / (image_size - 1)


def crop_grid(like: Tensor, size: int) -> Tensor:
    """(1, size, size, 2) coordinates of the pixel centres of a crop; shared, not to be changed."""
    return _crop_grid(size).to(like)


@functools.cache
@torch.inference_mode(False)
def _crop_grid(size: int) -> Tensor:
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)[None]


def crop_points(depth: Tensor, tangent: Tensor) -> Tensor:
    """Points (B, S, S, 3) of a depth map (B, S, S) that is a crop."""
    rays = crop_grid(depth, depth.shape[-1]) * tangent[:, None, None, None]
    return torch.cat([rays * depth[..., None], depth[..., None]], -1)
