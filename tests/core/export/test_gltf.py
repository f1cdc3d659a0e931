"""A mesh with morph targets as GLB and as OBJ."""

import io
import json
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image

from core.export.gltf import LEAST, Animation, MorphMesh, Part, glb_bytes, write_glb, write_obj

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.5]], np.float32)


@pytest.fixture
def mesh() -> MorphMesh:
    """Two triangles of two materials; one corner moves, and another by less than is written."""
    rises = np.zeros((4, 3), np.float32)
    rises[3, 2], rises[0, 0] = 0.25, LEAST / 2
    parts = [Part("skin", np.array([[0, 1, 2]]), Image.new("RGB", (8, 8), (200, 100, 50))),
             Part("teeth", np.array([[1, 3, 2]]), color=(1.0, 0.5, 0.0))]
    return MorphMesh(CORNERS, np.tile(np.float32([0, 0, 1]), (4, 1)), CORNERS[:, :2].copy(), parts,
                     {"rise": rises, "still": np.zeros((4, 3), np.float32)}, {"rise": 0.5})


def parse(content: bytes) -> tuple[dict, bytes]:
    """JSON tree and binary part of a GLB."""
    magic, version, length = struct.unpack_from("<4sII", content)
    assert (magic, version, length) == (b"glTF", 2, len(content))
    size, = struct.unpack_from("<I", content, 12)
    return json.loads(content[20:20 + size]), content[28 + size:]


def test_morph_targets_are_named_sparse_and_start_at_their_weights(mesh):
    tree, binary = parse(glb_bytes(mesh))
    found, = tree["meshes"]
    assert found["extras"]["targetNames"] == ["rise", "still"]
    assert found["weights"] == [0.5, 0]
    rise, still = (tree["accessors"][target["POSITION"]] for target in found["primitives"][0]["targets"])
    assert rise["sparse"]["count"] == 1 and rise["max"] == [0, 0, 0.25] and rise["count"] == 4
    view = tree["bufferViews"][rise["sparse"]["values"]["bufferView"]]
    assert struct.unpack_from("<3f", binary, view["byteOffset"]) == (0, 0, 0.25)
    assert "sparse" not in still and "bufferView" not in still


def test_every_material_is_unlit_and_has_a_lit_variant(mesh):
    tree, _ = parse(glb_bytes(mesh))
    names = [variant["name"] for variant in tree["extensions"]["KHR_materials_variants"]["variants"]]
    for primitive in tree["meshes"][0]["primitives"]:
        assert "KHR_materials_unlit" in tree["materials"][primitive["material"]]["extensions"]
        mappings = primitive["extensions"]["KHR_materials_variants"]["mappings"]
        unlit = {names[entry["variants"][0]]: "extensions" in tree["materials"][entry["material"]]
                 for entry in mappings}
        assert unlit == {"unlit": True, "lit": False}


def test_color_factors_are_linear(mesh):
    tree, _ = parse(glb_bytes(mesh))
    teeth = next(material for material in tree["materials"] if material["name"] == "teeth")
    assert teeth["pbrMetallicRoughness"]["baseColorFactor"] == pytest.approx([1, 0.21404, 0, 1], abs=1e-4)


def test_trimesh_reads_geometry_and_texture(mesh, tmp_path):
    import trimesh

    write_glb(mesh, tmp_path / "head.glb")
    found = trimesh.load(tmp_path / "head.glb")
    assert np.allclose(found.bounds, [CORNERS.min(0), CORNERS.max(0)])
    assert sum(len(part.faces) for part in found.geometry.values()) == 2
    assert any(getattr(part.visual.material, "baseColorTexture", None) for part in found.geometry.values())


def test_obj_shows_the_initial_expression_and_matt_materials(mesh, tmp_path):
    write_obj(mesh, tmp_path / "head.zip")
    with zipfile.ZipFile(tmp_path / "head.zip") as archive:
        lines = archive.read("head.obj").decode().splitlines()
        material = archive.read("head.mtl").decode()
        assert Image.open(io.BytesIO(archive.read("skin.jpg"))).size == (8, 8)
    assert [line for line in lines if line.startswith("v ")][3] == "v 1.000000 1.000000 0.625000"
    assert [line for line in lines if line.startswith("f ")] == ["f 1/1/1 2/2/2 3/3/3", "f 2/2/2 4/4/4 3/3/3"]
    assert material.count("Ks 0 0 0") == 2 and "map_Kd skin.jpg" in material


def test_an_animation_moves_weights_and_turns_the_mesh(mesh):
    weights = np.array([[0, 0], [0.5, 0], [1, 0.25]])
    rotations = np.array([[0, 0, 0, 1], [0, 0.6, 0, 0.8], [0, 1, 0, 0]])
    tree, binary = parse(glb_bytes(mesh, animation=Animation(np.array([0, 0.04, 0.1]), weights, rotations)))
    film, = tree["animations"]
    found = {}
    for channel in film["channels"]:
        sampler = film["samplers"][channel["sampler"]]
        time, output = (tree["accessors"][sampler[end]] for end in ("input", "output"))
        assert (time["min"], time["count"]) == ([0], 3) and time["max"][0] == pytest.approx(0.1)
        width = {"SCALAR": 1, "VEC4": 4}[output["type"]]
        view = tree["bufferViews"][output["bufferView"]]
        found[channel["target"]["path"]] = np.frombuffer(binary, "<f4", output["count"] * width, view["byteOffset"])
    assert np.allclose(found["weights"], weights.ravel()) and np.allclose(found["rotation"], rotations.ravel())
