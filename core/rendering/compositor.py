"""Render a textured face under any view and light.

Convention: maps and renders are crops, see core.geometry.camera; only `bake_texture` returns the camera's images.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import FIELD_OF_VIEW, crop_grid, crop_points, inverse_transform, rotation_matrix, transform
from core.geometry.filters import blur, lerp, pool3x3, smoothstep, upsample
from core.geometry.rasterizer import rasterize_crop
from core.geometry.shading import shade
from core.types import Light, TexturedFace, View

MIN_SHADING = 0.15
"""Least shading that a texture is divided by when it is relit."""
MAX_GAIN = 4.0
"""Largest factor by which another light brightens."""
KNEE = 0.85
"""Relit colors above it are compressed, so that highlights do not clip."""
STILL_DEGREES = 4.0
"""Turn, degrees, after which the photo's background is out of focus."""


def render_layer(face: TexturedFace, view: View, light: Light, size: int) -> tuple[Tensor, Tensor]:
    """Render faces without a background.

    Args:
        face: B faces.
        view: B views.
        light: B lights.
        size: side of the render in pixels.

    Returns:
        RGB (B, 3, size, size) and alpha (B, 1, size, size), both in [0, 1], colors not multiplied by alpha.
    """
    color, alpha, _ = relit_layer(face, view, light, size)
    return color, alpha


def relit_layer(face: TexturedFace, view: View, light: Light, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """`render_layer`, and the change of shading (B, 1, size, size): new light over the texture's light."""
    coordinates, mask, step = canonical_coordinates(face.depth, face.tangent, view, size)
    ratio = shade(face.normal, light).clamp(min=MIN_SHADING) / shade(face.normal, face.light).clamp(min=MIN_SHADING)
    # Ears, hair and neck fade as they turn away: rendered on a guessed surface they would frame the far cheek.
    alpha = face.alpha * (1 - face.periphery * smoothstep((0.6 - facing(face.normal, view)) / 0.3))
    ratio, alpha = F.grid_sample(torch.cat([ratio, alpha], 1), coordinates, padding_mode="border",
                                 align_corners=False).split(1, 1)
    # Two texels a pixel: bilinear reading is then an average over the pixel.
    color = F.grid_sample(face.reduced("texture", 2 * size), coordinates, padding_mode="border", align_corners=False)
    layer = torch.cat([relight_color(color, ratio), alpha * mask], 1)
    # Where the surface occludes itself, neighbouring pixels show distant points: there the render is smoothed.
    color, alpha = lerp(layer, pool3x3(layer, torch.add) / 9, step).split((3, 1), 1)
    return color, alpha, ratio


def composite(face: TexturedFace, view: View, light: Light, size: int,
              background: tuple[float, float, float] | Literal["photo"] = "photo") -> Tensor:
    """Render faces over a background.

    Args:
        face: B faces.
        view: B views.
        light: B lights.
        size: side of the render in pixels.
        background: (r, g, b) in [0, 1], or "photo": the photo's background, sharp in the photo's own view, out of
            focus as soon as the head turns.

    Returns:
        (B, 3, size, size) in [0, 1].
    """
    color, alpha, ratio = relit_layer(face, view, light, size)
    if background == "photo":
        behind = _photo_background(face, view, _spread(ratio, alpha), size)
    else:
        behind = color.new_tensor(background)[:, None, None]
    return lerp(behind, color, alpha).clamp(0, 1)


def bake_texture(face: TexturedFace, size: int = 1024) -> tuple[Tensor, Tensor, Tensor]:
    """Depth, evenly lit texture and mask for core.export.mesh.face_mesh, in the camera's convention.

    Args:
        face: B faces.
        size: side of the texture in pixels.

    Returns:
        canon_depth (B, G, G), texture (B, 3, size, size) evenly lit, in [0, 1], and mask (B, G, G) in [0, 1].
    """
    edge = math.tan(FIELD_OF_VIEW / 2) / face.tangent

    def places(pixels: int) -> Tensor:
        axis = torch.linspace(-1, 1, pixels, device=face.texture.device)
        return torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1) * edge[:, None, None, None]

    # A mask cut closer than a render fades: a mesh has no soft edge.
    maps = F.grid_sample(torch.cat([face.depth[:, None], face.alpha**3], 1), places(face.depth.shape[-1]),
                         padding_mode="border", align_corners=False)
    return maps[:, 0], evenly_lit(face, places(size), 2 * size), maps[:, 1]


