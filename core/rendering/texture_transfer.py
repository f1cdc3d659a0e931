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
from core.geometry.camera import crop_grid, crop_points, crop_tangent, depth_to_normal, transform
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
MIRROR_GAIN = 1.4
"""Largest factor by which a mirrored part is brightened or darkened to match the light where it is put."""


def texture_from_model(factors: Factors) -> TexturedFace:
    """Prepare the decoded maps for rendering; nothing of the photo is used.

    Args:
        factors: B faces.

    Returns:
        B faces; their background is the reconstruction.
    """
    depth, normal, distance = head_surface(factors.canon_depth)
    albedo = F.interpolate(factors.canon_albedo, size=(GRID, GRID), mode="bicubic").clamp(0, 1)
    texture = (albedo * shade(normal, factors.light).clamp(min=MIN_SHADING)).clamp(max=1)
    tangent = torch.full_like(factors.light.ambient, crop_tangent(factors.canon_depth.shape[-1]))
    alpha = _fade(distance) * _inside(crop_grid(texture, GRID))
    coordinates, mask, _ = canonical_coordinates(depth, tangent, factors.view, GRID)
    blurred = _blurred_background(factors.recon_image, _alpha_in_view(alpha, coordinates, mask))
    return TexturedFace(factors, texture, alpha, _periphery(distance), depth, normal, factors.recon_image, blurred,
                        tangent)


def texture_from_photo(factors: Factors, photo: Tensor, landmarks: Tensor | None = None) -> TexturedFace:
    """Sample a photo into the canonical frame, once per photo (method: detail).

    Each canonical point shows, in this order of preference: the photo where it sees the point well, the photo where
    it sees the mirrored point, the decoded albedo. Filled parts take the light of the place that they fill and, in each
    channel, the color of what surrounds it.

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
    tangent = torch.full_like(factors.light.ambient, crop_tangent(factors.canon_depth.shape[-1]))
    depth, normal, distance = head_surface(factors.canon_depth)
    in_photo, seen = _visibility(depth, normal, _periphery(distance), tangent, factors.view)
    size = photo.shape[-1] * SHARPNESS
    unwarped = F.grid_sample(photo, upsample(in_photo.movedim(-1, 1), size).movedim(1, -1), mode="bicubic",
                             padding_mode="border", align_corners=False).clamp(0, 1)
    trust = F.grid_sample(factors.confidence, in_photo, padding_mode="border", align_corners=False)
    shading = shade(normal, factors.light).clamp(min=MIN_SHADING)
    texture = _fill_hidden(unwarped, seen, trust, shading, factors.canon_albedo)

    alpha = _fade(distance) * _inside(in_photo) * _inside(crop_grid(photo, GRID))
    coordinates, mask, _ = canonical_coordinates(depth, tangent, factors.view, GRID)
    blurred = _blurred_background(photo, _alpha_in_view(alpha, coordinates, mask))
    if landmarks is not None:
        landmarks = _landmarks_in_canonical(landmarks.to(photo), photo.shape[-1], coordinates)
    return TexturedFace(factors, texture, alpha, _periphery(distance), depth, normal, photo, blurred, tangent,
                        landmarks)


def head_surface(canon_depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Smooth depth (B, G, G) that continues gently beyond the face, its normals, and distance (B, 1, G, G) to it.

    The model's surface falls steeply behind jaw and ears to one far plane, which would be rendered as a curtain when
    the head turns. Instead, ears, hair and neck lie on a surface that leaves the face's edge at `SIDE_SLOPE`.
    The distance is in sides of the crop, 0 on the face.
    """
    from scipy.ndimage import distance_transform_edt

    slope = SIDE_SLOPE * 2 * crop_tangent(canon_depth.shape[-1])  # the crop's side is two tangents at distance 1
    surfaces, distances = [], []
    for smooth in _spline(canon_depth, GRID):
        smooth = _smooth(smooth, SMOOTHING * GRID)
        face = _face_region(smooth)
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


