"""Paste an edited face back into the photo that it comes from, at the photo's resolution.

The render replaces the face where the edit changes it. Around it the photo itself follows: hair, neck and shoulders are
shifted and lit as the face's edge is, less and less towards the edge of a window around the face. Shift and light solve
Laplace's equation there, so that nothing breaks at the face's edge. Outside the window every pixel stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.faces.align import Crop, align
from core.geometry.camera import crop_grid, transform
from core.geometry.filters import blur, lerp, smoothstep
from core.rendering.compositor import canonical_coordinates, relight_color, relit_layer
from core.types import Light, TexturedFace, View

CELLS, MARGIN = 64, 28
"""Cells along the side of the crop, and cells of the window beyond each of its sides."""
WINDOW = 1 + 2 * MARGIN / CELLS
"""Side of the window as a multiple of the crop's."""
EDGE, LEAK = 0.06, 5e-4
"""Difference of colour that the change of light does not cross, and how much of it does all the same."""
STRIP = 128
"""Rows of the photo that are changed at a time."""
UNCHANGED, CHANGED = 0.012, 0.04
"""Difference of a render from the photo up to which the photo's own pixels stay, and from which the render is shown."""
SPREAD = 1 / 48
"""How far a change is extended before its edge is softened, as part of the crop's side."""


def paste(face: TexturedFace, photo: np.ndarray, crop: Crop, view: View, light: Light) -> np.ndarray:
    """Paste one face into its photo.

    Args:
        face: one face, edited or not, made of the photo.
        photo: (H, W, 3) uint8 RGB.
        crop: of the face in the photo (core.faces.Face.crop).
        view: one view; a moderate turn from `face.view`.
        light: one light.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    turned, relit = view != face.view, light != face.light
    layer = _face_layer(face, view, light, min(math.ceil(crop.side), face.background.shape[-1]), turned)
    around = _surroundings(face, photo, crop, view, light) if turned or relit else None
    out = photo.copy()
    left, right, top, bottom = _extent(crop, crop.side if around is None else crop.side * WINDOW, photo.shape)
    for start in range(top, bottom, STRIP):
        rows = slice(start, min(start + STRIP, bottom))
        out[rows, left:right] = _strip(photo, rows, slice(left, right), crop, layer, around)
    return out


def _extent(crop: Crop, side: float, shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """First column, end of the columns, first row and end of the rows of a turned square of this side in the photo."""
    reach = side / 2 * (abs(math.cos(crop.roll)) + abs(math.sin(crop.roll)))
    spans = [(max(0, math.floor(centre - reach)), min(limit, math.ceil(centre + reach) + 1))
             for centre, limit in zip(crop.centre, shape[1::-1], strict=True)]
    return *spans[0], *spans[1]


def _face_layer(face: TexturedFace, view: View, light: Light, size: int, turned: bool) -> Tensor:
    """Colours and weight (1, 4, size, size) of the render, a crop."""
    color, alpha, _ = relit_layer(face, view, light, size)
    weight = _core_in_view(face, view, size)[0] if turned else alpha * _changed(face, size)
    return torch.cat([color, weight], 1).cpu()


def _changed(face: TexturedFace, size: int) -> Tensor:
    """(1, 1, size, size) 1 where a face in its own pose and light differs from the photo, softened."""
    grid = min(face.depth.shape[-1], face.background.shape[-1])
    color, alpha, _ = relit_layer(face, face.view, face.light, grid)
    difference = (color - face.reduced("background", grid)).abs().amax(1, keepdim=True)
    changed = smoothstep((difference - UNCHANGED) / (CHANGED - UNCHANGED))
    reach = round(SPREAD * grid)
    changed = blur(F.max_pool2d(changed, 4 * reach + 1, 1, 2 * reach), reach)
    return F.interpolate(changed * smoothstep(2 * alpha - 1), (size, size), mode="bicubic").clamp(0, 1)


def _core_in_view(face: TexturedFace, view: View, size: int) -> tuple[Tensor, Tensor]:
    """Where a view shows the face itself, without ears, hair and neck, (1, 1, size, size), and the canonical points."""
    coordinates, mask, _ = canonical_coordinates(face.depth, face.tangent, view, size)
    core = F.grid_sample(face.alpha * (1 - face.periphery), coordinates, align_corners=False) * mask
    return core, coordinates


def _surroundings(face: TexturedFace, photo: np.ndarray, crop: Crop, view: View, light: Light) -> Tensor:
    """(1, 3, n, n) over the window: the shift from each point to where the photo shows it, crop coordinates, and the
    logarithm of the change of light."""
    core, coordinates = _core_in_view(face, view, CELLS)
    depth = F.grid_sample(face.depth[:, None], coordinates, align_corners=False)
    tangent = face.tangent[:, None, None, None]
    points = torch.cat([coordinates * tangent, torch.ones_like(coordinates[..., :1])], -1) * depth.movedim(1, -1)
    seen = transform(points, face.view)
    shift = (seen[..., :2] / seen[..., 2:] / tangent - crop_grid(depth, CELLS)).movedim(-1, 1)
    ratio = relit_layer(face, view, light, CELLS)[2]
    shift, ratio = (F.pad(maps, (MARGIN,) * 4) for maps in (shift, ratio.log()))
    known = F.pad(core > 0.5, (MARGIN,) * 4)[0, 0].cpu().numpy()
    inside = _inside_photo(len(known), photo.shape, crop)
    shift = membrane(shift, known, inside)
    window = align(photo, replace(crop, side=crop.side * WINDOW), len(known))[None].to(shift)
    window = F.grid_sample(window, crop_grid(shift, len(known)) + shift.movedim(1, -1) / WINDOW, align_corners=False)
    return torch.cat([shift, membrane(ratio, known, inside, window)], 1).cpu()


def _inside_photo(cells: int, shape: tuple[int, ...], crop: Crop) -> np.ndarray:
    """(cells, cells) whether the photo holds each cell of the window."""
    axis = ((np.arange(cells) + 0.5) / cells * 2 - 1) * WINDOW
    x, y = crop.to_photo(np.stack(np.meshgrid(axis, axis), -1) + 0.5, 2).transpose(2, 0, 1)
    return (x >= 0) & (y >= 0) & (x <= shape[1] - 1) & (y <= shape[0] - 1)


def membrane(fields: Tensor, known: np.ndarray, inside: np.ndarray, image: Tensor | None = None) -> Tensor:
    """Continue fields smoothly from where they are known, down to 0 at the edge.

    Args:
        fields: (1, C, n, n).
        known: (n, n) where the fields keep their values.
        inside: (n, n) where they may be other than 0; never at the outermost cells.
        image: (1, 3, n, n) whose edges the fields hardly cross; None: they are smooth everywhere.

    Returns:
        (1, C, n, n): solutions of Laplace's equation.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import splu

    inside = inside.copy()
    inside[[0, -1]] = inside[:, [0, -1]] = False
    free = inside & ~known
    values = np.where(known & inside, fields[0].cpu().numpy(), 0).astype(float)
    colors = np.zeros((1, *free.shape)) if image is None else image[0].cpu().numpy()
    at, count = np.nonzero(free), int(free.sum())
    number = np.cumsum(free).reshape(free.shape) - 1
    right, diagonal, entries = np.zeros((len(values), count)), np.zeros(count), []
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        beside = (at[0] + step[0], at[1] + step[1])
        difference = ((colors[:, *at] - colors[:, *beside]) ** 2).sum(0)
        link = LEAK + np.exp(-difference / EDGE**2)
        right += link * values[:, *beside]
        diagonal += link
        entries.append((-link[free[beside]], number[at][free[beside]], number[beside][free[beside]]))
    entries.append((diagonal, np.arange(count), np.arange(count)))
    numbers, rows, columns = map(np.concatenate, zip(*entries, strict=True))
    values[:, free] = splu(coo_array((numbers, (rows, columns)), shape=(count, count)).tocsc()).solve(right.T).T
    return torch.from_numpy(values)[None].to(fields)


