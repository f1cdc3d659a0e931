"""A mesh that moves, as GLB 2.0: one mesh of several materials, with named morph targets, and the same as OBJ.

Convention: glTF's axes and unit, as in core.export.mesh. Vertices that a morph target moves by less than `LEAST` are
left out of it: its accessors are sparse. Colors are not lit (`KHR_materials_unlit`), since the photo's light is in
them; the variant "lit" (`KHR_materials_variants`) is matt and lit by the viewer.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.export.provenance import SYNTHETIC
from core.files import write_bytes, writing

LEAST = 5e-5
"""Smallest displacement that is written, metres."""
FLOAT, SHORT, INTEGER = 5126, 5123, 5125
ARRAY, ELEMENTS = 34962, 34963
JPEG_QUALITY = 92


@dataclass(frozen=True, eq=False)
class Part:
    """Triangles of one material."""

    name: str
    triangles: np.ndarray
    """(F, 3) indices of the mesh's vertices."""
    texture: Image.Image | None = None
    """RGB, or RGBA where the part fades; None: `color` alone."""
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """sRGB, [0, 1]."""
    fades: bool = False
    """Whether the texture makes it transparent."""
    both_sides: bool = False
    """Whether it is seen from inside too."""


@dataclass(frozen=True, eq=False)
class MorphMesh:
    """A mesh of V vertices; with morph targets at most 65,535."""

    vertices: np.ndarray
    """(V, 3) float32, metres."""
    normals: np.ndarray
    """(V, 3) float32, unit length, outwards."""
    uv: np.ndarray
    """(V, 2) float32, [0, 1], origin at the texture's lower left corner."""
    parts: Sequence[Part]
    morphs: Mapping[str, np.ndarray]
    """(V, 3) displacement by each morph target at weight 1, metres, by its name."""
    weights: Mapping[str, float]
    """Initial weights, [0, 1]."""


@dataclass(frozen=True, eq=False)
class Animation:
    """A mesh over time; T frames."""

    times: np.ndarray
    """(T,) seconds, ascending."""
    weights: np.ndarray
    """(T, M) weights of the morph targets, in their order."""
    rotations: np.ndarray
    """(T, 4) unit quaternions x, y, z, w: the mesh turns about its origin."""


