"""Make a TexturedFace: a smooth surface and a full-resolution texture in the canonical frame (method: detail).

Geometry, light and view are smooth and come from the model; detail comes from the photo. `texture_from_model` uses the
decoded maps alone, `texture_from_photo` the photo. core.rendering.compositor renders the result under any view and
light, fast enough for live controls. Maps here are crops, see core.geometry.camera.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ArgumentInvalid
from core.geometry.camera import FIELD_OF_VIEW, crop_grid, crop_points, crop_tangent, depth_to_normal, transform
from core.geometry.filters import blur, lerp, smoothstep, spline_matrix, upsample
from core.geometry.rasterizer import BACKGROUND, rasterize_crop
from core.geometry.shading import shade
from core.rendering.compositor import MIN_SHADING, canonical_coordinates, facing
from core.types import Factors, TexturedFace, View

GRID = 192
"""Side of the smooth maps: depth, normals, alpha. The model's own maps have 64 or 128 pixels."""
SHARPNESS = 2
"""Texels per pixel of the photo: being sampled twice then costs no detail."""
FACE_DEPTH = 1.055
"""Canonical surface behind this depth is not the face: training renders end at 1.07, behind jaw and ears."""
FACE_STEEPNESS = math.cos(math.radians(65))
"""Cosine below which canonical surface is not the face: it is the step down to what lies behind."""
SIDE_SLOPE = 0.9
"""Depth per lateral unit at which the surface continues beyond the face's edge, over ears, hair and neck."""
REACH = 0.16
"""How far beyond the face's edge the head fades out, as part of the crop's side."""
FADE_WIDTH = 0.06
"""Width of the fade along the edge of the photo, as part of the crop's side."""
HIDDEN_BEHIND = 0.003
"""Depth by which a point lies behind the visible surface when it counts as half hidden, camera-distance units."""
SMOOTHING = 1 / 64
"""Width of the depth's smoothing, as part of the crop's side: lips and lids show in the texture, not in the surface."""
PIT = 0.008
"""Depth to which narrow holes, such as an open mouth, are limited, camera-distance units."""
BARELY_SEEN, CLEARLY_SEEN = 0.2, 0.6
"""How well the photo must show a point for its color to count at all, and to count alone: at a silhouette it mixes with
what lies behind the head."""


def texture_from_model(factors: Factors) -> TexturedFace:
    """Prepare the decoded maps for rendering; nothing of the photo is used.

    Args:
        factors: B faces.

    Returns:
        B faces; their background is the reconstruction.
    """
    edge = photo_tangent(factors)
    depth, normal, distance = head_surface(factors.canon_depth, edge)
    albedo = to_crop(factors.canon_albedo, edge).clamp(0, 1)
    texture = (albedo * shade(normal, factors.light).clamp(min=MIN_SHADING)).clamp(max=1)
    tangent = torch.full_like(factors.light.ambient, edge)
    alpha = _fade(distance) * _inside(crop_grid(texture, GRID))
    coordinates, mask, _ = canonical_coordinates(depth, tangent, factors.view, GRID)
    blurred = _blurred_background(factors.recon_image, _alpha_in_view(alpha, coordinates, mask))
    return TexturedFace(factors, texture, alpha, _periphery(distance), depth, normal, factors.recon_image, blurred,
                        tangent)


def texture_from_photo(factors: Factors, photo: Tensor, landmarks: Tensor | None = None) -> TexturedFace:
    """Sample a photo into the canonical frame, once per photo (method: detail).

    Each canonical point shows the photo where it sees the point well, and the decoded face elsewhere: with the fine
    stage (core.model.fine) that holds what the mirrored side tells. Its color is that of the photo.

    Args:
        factors: of B faces.
        photo: (B, 3, N, N) the aligned photos at full resolution, [0, 1], N ≥ H: `Face.full`.
        landmarks: (B, 478, 2 or 3) in pixels of `photo`: `Face.landmarks`. Only reenactment needs them.

    Returns:
        B faces.

    Raises:
        ArgumentInvalid: `photo` has another shape.
    """
    if photo.dim() != 4 or photo.shape[:2] != (len(factors), 3) or photo.shape[2] != photo.shape[3]:
        raise ArgumentInvalid(f"photo must be ({len(factors)}, 3, N, N), got {tuple(photo.shape)}.")
    photo = photo.to(factors.image)
    edge = photo_tangent(factors)
    tangent = torch.full_like(factors.light.ambient, edge)
    depth, normal, distance = head_surface(factors.canon_depth, edge)
    in_photo, seen = _visibility(depth, normal, _periphery(distance), tangent, factors.view)
    size = photo.shape[-1] * SHARPNESS
    unwarped = F.grid_sample(photo, upsample(in_photo.movedim(-1, 1), size).movedim(1, -1), mode="bicubic",
                             padding_mode="border", align_corners=False).clamp(0, 1)
    decoded = to_crop(factors.canon_albedo, edge).clamp(0, 1) * shade(normal, factors.light).clamp(min=MIN_SHADING)
    texture = _fill_hidden(unwarped, seen, decoded)

    alpha = _fade(distance) * _inside(in_photo) * _inside(crop_grid(photo, GRID))
    coordinates, mask, _ = canonical_coordinates(depth, tangent, factors.view, GRID)
    blurred = _blurred_background(photo, _alpha_in_view(alpha, coordinates, mask))
    if landmarks is not None:
        landmarks = landmarks_in_canonical(landmarks.to(photo), photo.shape[-1], coordinates)
    return TexturedFace(factors, texture, alpha, _periphery(distance), depth, normal, photo, blurred, tangent,
                        landmarks)


