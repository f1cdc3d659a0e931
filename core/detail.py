"""A face at display size with the photo's own detail (method: geometry, light and view are smooth and come from the
model; detail comes from the photo).

`decode` and `transfer` prepare a `PhotoFace` once, from the model's maps alone or with the photo; `draw` then draws it
under any view and light, many times a second.

Convention: two ways to place pixels meet here.
    - The **camera** of core.geometry puts the centres of an image's outer pixels on the edge of the field of view.
    - A **crop** (core.faces.align) puts the edges of its outer pixels on the edge of the square that was cut.
    The model sees the crop at n pixels and takes them for the camera's. So the crop is a little wider than the field of
    view: its edge lies at tangent `crop_tangent(n)` = tan 5° · n / (n − 1), whatever its resolution, and model pixel
    i lies at (i + 0.5) · N / n − 0.5 of an N-pixel crop. Maps in this module and the pictures it draws are crops; only
    `mesh_maps` answers in the camera's convention, for core.mesh. Coordinates in crops are (x, y) in −1 … 1 from edge
    to edge, as `grid_sample` has them with `align_corners=False`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry import FIELD_OF_VIEW, depth_to_normal, inverse_transform, rotation_matrix, transform
from core.rasterizer import BACKGROUND, rasterize_depth
from core.shading import shade
from core.types import Batched, Factors, Light, View

GRID = 192
"""Side of the smooth maps: depth, normals, alpha. The model's own maps have 64 or 128 pixels."""
SHARPNESS = 2
"""Pixels of the canonical picture per pixel of the photo: being sampled twice then costs it no detail."""
FACE_DEPTH = 1.055
"""Farther canonical surface is not the face: rendered training faces end at 1.07, behind jaw and ears."""
FACE_STEEPNESS = math.cos(math.radians(65))
"""Nor is surface seen at a flatter angle than this: it is the step down from the face to what lies behind."""
SIDE_SLOPE = 0.9
"""Depth per lateral unit at which the surface goes on beyond the face's edge, over ears, hair and neck."""
REACH = 0.16
"""How far beyond the face's edge the head fades out, as part of the crop's side."""
RIM = 0.05
"""Width of the fade along the edge of the photo, as part of the crop's side."""
HIDDEN_BEHIND = 0.003
"""Depth by which a point lies behind the visible surface when it counts as half hidden, camera-distance units."""
SMOOTHING = 1 / 64
"""Width by which the depth is smoothed, as part of the crop's side: lips and lids are drawn, not folded."""
PIT = 0.008
"""Deepest hole narrower than an open mouth, camera-distance units."""
FLOOR = 0.15
"""Least shading that is divided by."""
MIRROR_GAIN = 1.4
"""Most by which a mirrored part is brightened or darkened for the light of the place it fills."""
BRIGHTEST = 4.0
"""Most by which another light brightens."""
KNEE = 0.85
"""Relit colours above it are compressed, so that highlights do not burn out."""
STILL_DEGREES = 4.0
"""Turn after which the photo's surroundings have gone out of focus."""
GREY = (0.93, 0.93, 0.93)
"""Default background."""


@dataclass
class PhotoFace(Batched):
    """A face ready to be drawn. Maps are crops in the canonical frame unless they say otherwise, see the module."""

    picture: Tensor
    """(B, 3, T, T) RGB under `light`, hidden parts filled."""
    alpha: Tensor
    """(B, 1, G, G) 1 on the head, fading to 0 where the surface stops being it or was outside the photo."""
    depth: Tensor
    """(B, G, G) smooth, without the steps behind jaw and ears."""
    normal: Tensor
    """(B, G, G, 3) unit length."""
    surroundings: Tensor
    """(B, 3, N, N) what the view `view` shows: the photo."""
    blurred: Tensor
    """(B, 3, h, h) the photo's background out of focus, the head taken out."""
    tangent: Tensor
    """(B,) tangent of the angle between optical axis and crop's edge."""
    light: Light
    view: View


def crop_tangent(image_size: int) -> float:
    """Tangent of the angle to the edge of a crop that the model saw at `image_size` pixels, see the module."""
    return math.tan(FIELD_OF_VIEW / 2) * image_size / (image_size - 1)


# --- Preparing ---------------------------------------------------------------------------------------------------


