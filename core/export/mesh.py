"""A canonical face as a textured triangle mesh, and its export as GLB.

Convention: a mesh is in glTF's axes and unit: x right, y up, z towards the viewer, metres, life size. The
origin is the face's pivot, from which the image's edges are `HALF_WIDTH` away. Counter-clockwise triangles face
outwards.
"""

from __future__ import annotations

import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.arguments import check_choice
from core.export.contour import along, clip_triangles
from core.export.gltf import MorphMesh, Part, glb_bytes
from core.export.provenance import SYNTHETIC, png_bytes
from core.export.visualize import to_uint8
from core.files import write_bytes, writing
from core.geometry.camera import FIELD_OF_VIEW, PIVOT, backproject, depth_to_normal
from core.geometry.filters import blur, spline_matrix

if TYPE_CHECKING:
    import trimesh

GRID = 256
"""Upper bound of the mesh's grid; a 64-pixel depth map is subdivided to 253 × 253 vertices."""
HALF_WIDTH = 0.085
"""Half the width of the image at the pivot's distance, metres: the mean head's eyes are then 63 mm apart."""
RIM = 2
"""Outer pixels of a depth map, which hold the border depth and belong to no face."""
STEEPEST = math.cos(math.radians(80))
"""Smallest cosine between normal and line of sight; below it the surface is a step between two depths."""
CUT = 0.3
"""Value of the smoothed mask at which the surface ends."""
SOFTNESS = 0.3
"""Change of the mask over which the texture turns transparent; half of it lies outside the visible edge."""
MARGIN = 4
"""Cells by which the search for the whole piece extends beyond the mask."""
SMOOTHING = 1.5
"""Blur of the piece's outline, cells."""


@dataclass
class Mesh:
    """A textured triangle mesh, see the module for its axes."""

    vertices: np.ndarray
    """(V, 3) float32."""
    faces: np.ndarray
    """(F, 3) int64 indices of vertices."""
    normals: np.ndarray
    """(V, 3) float32, unit length, outwards."""
    uv: np.ndarray
    """(V, 2) float32, [0, 1], origin at the texture's lower left corner (its first row is v near 1)."""
    rim: np.ndarray
    """(F,) bool: triangles that the texture makes transparent."""
    texture: Image.Image
    """RGBA, transparent outside the mask."""

    def write(self, path: str | Path, overwrite: bool = False) -> None:
        """Save as GLB 2.0 (.glb), or as a ZIP of OBJ, MTL and images (.zip).

        Args:
            path, overwrite: as for `core.files.writing`, which also names the errors.

        Raises:
            ArgumentInvalid: another ending.
        """
        writers = {".glb": write_glb, ".zip": write_obj}
        writers[check_choice("the file's ending", Path(path).suffix.lower(), writers)](self, path, overwrite)