def _strip(photo: np.ndarray, rows: slice, columns: slice, crop: Crop, layer: Tensor,
           around: Tensor | None) -> np.ndarray:
    """Rows and columns of the result, uint8 (h, w, 3)."""
    image = _pixels(photo, rows, columns)
    y, x = torch.meshgrid(*(torch.arange(part.start, part.stop) for part in (rows, columns)), indexing="ij")
    cosine, sine = (2 / crop.side * turn(crop.roll) for turn in (math.cos, math.sin))
    x, y = x - crop.centre[0], y - crop.centre[1]
    at = torch.stack([cosine * x + sine * y, cosine * y - sine * x], -1)[None]
    if around is not None:
        shift_x, shift_y, light = F.grid_sample(around, at / WINDOW, align_corners=False)[0]
        cosine, sine = (crop.side / 2 * turn(crop.roll) for turn in (math.cos, math.sin))
        source = torch.stack([cosine * shift_x - sine * shift_y + x, cosine * shift_y + sine * shift_x + y], -1)
        moved = relight_color(_read(photo, source + source.new_tensor(crop.centre)), light.exp()[None, None])
        image = torch.where((shift_x == 0) & (shift_y == 0) & (light == 0), image, moved)
    color, weight = F.grid_sample(layer, at, mode="bicubic", align_corners=False).split((3, 1), 1)
    image = lerp(image, color, weight.clamp(0, 1))
    return (image[0].movedim(0, -1).clamp(0, 1) * 255).round().to(torch.uint8).numpy()


def _read(photo: np.ndarray, places: Tensor) -> Tensor:
    """The photo (1, 3, h, w) at pixels (h, w, 2); its border is repeated."""
    limits = photo.shape[1::-1]
    low = [max(0, math.floor(least) - 2) for least in places.amin((0, 1)).tolist()]
    high = [min(limit, math.ceil(most) + 3) for limit, most in zip(limits, places.amax((0, 1)).tolist(), strict=True)]
    block = _pixels(photo, slice(low[1], high[1]), slice(low[0], high[0]))
    span = places.new_tensor([high[0] - low[0] - 1, high[1] - low[1] - 1])
    grid = (places - places.new_tensor(low)) / span * 2 - 1
    return F.grid_sample(block, grid[None], mode="bicubic", padding_mode="border", align_corners=True)


def _pixels(photo: np.ndarray, rows: slice, columns: slice) -> Tensor:
    """A part of the photo as (1, 3, h, w), [0, 1]."""
    return torch.from_numpy(photo[rows, columns].astype(np.float32) / 255).movedim(-1, 0)[None]