def decode(factors: Factors) -> PhotoFace:
    """Prepare the model's own maps for drawing, nothing of the photo in them.

    Args:
        factors: B faces.

    Returns:
        B faces; `picture` is the albedo, so that `light` is plain white.
    """
    depth, normal, face = _head_surface(factors.canon_depth)
    size = factors.canon_albedo.shape[-1] * 4
    picture = F.interpolate(factors.canon_albedo, size=(size, size), mode="bicubic").clamp(0, 1)
    ones = torch.ones_like(factors.light.ambient)
    white = Light(ones, torch.zeros_like(ones), factors.light.direction)
    tangent = ones * crop_tangent(factors.canon_depth.shape[-1])
    alpha = _fade(face) * _inside(_crop_grid(picture, GRID))
    shown = _shown_alpha(alpha, depth, tangent, factors.view)
    return PhotoFace(picture, alpha, depth, normal, factors.recon_image, _out_of_focus(factors.recon_image, shown),
                     tangent, white, factors.view)


def transfer(factors: Factors, photo: Tensor) -> PhotoFace:
    """Carry a photo into the canonical frame, once per photo (method: detail).

    Each canonical point shows, in this order of preference: the photo where it sees the point well, the photo where
    it sees the mirrored point, the decoded albedo. The fillings take the light of the place they fill and, per channel,
    the colour of what surrounds it.

    Args:
        factors: of B faces.
        photo: (B, 3, N, N) the aligned photos at full resolution, [0, 1], N ≥ H: `Face.full`.

    Returns:
        B faces to `draw`.
    """
    if photo.dim() != 4 or photo.shape[:2] != (len(factors.image), 3) or photo.shape[2] != photo.shape[3]:
        raise ValueError(f"photo must be ({len(factors.image)}, 3, N, N), got {tuple(photo.shape)}")
    photo = photo.to(factors.image)
    tangent = torch.full_like(factors.light.ambient, crop_tangent(factors.canon_depth.shape[-1]))
    depth, normal, face = _head_surface(factors.canon_depth)
    in_photo, seen = _visibility(depth, normal, tangent, factors.view)
    trust = F.grid_sample(factors.confidence, in_photo, padding_mode="border", align_corners=False)

    direct, mirrored = seen, seen.flip(-1)
    lit = shade(normal, factors.light).clamp(min=FLOOR)
    size = photo.shape[-1] * SHARPNESS
    own = F.grid_sample(photo, _enlarge(in_photo.movedim(-1, 1), size).movedim(1, -1), mode="bicubic",
                        padding_mode="border", align_corners=False).clamp(0, 1)
    # Held within bounds, for the light is an estimate and the mirrored side may lie in shadow.
    other = own.flip(-1) * _enlarge((lit / lit.flip(-1)).clamp(1 / MIRROR_GAIN, MIRROR_GAIN), size)
    plain = F.interpolate(factors.canon_albedo, size=(size, size), mode="bicubic").clamp(0, 1) * _enlarge(lit, size)

    # The mirrored side steps in only where it is clearly better seen: a frontal photo stays as it is.
    use_other = _soft((mirrored * (0.5 + 0.5 * trust.flip(-1)) - direct) / 0.4)
    known = _lerp(direct, mirrored, use_other)
    use_plain = _soft(1 - known / 0.3)
    other = other * _enlarge(_gain(own, other, direct * mirrored), size)
    picture = _lerp(own, other, _enlarge(use_other, size))
    plain = plain * _enlarge(_gain(picture, plain, known), size)
    picture = _lerp(picture, plain, _enlarge(use_plain, size)).clamp(0, 1)

    alpha = _fade(face) * _inside(in_photo)
    shown = _shown_alpha(alpha, depth, tangent, factors.view)
    return PhotoFace(picture, alpha, depth, normal, photo, _out_of_focus(photo, shown), tangent, factors.light,
                     factors.view)


