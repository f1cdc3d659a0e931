"""Regions of the canonical face by the landmarks of the mean head, and which of them a map of influence covers."""

from __future__ import annotations

import torch
from torch import Tensor

from core.geometry.landmark_warp import LIDS, LIPS

REGIONS = {"forehead": (10, 151, 109, 338), "brows": (70, 63, 105, 66, 107, 300, 293, 334, 296, 336),
           "eyes": tuple(point for eye in LIDS for lid in eye for point in lid),
           "nose": (168, 197, 5, 1, 2, 98, 327, 48, 278), "cheeks": (50, 280, 205, 425, 117, 346),
           "mouth": (*LIPS[0], *LIPS[1], 61, 40, 37, 0, 267, 270, 291, 146, 181, 17, 405, 375),
           "chin": (152, 148, 377, 199, 200, 175), "jaw": (172, 397, 132, 361, 58, 288)}
"""MediaPipe's landmarks of each region."""
REACH = 0.1
"""Distance from a region's landmarks at which it ends, crop coordinates (sigma of a Gaussian)."""
MARGIN = 1.06
"""The face is the hull of the landmarks, enlarged: ears and hairline are no part of it."""


def face_mask(landmarks: Tensor, size: int) -> Tensor:
    """(H, W) 1 on the face of landmarks (478, 2) in crop coordinates, symmetric."""
    from scipy.spatial import Delaunay

    hull = Delaunay(landmarks.cpu().numpy() * MARGIN)
    inside = torch.from_numpy(hull.find_simplex(_pixels(size).numpy()) >= 0).view(size, size)
    return (inside | inside.flip(-1)).float()


def region_maps(landmarks: Tensor, size: int) -> dict[str, Tensor]:
    """(H, W) in [0, 1] for each region, of landmarks (478, 2) in crop coordinates."""
    pixels = _pixels(size)
    distance = {name: torch.cdist(pixels, landmarks.cpu()[list(points)]).amin(1) for name, points in REGIONS.items()}
    return {name: (-0.5 * (one / REACH).square()).exp().view(size, size) for name, one in distance.items()}


def strongest_region(influence: Tensor, regions: dict[str, Tensor]) -> str:
    """The region where an influence map (H, W) is strongest on average."""
    return max(regions, key=lambda name: float((influence.square() * regions[name]).sum() / regions[name].sum()))


def _pixels(size: int) -> Tensor:
    """(H · W, 2) centres of the pixels, crop coordinates."""
    axis = (torch.arange(size) + 0.5) / size * 2 - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x, y], -1).view(-1, 2)
