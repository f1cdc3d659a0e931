"""MediaPipe's landmarks on the canonical face, and warping of maps from one face to another by them.

Convention: landmarks are (B, 478, 2), x and y in crop coordinates of the canonical frame (core.geometry.camera).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import crop_grid

LANDMARKS = 478
LIPS = ((78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308))
"""Inner contours of the upper and the lower lip, from the image's left corner to its right."""
LIDS = (((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
        ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)))
"""Contours of the upper and the lower lid, the eye on the image's left first."""
ANCHORS = [*LIPS[0], *LIPS[1][1:-1],
           61, 40, 37, 0, 267, 270, 291, 146, 181, 17, 405, 375,  # outer contours of the lips
           33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
           70, 63, 105, 66, 107, 300, 293, 334, 296, 336,  # brows
           168, 197, 5, 1, 2, 98, 327, 48, 278,  # nose
           152, 148, 377, 172, 397, 132, 361, 234, 454, 10, 109, 338]  # outline
"""Landmarks between which faces are warped."""
SMOOTHING = 1e-3
"""Smoothing of the spline: landmarks are not exact."""


def tps_warp(maps: Tensor, source: Tensor, landmarks: Tensor) -> Tensor:
    """Warp maps of one face onto others by a thin-plate spline between their landmarks (Bookstein 1989).

    Args:
        maps: (B, C, H, W), canonical frame.
        source: (478, 2) landmarks of the face that the maps belong to.
        landmarks: (B, 478, 2) of the faces to warp onto.

    Returns:
        (B, C, H, W).
    """
    from scipy.interpolate import RBFInterpolator

    size, anchors = maps.shape[-1], source[ANCHORS].cpu().numpy()
    places = crop_grid(maps, size).reshape(-1, 2).cpu().numpy()
    grids = [RBFInterpolator(known, anchors, smoothing=SMOOTHING)(places)
             for known in landmarks[:, ANCHORS].cpu().numpy()]
    grid = torch.from_numpy(np.stack(grids)).to(maps).view(-1, size, size, 2)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
