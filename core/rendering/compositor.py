"""Render a textured face under any view and light.

Convention: maps and renders are crops (see core.geometry.camera); only `bake_texture` answers in the camera's convention.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.camera import FIELD_OF_VIEW, crop_grid, crop_points, inverse_transform, rotation_matrix, transform
from core.geometry.filters import blur, lerp, pool3x3, smoothstep, upsample
from core.geometry.rasterizer import rasterize_crop
from core.geometry.shading import shade
from core.types import Light, TensorDataclass, View

FLOOR = 0.15
"""Least shading that is divided by."""
BRIGHTEST = 4.0
"""Most by which another light brightens."""
KNEE = 0.85
"""Relit colours above it are compressed, so that highlights do not burn out."""
STILL_DEGREES = 4.0
"""Turn after which the photo's surroundings have gone out of focus."""


@dataclass(eq=False)
class TexturedFace(TensorDataclass):
    """A face ready to be drawn. Maps are crops in the canonical frame unless they say otherwise, see the module."""

    picture: Tensor
    """(B, 3, T, T) RGB under `light`, hidden parts filled."""
    alpha: Tensor
    """(B, 1, G, G) 1 on the head, fading to 0 where the surface stops being it or was outside the photo."""
    beyond: Tensor
    """(B, 1, G, G) 0 on the face itself, 1 on ears, hair and neck, whose depth is a guess."""
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
    landmarks: Tensor | None = None
    """(B, 478, 2) MediaPipe's, see core.geometry.landmark_warp; None where they are not known."""

    def reduced(self, name: str, side: int) -> Tensor:
        """`picture` or `surroundings` averaged down to (B, 3, side, side), or as it is where it is no larger; kept."""
        maps = getattr(self, name)
        if maps.shape[-1] <= side:
            return maps
        if (name, side) not in self._reduced:
            self._reduced[name, side] = F.interpolate(maps, (side, side), mode="area")
        return self._reduced[name, side]

    @functools.cached_property
    def _reduced(self) -> dict[tuple[str, int], Tensor]:
        return {}


def render_layer(face: TexturedFace, view: View, light: Light, size: int) -> tuple[Tensor, Tensor]:
    """Draw faces without a background.

    Args:
        face: B faces.
        view: B views.
        light: B lights.
        size: side of the picture in pixels.

    Returns:
        RGB (B, 3, size, size) and alpha (B, 1, size, size), both in [0, 1], colours not multiplied by alpha.
    """
    colour, alpha, _ = _relit_layer(face, view, light, size)
    return colour, alpha


def _relit_layer(face: TexturedFace, view: View, light: Light, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """`render_layer` and (B, 1, size, size) by how much the light has changed."""
    coordinates, mask, step = canonical_coordinates(face.depth, face.tangent, view, size)
    ratio = shade(face.normal, light).clamp(min=FLOOR) / shade(face.normal, face.light).clamp(min=FLOOR)
    # Ears, hair and neck fade as they turn away: drawn on a guessed surface they would frame the far cheek.
    alpha = face.alpha * (1 - face.beyond * smoothstep((0.6 - facing(face.normal, view)) / 0.3))
    ratio, alpha = F.grid_sample(torch.cat([ratio, alpha], 1), coordinates, padding_mode="border",
                                 align_corners=False).split(1, 1)
    # Two texels a pixel: bilinear reading is then an average over the pixel.
    colour = F.grid_sample(face.reduced("picture", 2 * size), coordinates, padding_mode="border", align_corners=False)
    layer = torch.cat([_relit(colour, ratio), alpha * mask], 1)
    # Where the surface hides itself, neighbouring pixels show far apart places: there the picture is smoothed.
    colour, alpha = lerp(layer, pool3x3(layer, torch.add) / 9, step).split((3, 1), 1)
    return colour, alpha, ratio


def composite(face: TexturedFace, view: View, light: Light, size: int, background="photo") -> Tensor:
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
    colour, alpha, ratio = _relit_layer(face, view, light, size)
    if background == "photo":
        behind = _photo_background(face, view, _spread(ratio, alpha), size)
    else:
        behind = colour.new_tensor(background)[:, None, None]
    return lerp(behind, colour, alpha).clamp(0, 1)


def bake_texture(face: TexturedFace, size: int = 1024) -> tuple[Tensor, Tensor, Tensor]:
    """What `core.export.mesh.face_mesh` makes a mesh of, in the convention of the camera.

    Args:
        face: B faces.
        size: side of the texture in pixels.

    Returns:
        canon_depth (B, G, G), texture (B, 3, size, size) evenly lit, in [0, 1], and mask (B, G, G) in [0, 1].
    """
    edge = math.tan(FIELD_OF_VIEW / 2) / face.tangent
    shading = shade(face.normal, face.light).clamp(min=FLOOR)

    def to_camera(maps: Tensor, pixels: int) -> Tensor:
        axis = torch.linspace(-1, 1, pixels, device=maps.device)
        grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1) * edge[:, None, None, None]
        return F.grid_sample(maps, grid, padding_mode="border", align_corners=False)

    grid = face.depth.shape[-1]
    mask = face.alpha**3  # cut closer than a picture fades: a mesh has no soft edge
    colour, ratio = face.reduced("picture", 2 * size), shading.mean((2, 3), keepdim=True) / shading
    texture = _relit(to_camera(colour, size), to_camera(ratio, size))
    return to_camera(face.depth[:, None], grid)[:, 0], texture, to_camera(mask, grid)[:, 0]