def _face_region(depth: np.ndarray) -> np.ndarray:
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


def _fill_hidden(unwarped: Tensor, seen: Tensor, trust: Tensor, shading: Tensor, albedo: Tensor) -> Tensor:
    """Fill what the photo does not show.

    Args:
        unwarped: (B, 3, T, T) the photo, sampled at each canonical point.
        seen: (B, 1, G, G) how well it shows them.
        trust: (B, 1, G, G) the model's confidence there.
        shading: (B, 1, G, G) under the photo's light.
        albedo: (B, 3, H, W) decoded.

    Returns:
        (B, 3, T, T) in [0, 1].
    """
    size, mirrored = unwarped.shape[-1], seen.flip(-1)
    # The mirrored side is used only where it is clearly better seen: a frontal photo stays as it is.
    use_mirrored = smoothstep((mirrored * (0.5 + 0.5 * trust.flip(-1)) - seen - 0.2) / 0.5)
    # The change of light is bounded: the light is an estimate, and that side may lie in shadow.
    ratio = (shading / shading.flip(-1)).clamp(1 / MIRROR_GAIN, MIRROR_GAIN)
    # Gains and fillings are computed at low resolution: they are smooth.
    small = F.interpolate(unwarped, size=(GRID, GRID), mode="area")
    ratio = ratio * _gain(small, small.flip(-1) * ratio, seen * mirrored)
    filled = lerp(small, small.flip(-1) * ratio, use_mirrored)

    known = lerp(seen, mirrored, use_mirrored)
    decoded = F.interpolate(albedo, size=(GRID, GRID), mode="bicubic").clamp(0, 1) * shading
    decoded = decoded * _gain(filled, decoded, known)
    use_decoded = smoothstep(1 - known / 0.3)
    layers = (1 - use_decoded) * (1 - use_mirrored), (1 - use_decoded) * use_mirrored * ratio, use_decoded * decoded
    near, far, filling = upsample(torch.cat(layers, 1), size).split((1, 3, 3), 1)
    return filling.addcmul_(unwarped, near).addcmul_(unwarped.flip(-1), far).clamp_(0, 1)


def _gain(wanted: Tensor, given: Tensor, weight: Tensor) -> Tensor:
    """Smooth factor per channel (B, 3, G, G) that gives `given` the color of `wanted` where `weight` is large.

    Elsewhere it is extended smoothly; far away it is the mean factor.
    """
    wanted, given, weight = (F.adaptive_avg_pool2d(maps, 64) for maps in (wanted, given, weight))
    ratio = ((wanted + 0.02) / (given + 0.02)).log() * weight
    mean = ratio.mean((2, 3), keepdim=True) / weight.mean((2, 3), keepdim=True).clamp(min=1e-4)
    return upsample(((blur(ratio, 3) + 0.02 * mean) / (blur(weight, 3) + 0.02)).clamp(-0.7, 0.7).exp(), GRID)


def _alpha_in_view(alpha: Tensor, coordinates: Tensor, mask: Tensor) -> Tensor:
    """Alpha (B, 1, G, G) as a view shows it; coordinates and mask are those of `canonical_coordinates`."""
    return F.grid_sample(alpha, coordinates, align_corners=False) * mask


def _landmarks_in_canonical(landmarks: Tensor, size: int, coordinates: Tensor) -> Tensor:
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


def _spline(maps: Tensor, size: int) -> np.ndarray:
    """Crops (B, h, h) to (B, size, size) by the cubic spline: its normals are smooth, torch's bicubic shows a grid."""
    matrix = spline_matrix(maps.shape[-1], size, crop=True)
    return (matrix @ maps.detach().cpu() @ matrix.mT).numpy()


def _smooth(maps: np.ndarray, sigma: float) -> np.ndarray:
    """`blur` for arrays, with longer tails."""
    return blur(torch.from_numpy(maps).float(), sigma, 4).numpy()