class _Buffer:
    """Binary part of a GLB, with its views and accessors."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []

    def view(self, content: bytes, target: int | None = None) -> int:
        self.content += bytes(-len(self.content) % 4)
        place = {"buffer": 0, "byteOffset": len(self.content), "byteLength": len(content)}
        self.views.append(place | ({"target": target} if target else {}))
        self.content += content
        return len(self.views) - 1

    def accessor(self, kind: str, count: int, fields: dict[str, Any]) -> int:
        self.accessors.append({"componentType": FLOAT, "count": count, "type": kind} | fields)
        return len(self.accessors) - 1

    def array(self, values: np.ndarray, bounds: bool = False) -> int:
        view = self.view(np.ascontiguousarray(values, "<f4").tobytes(), ARRAY)
        limits = _bounds(values) if bounds else {}
        return self.accessor(f"VEC{values.shape[1]}", len(values), {"bufferView": view} | limits)

    def indices(self, triangles: np.ndarray) -> int:
        kind, component = ("<u2", SHORT) if triangles.max() < 65535 else ("<u4", INTEGER)
        view = self.view(triangles.astype(kind).tobytes(), ELEMENTS)
        return self.accessor("SCALAR", triangles.size, {"componentType": component, "bufferView": view})

    def image(self, image: Image.Image) -> dict[str, Any]:
        if image.mode != "RGBA":
            return {"bufferView": self.view(jpeg_bytes(image)), "mimeType": "image/jpeg"}
        file = io.BytesIO()
        # Five times as fast as Pillow's own choice, and hardly larger.
        image.save(file, "PNG", compress_level=1, compress_type=Image.RLE)
        return {"bufferView": self.view(file.getvalue()), "mimeType": "image/png"}

    def sparse(self, values: np.ndarray) -> int:
        place = np.flatnonzero((values**2).sum(1) >= LEAST**2)
        moved = values[place]
        # The bounds are those of the whole accessor: vertices that are left out stay at 0.
        limits = _bounds(moved if len(moved) == len(values) else np.concatenate([moved, np.zeros((1, 3))]))
        if not len(moved):
            return self.accessor("VEC3", len(values), limits)
        entries = {"count": len(moved),
                   "indices": {"bufferView": self.view(place.astype("<u2").tobytes()), "componentType": SHORT},
                   "values": {"bufferView": self.view(moved.astype("<f4").tobytes())}}
        return self.accessor("VEC3", len(values), limits | {"sparse": entries})


    def track(self, values: np.ndarray, bounds: bool = False) -> int:
        view = self.view(np.ascontiguousarray(values, "<f4").tobytes())
        limits = _bounds(values.reshape(-1, 1)) if bounds else {}
        kind = "VEC4" if values.ndim == 2 else "SCALAR"
        return self.accessor(kind, len(values), {"bufferView": view} | limits)


def _bounds(values: np.ndarray) -> dict[str, list[float]]:
    values = values.astype(np.float32)
    return {"min": values.min(0).tolist(), "max": values.max(0).tolist()}


def glb_bytes(mesh: MorphMesh, name: str = "head", animation: Animation | None = None) -> bytes:
    """A mesh, which may move, as GLB 2.0, marked as synthetic in its metadata."""
    buffer = _Buffer()
    attributes = {"POSITION": buffer.array(mesh.vertices, bounds=True), "NORMAL": buffer.array(mesh.normals),
                  "TEXCOORD_0": buffer.array(mesh.uv * [1, -1] + [0, 1])}
    targets = [{"POSITION": buffer.sparse(moves)} for moves in mesh.morphs.values()]
    textures = {id(part.texture): part.texture for part in mesh.parts if part.texture}
    images = [buffer.image(texture) for texture in textures.values()]
    materials, primitives = [], []
    for part in mesh.parts:
        color: dict[str, Any] = {"baseColorFactor": [*_linear(part.color), 1.0]}
        if part.texture:
            color["baseColorTexture"] = {"index": [*textures].index(id(part.texture))}
        first = len(materials)
        matt = {"pbrMetallicRoughness": color | {"metallicFactor": 0.0, "roughnessFactor": 1.0}} | (
            {"alphaMode": "BLEND"} if part.fades else {}) | ({"doubleSided": True} if part.both_sides else {})
        materials += [{"name": part.name, **matt, "extensions": {"KHR_materials_unlit": {}}},
                      {"name": f"{part.name}, lit", **matt}]
        variants = [{"material": first + k, "variants": [k]} for k in range(2)]
        primitives.append({"attributes": attributes, "indices": buffer.indices(part.triangles), "material": first,
                           "extensions": {"KHR_materials_variants": {"mappings": variants}}}
                          | ({"targets": targets} if targets else {}))
    weights = [float(mesh.weights.get(morph, 0)) for morph in mesh.morphs]
    return _pack(buffer, _animated(buffer, animation) | {
        "asset": {"version": "2.0", "generator": "LatentFace (synthetic)", "extras": SYNTHETIC},
        "extensionsUsed": ["KHR_materials_unlit", "KHR_materials_variants"],
        "extensions": {"KHR_materials_variants": {"variants": [{"name": "unlit"}, {"name": "lit"}]}},
        "scene": 0, "scenes": [{"nodes": [0]}], "nodes": [{"mesh": 0, "name": name}],
        "meshes": [{"name": name, "primitives": primitives}
                   | ({"weights": weights, "extras": {"targetNames": list(mesh.morphs)}} if weights else {})],
        "materials": materials, "images": images, "samplers": [{"magFilter": 9729, "minFilter": 9987}],
        "textures": [{"source": k, "sampler": 0} for k in range(len(images))]})


def _animated(buffer: _Buffer, animation: Animation | None) -> dict[str, Any]:
    """The animation of the first node, as a part of the tree; empty without one."""
    if animation is None:
        return {}
    time = buffer.track(animation.times, bounds=True)
    outputs = {"weights": buffer.track(animation.weights.reshape(-1)), "rotation": buffer.track(animation.rotations)}
    return {"animations": [{
        "name": "film", "samplers": [{"input": time, "output": output} for output in outputs.values()],
        "channels": [{"sampler": k, "target": {"node": 0, "path": path}} for k, path in enumerate(outputs)]}]}


def _pack(buffer: _Buffer, tree: dict[str, Any]) -> bytes:
    content = bytes(buffer.content) + bytes(-len(buffer.content) % 4)
    tree |= {"buffers": [{"byteLength": len(content)}], "bufferViews": buffer.views, "accessors": buffer.accessors}
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    header = struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(content))
    return (header + struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(content), b"BIN\0")
            + content)


def _linear(color: Sequence[float]) -> list[float]:
    """sRGB to the linear light that glTF's factors are in."""
    return [round(float(c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4), 5) for c in color]


def jpeg_bytes(image: Image.Image) -> bytes:
    """An image as JPEG."""
    file = io.BytesIO()
    image.convert("RGB").save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def write_glb(mesh: MorphMesh, path: str | Path, overwrite: bool = False, animation: Animation | None = None) -> None:
    """Write a mesh, which may move, as .glb; arguments and errors as of `core.files.writing`."""
    write_bytes(path, glb_bytes(mesh, animation=animation), overwrite)


def write_obj(mesh: MorphMesh, path: str | Path, overwrite: bool = False) -> None:
    """Write a mesh, with its initial weights, as a ZIP of OBJ, MTL and JPEG; errors as of `core.files.writing`."""
    note = f"# LatentFace (synthetic): {SYNTHETIC['note']}\n"
    moved = mesh.vertices + sum((float(mesh.weights.get(name, 0)) * moves for name, moves in mesh.morphs.items()),
                                np.zeros(3, np.float32))
    lines = [note + "mtllib head.mtl"]
    lines += [f"v {x:.6f} {y:.6f} {z:.6f}" for x, y, z in moved]
    lines += [f"vt {u:.6f} {v:.6f}" for u, v in mesh.uv]
    lines += [f"vn {x:.4f} {y:.4f} {z:.4f}" for x, y, z in mesh.normals]
    material = [note]
    for part in mesh.parts:
        lines.append(f"usemtl {part.name}")
        lines += ["f " + " ".join(f"{k}/{k}/{k}" for k in face) for face in part.triangles + 1]
        red, green, blue = part.color
        material.append(f"newmtl {part.name}\nKd {red:.4f} {green:.4f} {blue:.4f}\nKs 0 0 0\nillum 1")
        material += [f"map_Kd {part.name}.jpg"] if part.texture else []
    with writing(path, overwrite) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("head.obj", "\n".join(lines) + "\n")
        archive.writestr("head.mtl", "\n".join(material) + "\n")
        for part in mesh.parts:
            if part.texture:
                archive.writestr(f"{part.name}.jpg", jpeg_bytes(part.texture))
