"""A head's textures in the rig's coordinates: the photo where it shows the face, the skin's mean tone behind.

The canonical texture (core.rendering.texture_transfer) already holds the photo where it is seen and the model's fill
elsewhere. Each texel of the rig's face reads it at the place where the fitted head has that texel. Where the head turns
away, where the crop ends and where hair covers the skin, the smooth tone of the skin nearby takes over, which becomes
one mean tone towards the texture's rim: there the back of the head begins.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import binary_fill_holes, distance_transform_edt
from torch import Tensor

from core.export.visualize import to_uint8
from core.geometry.filters import blur, lerp, smoothstep
from core.head.fit import Front, vertex_normals, visible
from core.head.rig import load_rig
from core.rendering.compositor import evenly_lit
from core.types import TexturedFace

SIZE, EYE_SIZE = 1024, 256
"""Sides of the skin's texture and of the eyes', pixels."""
GRID, SMALL = 512, 128
"""Sides of the maps that say where texels lie, and of those that smooth tones are computed in, pixels."""
RIM = 0.06
"""Width over which the skin becomes its mean tone towards the texture's rim, part of its side."""
TURNED, FACING = 0.15, 0.5
"""Cosines between surface and line of sight between which the photo's color fades in."""
INNER_CENTRE, INNER_RADII = (0.0, 0.6), (5.0, 7.2)
"""Ellipse of the rig, cm, within which the photo always counts: brows, eyes, nose, mouth."""
OTHER, ALIEN = 0.2, 0.5
"""Difference from the skin's tone, logarithm of a color channel, from which it is hair or background, and is so."""
PUPIL, IRIS, LIMBUS = 0.05, 0.115, 0.012
"""Radii of pupil and iris in the eyes' texture coordinates about (.5, .5), and the softness of their edges."""
SCLERA, PUPIL_COLOR, BROWN = (0.86, 0.845, 0.83), (0.05, 0.045, 0.045), (0.28, 0.18, 0.12)
IRIS_LANDMARKS = 468, 478
"""First of ten: the centre and four points of the rim of each iris."""


@dataclass(frozen=True, eq=False)
class Textures:
    """What colors a head."""

    skin: Image.Image
    """RGB; its texel at `plain_uv` has the mean tone."""
    eyes: Image.Image
    """RGB, the same for both eyes."""
    tone: tuple[float, float, float]
    """Mean tone of the skin, sRGB in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Texels:
    """Where the texels of the skin lie on the rig."""

    corners: np.ndarray
    """(N, 3) vertices around each covered texel."""
    weights: np.ndarray
    """(N, 3) barycentric weights."""
    covered: np.ndarray
    """(G, G) bool."""
    nearest: np.ndarray
    """(G, G) number of the nearest covered texel: the texture continues beyond its rim."""
    interior: Tensor
    """(1, 1, G, G) 0 at the rim, 1 from `RIM` away from it."""

    def read(self, values: np.ndarray) -> Tensor:
        """Values (V, C) of the vertices at every texel, (1, C, G, G)."""
        found = sum(self.weights[:, k, None] * values[self.corners[:, k]] for k in range(3))
        return torch.from_numpy(np.asarray(found, np.float32)[self.nearest]).movedim(-1, 0)[None]


@functools.cache
def load_texels() -> Texels:
    """Texels of the bundled rig; made once."""
    rig = load_rig()
    face = rig.of("Face")
    pixels = (rig.corner_uvs[face] * [GRID, -GRID] + [-0.5, GRID - 0.5]).astype(np.float32)  # (T, 3, 2)
    flat = np.concatenate([pixels.reshape(-1, 2), np.ones((pixels.size // 2, 1), np.float32)], 1)
    ids = visible(flat, np.arange(len(flat), dtype=np.int32).reshape(-1, 3), GRID, both_sides=True)
    rows, columns = np.nonzero(ids >= 0)
    number = ids[rows, columns]
    a, b, c = pixels[number].transpose(1, 0, 2)
    at, u, v = np.stack([columns, rows], 1) - a, b - a, c - a
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    second = (at[:, 0] * v[:, 1] - at[:, 1] * v[:, 0]) / area
    third = (u[:, 0] * at[:, 1] - u[:, 1] * at[:, 0]) / area
    weights = np.stack([1 - second - third, second, third], 1).astype(np.float32)
    covered, order = ids >= 0, np.zeros(ids.shape, np.int64)
    order[rows, columns] = np.arange(len(rows))
    away, (near_rows, near_columns) = distance_transform_edt(~covered, return_indices=True)  # type: ignore[misc]
    inside = distance_transform_edt(np.pad(binary_fill_holes(covered), 1))[1:-1, 1:-1]  # type: ignore[index]
    interior = smoothstep(torch.from_numpy(inside / (RIM * GRID)).float() - 0.1)[None, None]
    return Texels(rig.triangles[face][number], weights, covered, order[near_rows, near_columns], interior)


@functools.cache
def plain_uv() -> tuple[float, float]:
    """Texture coordinates of the texel that is farthest from the face: it has the mean tone, for the back."""
    away = distance_transform_edt(~np.pad(load_texels().covered, 1, constant_values=True))[1:-1, 1:-1]  # type: ignore
    row, column = np.unravel_index(np.argmax(away), away.shape)
    return (column + 0.5) / GRID, 1 - (row + 0.5) / GRID


def bake(face: TexturedFace, front: Front, points: np.ndarray) -> Textures:
    """Textures of one face.

    Args:
        face: one face; its texture, evenly lit, is read.
        front: of core.head.fit.
        points: (V, 3) of the head with the photo's expression, canonical camera frame.
    """
    texels = load_texels()
    places = points[:, :2] / points[:, 2:] / float(face.tangent[0])
    maps = texels.read(np.concatenate([places, _shown(front, points)], 1)).to(face.texture)
    at, shown = maps[:, :2].movedim(1, -1), maps[:, 2:]
    weight = shown * F.grid_sample(face.alpha[:1] * (1 - face.periphery[:1]), at, align_corners=False)
    photo = evenly_lit(face[:1], _full(maps[:, :2]).movedim(1, -1), SIZE)
    skin, tone = _blend(photo, weight, texels)
    return Textures(Image.fromarray(to_uint8(skin[0])), Image.fromarray(to_uint8(_eyes(face, tone))),
                    (float(tone[0]), float(tone[1]), float(tone[2])))


def _full(maps: Tensor) -> Tensor:
    """Maps (1, C, h, h) of texels at the texture's size."""
    return F.interpolate(maps, (SIZE, SIZE), mode="bilinear")


