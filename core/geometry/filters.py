"""Small image filters shared by geometry and rendering: blur, resize, interpolate."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import overload

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor


def pool3x3(maps: Tensor, combine: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """Each pixel and its eight neighbours combined; the border is repeated. Torch's pooling is far slower."""
    maps = F.pad(maps, (1, 1, 1, 1), mode="replicate")
    maps = combine(combine(maps[..., :-2, :], maps[..., 1:-1, :]), maps[..., 2:, :])
    return combine(combine(maps[..., :-2], maps[..., 1:-1]), maps[..., 2:])


def upsample(maps: Tensor, size: int) -> Tensor:
    """Smooth maps (B, C, h, h) to (B, C, size, size)."""
    if maps.shape[-1] == size:
        return maps
    return F.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)


@overload
def lerp(first: Tensor, second: Tensor, amount: Tensor | float) -> Tensor: ...
@overload
def lerp(first: float, second: float, amount: Tensor) -> Tensor: ...
def lerp(first: Tensor | float, second: Tensor | float, amount: Tensor | float) -> Tensor | float:
    """From `first` at 0 to `second` at 1, and on beyond them."""
    return first + (second - first) * amount


def smoothstep(x: Tensor) -> Tensor:
    """Smooth step from 0 at 0 to 1 at 1."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def blur(maps: Tensor, sigma: float, reach: float = 2.5) -> Tensor:
    """Gaussian blur of maps (..., h, w), sigma in pixels, cut off at `reach` sigmas; the border is repeated."""
    height, width = maps.shape[-2:]
    # A matrix each for columns and rows: for small maps nothing is quicker.
    return _blur_matrix(height, sigma, reach).to(maps) @ maps @ _blur_matrix(width, sigma, reach).to(maps).mT


@functools.cache
@torch.inference_mode(False)
def spline_matrix(before: int, after: int, edge: float | None = None) -> Tensor:
    """(after, before): the interpolating cubic spline along one axis; applied to both axes it resizes a map.

    Args:
        before: pixels of the map, the camera's: the centres of the outer ones lie at ±1.
        after: pixels of the result.
        edge: None: the result is the camera's too. A number: it is a crop, whose edges lie at ± this.
    """
    from scipy.ndimage import map_coordinates

    at = np.linspace(-1, 1, after) if edge is None else ((np.arange(after) + 0.5) / after * 2 - 1) * edge
    rows, columns = np.meshgrid((at + 1) / 2 * (before - 1), np.arange(before), indexing="ij")
    return torch.from_numpy(map_coordinates(np.eye(before), [rows, columns], order=3, mode="nearest")).float()


@functools.cache
@torch.inference_mode(False)
def _blur_matrix(size: int, sigma: float, reach: float) -> Tensor:
    from scipy.ndimage import gaussian_filter1d

    return torch.from_numpy(gaussian_filter1d(np.eye(size), sigma, axis=0, mode="nearest", truncate=reach)).float()