def _relit(colour: Tensor, ratio: Tensor) -> Tensor:
    """colour × ratio, exactly `colour` where the ratio is 1; strong ratios and highlights are compressed."""
    room = BRIGHTEST - 1
    ratio = torch.where(ratio > 1, 1 + room * ((ratio - 1) / room).tanh(), ratio)
    lit, knee = colour * ratio, colour.clamp(KNEE, 0.999)
    above = 1 - knee
    beyond = ((lit - knee) / above).clamp_(min=0)
    return torch.minimum(lit, knee) - above * beyond.neg_().expm1_()


def _spread(ratio: Tensor, alpha: Tensor) -> Tensor:
    """A change of light carried on smoothly beyond the head, (B, 1, 32, 32), so that no lit frame stays around it."""
    ratio, alpha = (F.adaptive_avg_pool2d(maps, 32) for maps in (ratio * alpha, alpha))
    return (blur(ratio, 3) + 1e-3) / (blur(alpha, 3) + 1e-3)


def _photo_background(face: TexturedFace, view: View, ratio: Tensor, size: int) -> Tensor:
    """Surroundings (B, 3, size, size): the photo, out of focus once the view has left the photo's.

    ratio: (B, 1, 32, 32) by how much the light has changed.
    """
    turn = (view.rotation - face.view.rotation).norm(dim=-1).rad2deg()
    shift = (view.translation - face.view.translation).norm(dim=-1) / face.tangent * 50
    still = (-(((turn + shift) / STILL_DEGREES) ** 2)).exp()[:, None, None, None]
    blurred = upsample(_relit(face.blurred, ratio), size)
    if still.max() < 0.01:
        return blurred
    sharp = face.reduced("surroundings", size)
    if sharp.shape[-1] < size:
        sharp = F.interpolate(sharp, (size, size), mode="bicubic")
    return lerp(blurred, _relit(sharp, upsample(ratio, size)), still)


def canonical_coordinates(depth: Tensor, tangent: Tensor, view: View, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """What each pixel of a view shows.

    Returns:
        Canonical crop coordinates (B, S, S, 2), a soft mask (B, 1, S, S) of the surface, and (B, 1, S, S) 1 where the
        surface hides itself: at steps of its depth in the view.
    """
    seen, mask = rasterize_crop(transform(crop_points(depth, tangent), view), tangent, size)
    seen, mask, tangent = seen[:, None], mask[:, None].to(depth), tangent[:, None, None, None]
    # `inverse_transform` of the points that are seen, with a plane for each coordinate: that is several times as fast.
    rays = F.pad(crop_grid(depth, size) * tangent, (0, 1), value=1.0).movedim(-1, 1)
    eye = inverse_transform(depth.new_zeros(len(depth), 1, 3), view)[:, 0, :, None, None]
    turned = rotation_matrix(view.rotation).mT @ rays.flatten(2)
    points = (seen * turned.view_as(rays)).add_(eye)
    coordinates = (points[:, :2] / points[:, 2:]).div_(tangent).movedim(1, -1)
    # Nothing beyond the silhouette has a colour, so the soft edge lies within.
    soft = (2 / 9 * pool3x3(mask, torch.add) - 1).clamp(min=0)
    slope = (pool3x3(seen, torch.maximum) - pool3x3(seen, torch.minimum)) * size / (4 * tangent)
    return coordinates, soft, smoothstep(slope / 3 - 1)


def facing(normal: Tensor, view: View) -> Tensor:
    """Cosine (B, 1, G, G) between canonical surface and the axis of the view's camera."""
    return (normal @ rotation_matrix(view.rotation)[:, None, 2, :, None]).movedim(-1, 1)