def photo_tangent(factors: Factors) -> float:
    """Tangent of the angle to the edge of the photos' crop: the autoencoder took it for its camera's image."""
    return crop_tangent(factors.of_codes.image.shape[-1])


def head_surface(canon_depth: Tensor, tangent: float) -> tuple[Tensor, Tensor, Tensor]:
    """Smooth depth (B, G, G) that continues gently beyond the face, its normals, and distance (B, 1, G, G) to it.

    The model's surface falls steeply behind jaw and ears to one far plane, which would be rendered as a curtain when
    the head turns. Instead, ears, hair and neck lie on a surface that leaves the face's edge at `SIDE_SLOPE`.
    The distance is in sides of the crop, 0 on the face.

    Args:
        canon_depth: (B, H, W), the camera's.
        tangent: of the angle to the crop's edge.
    """
    from scipy.ndimage import distance_transform_edt

    slope = SIDE_SLOPE * 2 * tangent  # the crop's side is two tangents at distance 1
    surfaces, distances = [], []
    for smooth in to_crop(canon_depth, tangent).cpu().numpy():
        smooth = _smooth(smooth, SMOOTHING * GRID)
        face = face_region(smooth)
        smooth = np.where(face, _limit_pits(np.where(face, smooth, BACKGROUND)), smooth)
        distance, (rows, columns) = cast(tuple[np.ndarray, np.ndarray],
                                         distance_transform_edt(~face, return_indices=True))
        distance /= GRID
        # Start from the mean depth of the edge nearby; next to the edge, from the depth of its nearest point.
        edge = (face & (cast(np.ndarray, distance_transform_edt(face)) < GRID / 64)) + 1e-9
        mean = _smooth(edge * smooth, GRID / 12) / _smooth(edge, GRID / 12)
        own = (smooth - mean)[rows, columns] * np.exp(-((24 * distance) ** 2))
        extended = mean + own + slope * distance
        rounded = _smooth(extended, GRID / 96)
        surfaces.append(np.where(face, smooth, extended + (distance * 64).clip(0, 1) * (rounded - extended)))
        distances.append(distance[None])
    depth, distance = (torch.from_numpy(np.stack(maps)).to(canon_depth) for maps in (surfaces, distances))
    normal = F.normalize(blur(depth_to_normal(depth).movedim(-1, 1), GRID / 96), dim=1).movedim(1, -1)
    return depth, normal, distance


