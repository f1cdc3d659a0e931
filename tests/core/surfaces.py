"""Surfaces that several tests look at."""

import torch

from core.geometry.camera import intrinsics, pixel_grid


def rays(size: int) -> torch.Tensor:
    """(size, size, 2) x / z and y / z of the pixel centres."""
    focal, centre = intrinsics(size)
    return (pixel_grid(size) - centre) / focal


def ball(size: int) -> torch.Tensor:
    """(1, size, size) depth of the front of a ball about (0, 0, 1.1) of radius 0.16: it fills the image."""
    stretch = 1 + (rays(size) ** 2).sum(-1)
    return ((1.1 - (1.1**2 - stretch * (1.1**2 - 0.16**2)).sqrt()) / stretch)[None]