def _small(maps: Tensor) -> Tensor:
    """Maps (1, C, h, h) of texels at `SMALL` pixels."""
    return F.interpolate(maps, (SMALL, SMALL), mode="area")


def _shown(front: Front, points: np.ndarray) -> np.ndarray:
    """(V, 1) how well the canonical view shows each vertex."""
    cosine = vertex_normals(points * np.array([1, -1, -1], np.float32), front.rig.triangles)[:, 2]
    shown = ((cosine - TURNED) / (FACING - TURNED)).clip(0, 1) * (front.weight > 0)
    return shown[:, None].astype(np.float32)


@functools.cache
def _inner() -> Tensor:
    """(1, 1, h, h) of `SMALL` pixels: 1 on brows, eyes, nose and mouth, fading to 0 around them."""
    radius = np.linalg.norm((load_rig().neutral.reshape(-1, 3)[:, :2] - INNER_CENTRE) / INNER_RADII, axis=1)
    return _small(smoothstep(load_texels().read((1.25 - radius)[:, None] / 0.25)))


def _blend(photo: Tensor, weight: Tensor, texels: Texels) -> tuple[Tensor, Tensor]:
    """The skin's texture (1, 3, S, S), and its mean tone (3,).

    Args:
        photo: (1, 3, S, S).
        weight: (1, 1, G, G) how well it shows each texel.
        texels: of the rig.
    """
    shown, inner = _small(weight), _inner()
    color = _small(photo)
    core = (shown * inner)[0, 0]
    # Brows, lips and nostrils are darker than the skin.
    tone = color[0][:, core > 0.9 * core.max()].quantile(0.6, 1)
    difference = ((color + 0.02).log() - (tone[:, None, None] + 0.02).log()).abs().amax(1, keepdim=True)
    alien = smoothstep((blur(difference, 1) - OTHER) / (ALIEN - OTHER))
    near = _nearby_tone(color, shown * (1 - alien), tone, texels)
    # Where hair or background lies on the skin around the face, and towards the edge of what the photo shows.
    share = _full(blur(shown * (1 - alien * (1 - inner)), 1)) * _full(weight).sqrt()
    return lerp(_full(near), photo, share), tone


def _nearby_tone(color: Tensor, known: Tensor, tone: Tensor, texels: Texels) -> Tensor:
    """Smooth tone (1, 3, h, h) of the skin around each texel, the mean tone at the rim; maps of `SMALL` pixels."""
    plain = tone[:, None, None]
    near = plain.expand_as(color)
    for reach in (SMALL / 5, SMALL / 12, SMALL / 32):  # from far to near: near colors count where there are any
        amount = blur(known, reach)
        near = lerp(near, blur(color * known, reach) / amount.clamp(min=1e-4), smoothstep(amount / 0.3))
    return lerp(plain, near, _small(texels.interior))


@functools.cache
@torch.inference_mode(False)
def _discs() -> Tensor:
    """(3, 1, E, E) how much of an eye's texels limbus, iris and pupil cover."""
    axis = (torch.arange(EYE_SIZE) + 0.5) / EYE_SIZE - 0.5
    radius = (axis[:, None] ** 2 + axis**2).sqrt()
    return torch.stack([smoothstep((outer - radius) / LIMBUS + 0.5)[None] for outer in (IRIS, IRIS - LIMBUS, PUPIL)])


def _eyes(face: TexturedFace, tone: Tensor) -> Tensor:
    """(3, E, E) texture of an eye: sclera, iris in the photo's color, pupil."""
    light = (tone.mean() / 0.6).clamp(0.6, 1).cpu()
    iris = _iris_color(face)
    result = (torch.tensor(SCLERA) * light)[:, None, None]
    for covered, color in zip(_discs(), (iris * 0.6, iris, torch.tensor(PUPIL_COLOR)), strict=True):
        result = lerp(result, color[:, None, None], covered)
    return result


def _iris_color(face: TexturedFace) -> Tensor:
    """(3,) median between the centre and the rim of both irises; brown where the photo tells no landmarks."""
    if face.landmarks is None:
        return torch.tensor(BROWN)
    eyes = face.landmarks[0, slice(*IRIS_LANDMARKS)].view(2, 5, 2)
    places = (eyes[:, :1] + 0.6 * (eyes[:, 1:] - eyes[:, :1])).flatten(0, 1)
    return evenly_lit(face[:1], places[None, None].to(face.texture), SIZE)[0, :, 0].median(1).values.cpu()