def _limit_pits(depth: np.ndarray) -> np.ndarray:
    """Limit narrow holes of a depth map (G, G), such as an open mouth, to `PIT`: no photo shows their walls."""
    from scipy.ndimage import grey_opening

    floor = grey_opening(depth, size=len(depth) // 8)
    return floor + PIT * np.tanh((depth - floor) / PIT)


def face_region(depth: np.ndarray) -> np.ndarray:
    """The part of a depth map (G, G) that is the face itself: near, not steep, in one piece; bool (G, G)."""
    from scipy.ndimage import binary_fill_holes, binary_opening, label

    cosine = depth_to_normal(torch.from_numpy(depth)[None])[0, ..., 2].numpy()
    face = (depth < FACE_DEPTH) & (cosine > FACE_STEEPNESS)
    border = round(len(depth) * 2.5 / 64)  # there the depth decoder sets a constant depth
    face[:, :border] = face[:, -border:] = False
    pieces, _ = cast(tuple[np.ndarray, int], label(binary_opening(face, iterations=len(depth) // 64)))
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
    piece = binary_fill_holes(pieces == 1 + sizes.argmax()) if sizes.any() else np.ones_like(face)
    return _smooth(cast(np.ndarray, piece), len(depth) / 40) > 0.6


def _visibility(depth: Tensor, normal: Tensor, periphery: Tensor, tangent: Tensor, view: View) -> tuple[Tensor, Tensor]:
    """Where the photo shows each canonical point, crop coordinates (B, G, G, 2), and how well, (B, 1, G, G)."""
    moved = transform(crop_points(depth, tangent), view)
    in_photo = moved[..., :2] / moved[..., 2:] / tangent[:, None, None, None]
    nearest, _ = rasterize_crop(moved, tangent, GRID)
    nearest = F.grid_sample(nearest[:, None], in_photo, padding_mode="border", align_corners=False)
    behind = (moved[..., 2][:, None] - nearest) / HIDDEN_BEHIND
    # Outside the face the surface is a guess: where it is turned away, the photo shows the background behind it.
    facing_enough = smoothstep((facing(normal, view) - lerp(0.1, 0.35, periphery)) / lerp(0.3, 0.2, periphery))
    seen = smoothstep(1.5 - behind) * facing_enough * _inside(in_photo)
    # Eroded before it is feathered: at a silhouette's edge pixels mix with the background.
    return in_photo, blur(-F.max_pool2d(-seen, 5, 1, 2), GRID / 96)


def _fill_hidden(unwarped: Tensor, seen: Tensor, decoded: Tensor) -> Tensor:
    """Fill what the photo does not show with the decoded face.

    Args:
        unwarped: (B, 3, T, T) the photo, sampled at each canonical point; overwritten.
        seen: (B, 1, G, G) how well it shows them.
        decoded: (B, 3, G, G) albedo × shading.

    Returns:
        (B, 3, T, T) in [0, 1].
    """
    # One color for the whole face: the light on the hidden side is in the shading already.
    small = F.interpolate(unwarped, size=(GRID, GRID), mode="area")
    ratio = ((small + 0.02) / (decoded + 0.02)).log() * seen
    gain = ratio.mean((2, 3), keepdim=True) / seen.mean((2, 3), keepdim=True).clamp(min=1e-4)
    use_decoded = smoothstep((CLEARLY_SEEN - seen) / (CLEARLY_SEEN - BARELY_SEEN))
    layers = torch.cat([1 - use_decoded, use_decoded * decoded * gain.clamp(-0.7, 0.7).exp()], 1)
    near, filling = upsample(layers, unwarped.shape[-1]).split((1, 3), 1)
    # Into the memory of `unwarped`: that of `filling` holds `near` too, and would do so as long as the face lives.
    return torch.addcmul(filling, unwarped, near, out=unwarped).clamp_(0, 1)


def _alpha_in_view(alpha: Tensor, coordinates: Tensor, mask: Tensor) -> Tensor:
    """Alpha (B, 1, G, G) as a view shows it; coordinates and mask are those of `canonical_coordinates`."""
    return F.grid_sample(alpha, coordinates, align_corners=False) * mask


def landmarks_in_canonical(landmarks: Tensor, size: int, coordinates: Tensor) -> Tensor:
    """Landmarks (B, K, 2) in crop coordinates of the canonical frame.

    Args:
        landmarks: (B, K, 2 or 3) in pixels of the photo.
        size: side of the photo in pixels.
        coordinates: (B, G, G, 2) canonical crop coordinates that the photo's view shows.
    """
    places = (landmarks[:, None, :, :2] + 0.5) / size * 2 - 1
    found = F.grid_sample(coordinates.movedim(-1, 1), places, padding_mode="border", align_corners=False)
    return found[:, :, 0].movedim(1, -1)


def _blurred_background(photo: Tensor, head: Tensor) -> Tensor:
    """The blurred background (B, 3, 32, 32) of a photo without the head, whose alpha is (B, 1, G, G)."""
    weight = F.adaptive_avg_pool2d(1.001 - head, 32)
    return blur(F.adaptive_avg_pool2d(photo, 32) * weight, 3) / blur(weight, 3)


def _inside(coordinates: Tensor) -> Tensor:
    """(B, 1, G, G) 1 within a crop, its corners rounded, fading to 0 at its edge; coordinates (B, G, G, 2)."""
    radius = (coordinates**4).sum(-1).sqrt().sqrt()
    return smoothstep((1 - radius) / (2 * FADE_WIDTH))[:, None]


def _periphery(distance: Tensor) -> Tensor:
    """0 on the face itself, 1 from 3 % of the crop's side away from it."""
    return smoothstep(distance / 0.03)


def _fade(distance: Tensor) -> Tensor:
    """Alpha of the head at a distance (in sides of the crop) from the face."""
    return 1 - smoothstep(distance / REACH)


def to_crop(maps: Tensor, tangent: float) -> Tensor:
    """The camera's maps (..., H, W) as crops (..., G, G) by the cubic spline: torch's bicubic normals show a grid."""
    matrix = spline_matrix(maps.shape[-1], GRID, tangent / math.tan(FIELD_OF_VIEW / 2)).to(maps)
    return matrix @ maps.detach() @ matrix.mT


def _smooth(maps: np.ndarray, sigma: float) -> np.ndarray:
    """`blur` for arrays, with longer tails."""
    return blur(torch.from_numpy(maps).float(), sigma, 4).numpy()