def _head_surface(canon_depth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Smooth depth (B, G, G) that goes on gently beyond the face, its normals, and distance (B, 1, G, G) from the face.

    The model's surface falls steeply behind jaw and ears to one far plane, which would be drawn as a curtain when the
    head turns. Instead, ears, hair and neck ride on a surface that leaves the face's edge at `SIDE_SLOPE`.
    The distance is in sides of the crop, 0 on the face.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    slope = SIDE_SLOPE * 2 * crop_tangent(canon_depth.shape[-1])  # the crop's side is two tangents at distance 1
    surfaces, distances = [], []
    for smooth in _spline(canon_depth, GRID):
        smooth = gaussian_filter(smooth, SMOOTHING * GRID)
        face = _face_region(smooth)
        smooth = np.where(face, _without_pits(np.where(face, smooth, BACKGROUND)), smooth)
        distance = distance_transform_edt(~face) / GRID
        edge = face & (distance_transform_edt(face) < GRID / 64)
        weight, weighted = (gaussian_filter(maps, GRID / 24) for maps in (edge + 1e-6, (edge + 1e-6) * smooth))
        beyond = weighted / weight + slope * distance
        near = np.where(face, smooth, np.minimum(smooth, beyond))
        outside = near + (distance * 24).clip(0, 1) * (beyond - near)
        rounded = gaussian_filter(outside, GRID / 96)
        surfaces.append(outside + (distance * 64).clip(0, 1) * (rounded - outside))
        distances.append(distance[None])
    depth, distance = (torch.from_numpy(np.stack(maps)).to(canon_depth) for maps in (surfaces, distances))
    normal = F.normalize(_blur(depth_to_normal(depth).movedim(-1, 1), GRID / 96), dim=1).movedim(1, -1)
    return depth, normal, distance


def _without_pits(depth: np.ndarray) -> np.ndarray:
    """A depth map (G, G) whose narrow holes, an open mouth above all, are at most `PIT` deep: walls have no picture."""
    from scipy.ndimage import grey_opening

    floor = grey_opening(depth, size=len(depth) // 8)
    return floor + PIT * np.tanh((depth - floor) / PIT)


def _face_region(depth: np.ndarray) -> np.ndarray:
    """The part of a depth map (G, G) that is the face itself: near, not steep, in one piece; bool (G, G)."""
    from scipy.ndimage import binary_fill_holes, binary_opening, gaussian_filter, label

    facing = depth_to_normal(torch.from_numpy(depth)[None])[0, ..., 2].numpy()
    face = (depth < FACE_DEPTH) & (facing > FACE_STEEPNESS)
    rim = round(len(depth) * 2.5 / 64)  # the depth head pins the outer columns to a border depth
    face[:, :rim] = face[:, -rim:] = False
    pieces, _ = label(binary_opening(face, iterations=len(depth) // 64))
    sizes = np.bincount(pieces.ravel(), minlength=2)[1:]
    piece = binary_fill_holes(pieces == 1 + sizes.argmax()) if sizes.any() else np.ones_like(face)
    return gaussian_filter(piece.astype(np.float32), len(depth) / 40, mode="nearest") > 0.6


def _visibility(depth: Tensor, normal: Tensor, tangent: Tensor, view: View) -> tuple[Tensor, Tensor]:
    """Where the photo shows each canonical point, crop coordinates (B, G, G, 2), and how well, (B, 1, G, G)."""
    moved = transform(_points(depth, tangent), view)
    in_photo = moved[..., :2] / moved[..., 2:] / tangent[:, None, None, None]
    nearest, _ = _rasterize(moved, tangent, GRID)
    nearest = F.grid_sample(nearest[:, None], in_photo, padding_mode="border", align_corners=False)
    behind = (moved[..., 2][:, None] - nearest) / HIDDEN_BEHIND
    facing = (normal @ rotation_matrix(view.rotation)[:, None, 2, :, None]).movedim(-1, 1)
    seen = _soft(1.5 - behind) * _soft((facing - 0.1) / 0.35) * _inside(in_photo)
    # Shrunk before it is feathered: at its edge a silhouette's pixels mix with what lies behind it.
    return in_photo, _blur(-F.max_pool2d(-seen, 5, 1, 2), GRID / 96)


def _gain(wanted: Tensor, given: Tensor, weight: Tensor) -> Tensor:
    """Smooth factor per channel (B, 3, 64, 64) that gives `given` the colour of `wanted` where `weight` says so.

    Elsewhere it goes on smoothly, and far away it is the mean factor.
    """
    wanted, given, weight = (F.adaptive_avg_pool2d(maps, 64) for maps in (wanted, given, weight))
    ratio = ((wanted + 0.02) / (given + 0.02)).log() * weight
    mean = ratio.mean((2, 3), keepdim=True) / weight.mean((2, 3), keepdim=True).clamp(min=1e-4)
    return ((_blur(ratio, 3) + 0.02 * mean) / (_blur(weight, 3) + 0.02)).clamp(-0.7, 0.7).exp()


def _shown_alpha(alpha: Tensor, depth: Tensor, tangent: Tensor, view: View) -> Tensor:
    """Alpha (B, 1, G, G) as the view shows it."""
    pixels, mask = _canonical_coordinates(depth, tangent, view, GRID)
    return F.grid_sample(alpha, pixels, align_corners=False) * mask


def _out_of_focus(picture: Tensor, head: Tensor) -> Tensor:
    """The background (B, 3, 32, 32) of a picture with the head (B, 1, G, G) taken out."""
    weight = F.adaptive_avg_pool2d(1.001 - head, 32)
    return _blur(F.adaptive_avg_pool2d(picture, 32) * weight, 3) / _blur(weight, 3)


# --- Drawing -----------------------------------------------------------------------------------------------------


def draw_layer(face: PhotoFace, view: View, light: Light, size: int) -> tuple[Tensor, Tensor]:
    """Draw faces without a background.

    Args:
        face: B faces.
        view: B views.
        light: B lights.
        size: side of the picture in pixels.

    Returns:
        RGB (B, 3, size, size) and alpha (B, 1, size, size), both in [0, 1], colours not multiplied by alpha.
    """
    coordinates, mask = _canonical_coordinates(face.depth, face.tangent, view, size)
    ratio = shade(face.normal, light).clamp(min=FLOOR) / shade(face.normal, face.light).clamp(min=FLOOR)
    ratio, alpha = F.grid_sample(torch.cat([ratio, face.alpha], 1), coordinates, padding_mode="border",
                                 align_corners=False).split(1, 1)
    # Two texels a pixel: bilinear reading is then an average over the pixel.
    texels = face.picture
    if texels.shape[-1] > 2 * size:
        texels = F.interpolate(texels, size=(2 * size, 2 * size), mode="area")
    colour = F.grid_sample(texels, coordinates, padding_mode="border", align_corners=False)
    return _relit(colour, ratio), alpha * mask


def draw(face: PhotoFace, view: View, light: Light, size: int, background=GREY) -> Tensor:
    """Draw faces over a background.

    Args:
        face: B faces.
        view: B views.
        light: B lights.
        size: side of the picture in pixels.
        background: (r, g, b) in [0, 1], or "photo": the surroundings in the photo, sharp while the view is the
            photo's own, out of focus as soon as the head turns.

    Returns:
        (B, 3, size, size) in [0, 1].
    """
    colour, alpha = draw_layer(face, view, light, size)
    if background == "photo":
        behind = _photo_background(face, view, size)
    else:
        behind = colour.new_tensor(background)[:, None, None]
    return _lerp(behind, colour, alpha).clamp(0, 1)


def render_decoded(factors: Factors, view: View, light: Light, size: int, background=GREY) -> Tensor:
    """Draw the model's own maps at any size; see `decode` and `draw`."""
    return draw(decode(factors), view, light, size, background)


render_detail = draw


def mesh_maps(face: PhotoFace, size: int = 1024) -> tuple[Tensor, Tensor, Tensor]:
    """What `core.mesh.face_mesh` makes a mesh of, in the convention of the camera.

    Args:
        face: B faces.
        size: side of the texture in pixels.

    Returns:
        canon_depth (B, G, G), texture (B, 3, size, size) evenly lit, in [0, 1], and mask (B, G, G) in [0, 1].
    """
    edge = math.tan(FIELD_OF_VIEW / 2) / face.tangent
    shading = shade(face.normal, face.light).clamp(min=FLOOR)
    texture = _relit(face.picture, _enlarge(shading.mean((2, 3), keepdim=True) / shading, face.picture.shape[-1]))

    def to_camera(maps: Tensor, pixels: int) -> Tensor:
        axis = torch.linspace(-1, 1, pixels, device=maps.device)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1) * edge[:, None, None, None]
        return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)

    return to_camera(face.depth[:, None], GRID)[:, 0], to_camera(texture, size), to_camera(face.alpha, GRID)[:, 0]


def _relit(colour: Tensor, ratio: Tensor) -> Tensor:
    """colour × ratio, exactly `colour` where the ratio is 1; strong ratios and highlights are compressed."""
    room = BRIGHTEST - 1
    ratio = torch.where(ratio > 1, 1 + room * ((ratio - 1) / room).tanh(), ratio)
    lit, knee = colour * ratio, colour.clamp(KNEE, 0.999)
    return torch.where(lit > knee, knee + (1 - knee) * (1 - ((knee - lit) / (1 - knee)).clamp(max=0).exp()), lit)


def _photo_background(face: PhotoFace, view: View, size: int) -> Tensor:
    """Surroundings (B, 3, size, size): the photo, out of focus once the view has left the photo's."""
    turn = (view.rotation - face.view.rotation).norm(dim=-1).rad2deg()
    shift = (view.translation - face.view.translation).norm(dim=-1) / face.tangent * 50
    still = (-(((turn + shift) / STILL_DEGREES) ** 2)).exp()[:, None, None, None]
    blurred = _enlarge(face.blurred, size)
    if still.max() < 0.01:
        return blurred
    shrinks = size < face.surroundings.shape[-1]
    return _lerp(blurred, F.interpolate(face.surroundings, (size, size), mode="area" if shrinks else "bicubic"), still)


def _canonical_coordinates(depth: Tensor, tangent: Tensor, view: View, size: int) -> tuple[Tensor, Tensor]:
    """Canonical crop coordinates (B, S, S, 2) that each pixel of a view shows, and its soft mask (B, 1, S, S)."""
    seen, mask = _rasterize(transform(_points(depth, tangent), view), tangent, size)
    points = inverse_transform(_points(seen, tangent), view)
    # Nothing beyond the silhouette has a colour, so the soft edge lies within.
    soft = (2 * F.avg_pool2d(mask[:, None].to(depth), 3, 1, 1, count_include_pad=False) - 1).clamp(min=0)
    return points[..., :2] / points[..., 2:] / tangent[:, None, None, None], soft


def _rasterize(points: Tensor, tangent: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """`rasterize_depth` for a crop: depth and mask (B, size, size) at the pixel centres of a crop of the view."""
    narrow = math.tan(FIELD_OF_VIEW / 2) / tangent * size / (size - 1)
    return rasterize_depth(points * F.pad(narrow[:, None].expand(-1, 2), (0, 1), value=1.0)[:, None, None], size)


def _crop_grid(like: Tensor, size: int) -> Tensor:
    """(1, size, size, 2) coordinates of the pixel centres of a crop."""
    axis = (torch.arange(size, device=like.device, dtype=like.dtype) + 0.5) / size * 2 - 1
    return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)[None]


def _points(depth: Tensor, tangent: Tensor) -> Tensor:
    """Points (B, S, S, 3) of a depth map (B, S, S) that is a crop."""
    rays = _crop_grid(depth, depth.shape[-1]) * tangent[:, None, None, None]
    return torch.cat([rays * depth[..., None], depth[..., None]], -1)


def _inside(coordinates: Tensor) -> Tensor:
    """(B, 1, G, G) 1 within a crop, fading to 0 at its edge; coordinates (B, G, G, 2)."""
    return _soft((1 - coordinates.abs().amax(-1)) / (2 * RIM))[:, None]


def _fade(distance: Tensor) -> Tensor:
    """Alpha of the head at a distance (in sides of the crop) from the face."""
    return 1 - _soft(distance / REACH)


def _spline(maps: Tensor, size: int) -> np.ndarray:
    """Crops (B, h, h) to (B, size, size) by the cubic spline: its normals are smooth, torch's bicubic shows a grid."""
    from scipy.ndimage import zoom

    factor = size / maps.shape[-1]
    return zoom(maps.detach().cpu().numpy(), (1, factor, factor), order=3, mode="nearest", grid_mode=True)


def _enlarge(maps: Tensor, size: int) -> Tensor:
    """Smooth maps (B, C, h, h) to (B, C, size, size)."""
    return F.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)


def _lerp(first: Tensor, second: Tensor, amount: Tensor) -> Tensor:
    return first + (second - first) * amount


def _soft(x: Tensor) -> Tensor:
    """Smooth step from 0 at 0 to 1 at 1."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def _blur(maps: Tensor, sigma: float) -> Tensor:
    """Gaussian blur, sigma in pixels; the border is repeated."""
    reach = math.ceil(2.5 * sigma)
    kernel = (-0.5 * (torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype) / sigma) ** 2).exp()
    kernel = (kernel / kernel.sum()).expand(maps.shape[1], 1, 1, -1)
    maps = F.conv2d(F.pad(maps, (reach, reach, 0, 0), mode="replicate"), kernel, groups=maps.shape[1])
    return F.conv2d(F.pad(maps, (0, 0, reach, reach), mode="replicate"), kernel.mT, groups=maps.shape[1])