def face_mesh(canon_depth: Tensor, texture: Tensor, mask: Tensor | None = None) -> Mesh:
    """Build the mesh of a canonical face (paper section 3.1: the depth map as a grid of vertices).

    The depth is subdivided smoothly. Of what lies inside the mask the largest piece is kept that no step in depth
    divides. It ends along a smooth contour, towards which the texture turns transparent.

    Convention: depth, texture and mask are images of the canonical camera, the centres of their outer pixels
    on the edge of the field of view, whatever their sizes.

    Args:
        canon_depth: (H, H), camera-distance units.
        texture: (3, S, S) RGB, [0, 1]: albedo or canonical image.
        mask: (h, w) bool, or [0, 1], true where the face is; by default everything but the rim.

    Returns:
        The mesh.

    Raises:
        ValueError: the shapes do not fit, or the mask leaves no triangle.
    """
    size = canon_depth.shape[-1]
    if canon_depth.shape != (size, size) or texture.dim() != 3 or texture.shape[0] != 3:
        shapes = f"{tuple(canon_depth.shape)} and {tuple(texture.shape)}"
        raise ValueError(f"need a depth map (H, H) and a texture (3, S, S), got {shapes}")
    canon_depth, texture = canon_depth.detach().float().cpu(), texture.detach().float().cpu()
    if mask is None:
        mask = F.pad(torch.ones(size - 2 * RIM, size - 2 * RIM), (RIM,) * 4)

    count = (size - 1) * max(1, GRID // size) + 1
    depth = _resize(canon_depth, count)
    normals = depth_to_normal(depth[None])[0]
    field = _resize(blur(mask.detach().float().cpu(), 1), count)
    inside = F.max_pool2d(field[None], 2 * MARGIN + 1, 1, MARGIN)[0] > CUT
    cells = _whole_piece(_cells(inside), steep=~_cells(normals[..., 2] > STEEPEST))
    if not cells.any():
        raise ValueError("the mask leaves no triangle")

    field = torch.minimum(field, _covered(cells))
    faces, edges, part = clip_triangles(_triangles(np.ones_like(cells)), field.flatten().numpy(), CUT)
    scale = HALF_WIDTH / math.tan(FIELD_OF_VIEW / 2)
    # Model normals point away from the camera: turned outwards (-x, -y, -z), then to glTF's axes.
    vertices, normals = ((backproject(depth[None])[0] - torch.tensor(PIVOT)) * torch.tensor([scale, -scale, -scale]),
                         normals * torch.tensor([-1.0, 1.0, 1.0]))
    vertices, normals, solid, uv = (along(values.reshape(count * count, -1), edges, part) for values in (
        vertices.numpy(), normals.numpy(), field.numpy(), _texture_coordinates(count, texture.shape[-1])))
    used = np.zeros(len(vertices), bool)
    used[faces] = True
    return Mesh(
        vertices=vertices[used],
        faces=(used.cumsum() - 1)[faces],
        normals=normals[used] / np.linalg.norm(normals[used], axis=1, keepdims=True),
        uv=uv[used],
        rim=solid[faces, 0].min(1) < CUT + SOFTNESS,
        texture=_with_edge(texture, field),
    )


def write_glb(mesh: Mesh, path: str | Path, overwrite: bool = False) -> None:
    """Write a mesh as GLB 2.0 with normals and an embedded PNG texture, marked as synthetic in its metadata.

    Its rim is a primitive of its own: programs draw transparent surfaces last and without depth.

    Args:
        mesh: the mesh.
        path, overwrite: as for `core.files.writing`, which also names the errors.
    """
    parts = [Part(name, mesh.faces[chosen], mesh.texture, fades=fades, both_sides=True)
             for name, chosen, fades in (("face", ~mesh.rim, False), ("rim", mesh.rim, True)) if chosen.any()]
    content = glb_bytes(MorphMesh(mesh.vertices, mesh.normals, mesh.uv, parts, {}, {}), "face")
    write_bytes(path, content, overwrite)


def write_obj(mesh: Mesh, path: str | Path, overwrite: bool = False) -> None:
    """Write a mesh as a ZIP of OBJ, MTL and two PNG images, all marked as synthetic.

    Opacity is an image of its own: programs disagree on which channel of `map_d` counts.

    Args:
        mesh: the mesh.
        path, overwrite: as for `core.files.writing`, which also names the errors.
    """
    from trimesh.exchange.obj import export_obj

    text, parts = export_obj(_textured(mesh), include_normals=True, include_texture=True, return_texture=True,
                             mtl_name="face.mtl", header=None)  # pyright: ignore[reportArgumentType]
    note = f"# LatentFace (synthetic): {SYNTHETIC['note']}\n"
    material = note + parts.pop("face.mtl").decode()
    (name, _), = parts.items()
    material = material.replace(f"map_Kd {name}", "map_Kd face.png\nmap_d opacity.png")
    material = re.sub(r"^Ks .*$", "Ks 0 0 0\nillum 1", material, flags=re.MULTILINE)  # matt
    with writing(path, overwrite) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("face.obj", note + text)
        archive.writestr("face.mtl", material)
        archive.writestr("face.png", png_bytes(mesh.texture.convert("RGB"), "texture of the face"))
        archive.writestr("opacity.png", png_bytes(mesh.texture.getchannel("A"), "opacity of the face"))


def _textured(mesh: Mesh) -> trimesh.Trimesh:
    """As a trimesh.Trimesh."""
    import trimesh
    from trimesh.visual import TextureVisuals
    from trimesh.visual.material import PBRMaterial

    material = PBRMaterial(
        name="skin", baseColorTexture=mesh.texture, baseColorFactor=(255, 255, 255, 255), metallicFactor=0.0,
        roughnessFactor=1.0, doubleSided=True
    )
    return trimesh.Trimesh(
        vertices=mesh.vertices, faces=mesh.faces, vertex_normals=mesh.normals,
        visual=TextureVisuals(uv=mesh.uv, material=material), metadata=SYNTHETIC, process=False,
    )


def _covered(cells: np.ndarray) -> Tensor:
    """Cells (n - 1, n - 1) of the piece as a smooth map (n, n) of the vertices: 1 inside, 0 outside."""
    corners = F.pad(torch.from_numpy(cells).float()[None], (1, 1, 1, 1), mode="replicate")
    return blur(F.avg_pool2d(corners, 2, 1)[0], SMOOTHING)


def _with_edge(texture: Tensor, field: Tensor) -> Image.Image:
    """Texture (3, S, S) that turns transparent where the smoothed mask (n, n) ends."""
    alpha = (_resize(field, texture.shape[-1])[None] - CUT) / SOFTNESS
    return Image.fromarray(to_uint8(torch.cat([texture, alpha])))


def _resize(image: Tensor, size: int) -> Tensor:
    """(h, w) to (size, size), corner pixels on corner pixels, by the interpolating cubic spline.

    Its second derivative is continuous, so normals are smooth; torch's bicubic kernel leaves a visible grid.
    """
    rows, columns = (spline_matrix(length, size) for length in image.shape)
    return rows @ image @ columns.mT


def _cells(corners: Tensor) -> np.ndarray:
    """(n, n) booleans of vertices to (n - 1, n - 1) of cells: true where all four corners are."""
    return (corners[1:, 1:] & corners[1:, :-1] & corners[:-1, 1:] & corners[:-1, :-1]).numpy()


def _whole_piece(inside: np.ndarray, steep: np.ndarray) -> np.ndarray:
    """The largest connected piece inside that is not steep, its holes (eyelids, nostrils, lips) filled."""
    from scipy.ndimage import binary_fill_holes, label

    labels, _ = cast(tuple[np.ndarray, int], label(inside & ~steep))
    sizes = np.bincount(labels.ravel(), minlength=2)[1:]
    piece = labels == 1 + sizes.argmax()
    return binary_fill_holes(piece) & inside


def _triangles(cells: np.ndarray) -> np.ndarray:
    """(F, 3) indices into the row-major vertex grid: two triangles for each true cell of (n - 1, n - 1)."""
    rows, columns = np.nonzero(cells)
    count = cells.shape[0] + 1
    upper_left = rows * count + columns
    upper_right, lower_left, lower_right = upper_left + 1, upper_left + count, upper_left + count + 1
    first = np.stack([upper_left, lower_left, upper_right], -1)
    second = np.stack([upper_right, lower_left, lower_right], -1)
    return np.concatenate([first, second])


def _texture_coordinates(count: int, texture_size: int) -> np.ndarray:
    """(n, n, 2) texture coordinates of the vertex grid.

    Vertex i lies on the centre of texel i·(S - 1)/(n - 1), while texture coordinates count from the texture's
    edge, half a texel before the first centre.
    """
    across = (np.linspace(0, texture_size - 1, count, dtype=np.float32) + 0.5) / texture_size
    return np.stack(np.meshgrid(across, 1 - across), -1)
