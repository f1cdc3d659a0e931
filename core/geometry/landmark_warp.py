"""Where MediaPipe's landmarks lie on the canonical face, and how what is known of one face is put on another.

Convention: landmarks here are (B, 478, 2), x and y in crop coordinates of the canonical frame, see core.rendering.compositor.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import crop_grid

LANDMARKS = 478
LIPS = ((78, 191, 80, 81, 82, 13, 312, 311, 310, 415, 308), (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308))
"""Inner rims of the upper and of the lower lip, from the image's left corner to its right."""
LIDS = (((33, 246, 161, 160, 159, 158, 157, 173, 133), (33, 7, 163, 144, 145, 153, 154, 155, 133)),
        ((362, 398, 384, 385, 386, 387, 388, 466, 263), (362, 382, 381, 380, 374, 373, 390, 249, 263)))
"""The same of both eyes' lids, the eye on the image's left first."""
ANCHORS = [*LIPS[0], *LIPS[1][1:-1],
           61, 40, 37, 0, 267, 270, 291, 146, 181, 17, 405, 375,  # outer rims of the lips
           33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
           70, 63, 105, 66, 107, 300, 293, 334, 296, 336,  # brows
           168, 197, 5, 1, 2, 98, 327, 48, 278,  # nose
           152, 148, 377, 172, 397, 132, 361, 234, 454, 10, 109, 338]  # outline
"""Landmarks by which faces are laid over each other."""
SMOOTHING = 1e-3
"""Of the spline between two faces: landmarks are not exact."""


def tps_warp(maps: Tensor, on: Tensor, landmarks: Tensor) -> Tensor:
    """Maps of one face as they lie on others, by a thin-plate spline between their landmarks (Bookstein 1989).

    Args:
        maps: (B, C, H, W), canonical frame.
        on: (478, 2) landmarks of the face they are maps of.
        landmarks: (B, 478, 2) of the faces they are wanted on.

    Returns:
        (B, C, H, W).
    """
    from scipy.interpolate import RBFInterpolator

    size, wanted = maps.shape[-1], on[ANCHORS].numpy()
    places = crop_grid(maps, size).reshape(-1, 2).numpy()
    grids = [RBFInterpolator(known, wanted, smoothing=SMOOTHING)(places) for known in landmarks[:, ANCHORS].numpy()]
    grid = torch.from_numpy(np.stack(grids)).to(maps).view(-1, size, size, 2)
    return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)