def evenly_lit(face: TexturedFace, places: Tensor, side: int) -> Tensor:
    """Colors (B, 3, h, w) of canonical points with even shading, in [0, 1].

    Args:
        face: B faces.
        places: (B, h, w, 2) canonical crop coordinates.
        side: texture pixels that are read, at most, per side of the crop.
    """
    shading = shade(face.normal, face.light).clamp(min=MIN_SHADING)
    color, ratio = (F.grid_sample(maps, places, padding_mode="border", align_corners=False)
                    for maps in (face.reduced("texture", side), shading.mean((2, 3), keepdim=True) / shading))
    return relight_color(color, ratio)


def relight_color(color: Tensor, ratio: Tensor) -> Tensor:
    """color × ratio, exactly `color` where the ratio is 1; strong ratios and highlights are compressed."""
    room = MAX_GAIN - 1
    ratio = torch.where(ratio > 1, 1 + room * ((ratio - 1) / room).tanh(), ratio)
    lit, knee = color * ratio, color.clamp(KNEE, 0.999)
    above = 1 - knee
    excess = ((lit - knee) / above).clamp_(min=0)
    return torch.minimum(lit, knee) - above * excess.neg_().expm1_()


def _spread(ratio: Tensor, alpha: Tensor) -> Tensor:
    """A change of light extended smoothly beyond the head, (B, 1, 32, 32), so that the background follows it."""
    ratio, alpha = (F.adaptive_avg_pool2d(maps, 32) for maps in (ratio * alpha, alpha))
    return (blur(ratio, 3) + 1e-3) / (blur(alpha, 3) + 1e-3)


def _photo_background(face: TexturedFace, view: View, ratio: Tensor, size: int) -> Tensor:
    """The photo's background (B, 3, size, size), out of focus where the view differs from the photo's.

    ratio: (B, 1, 32, 32) change of shading.
    """
    turn = (view.rotation - face.view.rotation).norm(dim=-1).rad2deg()
    shift = (view.translation - face.view.translation).norm(dim=-1) / face.tangent * 50
    still = (-(((turn + shift) / STILL_DEGREES) ** 2)).exp()[:, None, None, None]
    blurred = upsample(relight_color(face.blurred, ratio), size)
    if still.max() < 0.01:
        return blurred
    sharp = face.reduced("background", size)
    if sharp.shape[-1] < size:
        sharp = F.interpolate(sharp, (size, size), mode="bicubic")
    return lerp(blurred, relight_color(sharp, upsample(ratio, size)), still)


def canonical_coordinates(depth: Tensor, tangent: Tensor, view: View, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The canonical point that each pixel of a view shows.

    Returns:
        Canonical crop coordinates (B, S, S, 2), a soft mask (B, 1, S, S) of the surface, and (B, 1, S, S) 1 where the
        surface occludes itself: at steps of its depth in the view.
    """
    seen, mask = rasterize_crop(transform(crop_points(depth, tangent), view), tangent, size)
    seen, mask, tangent = seen[:, None], mask[:, None].to(depth), tangent[:, None, None, None]
    # `inverse_transform` of the points that are seen, one plane for each coordinate: several times as fast.
    rays = F.pad(crop_grid(depth, size) * tangent, (0, 1), value=1.0).movedim(-1, 1)
    eye = inverse_transform(depth.new_zeros(len(depth), 1, 3), view)[:, 0, :, None, None]
    turned = rotation_matrix(view.rotation).mT @ rays.flatten(2)
    points = (seen * turned.view_as(rays)).add_(eye)
    coordinates = (points[:, :2] / points[:, 2:]).div_(tangent).movedim(1, -1)
    # There is no color beyond the silhouette, so the soft edge lies inside it.
    soft = (2 / 9 * pool3x3(mask, torch.add) - 1).clamp(min=0)
    slope = (pool3x3(seen, torch.maximum) - pool3x3(seen, torch.minimum)) * size / (4 * tangent)
    return coordinates, soft, smoothstep(slope / 3 - 1)


def facing(normal: Tensor, view: View) -> Tensor:
    """Cosine (B, 1, G, G) between canonical surface and the axis of the view's camera."""
    return (normal @ rotation_matrix(view.rotation)[:, None, 2, :, None]).movedim(-1, 1)
