"""A canonical face as a mesh: its shape, which way round it is, and a GLB that other programs read right."""

import json
import struct
import zipfile

import numpy as np
import pytest
import torch
import trimesh

from core.errors import OutputUnwritable
from core.export.mesh import HALF_WIDTH, face_mesh, write_glb, write_obj

SIZE, TEXTURE = 64, 200


@pytest.fixture
def depth():
    """(64, 64) a smooth head on a far background, its nose a little below the middle."""
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, SIZE)], indexing="ij")
    head = 0.09 * (1 - (x / 0.8) ** 2 - (y / 0.9) ** 2).clamp(min=0).sqrt()
    nose = 0.02 * torch.exp(-((x / 0.12) ** 2) - ((y - 0.1) / 0.12) ** 2)
    return 1.04 - head - nose


@pytest.fixture
def texture():
    """(3, 200, 200): red grows to the right, green grows downwards, blue is constant."""
    ramp = torch.linspace(0, 1, TEXTURE)
    red = ramp.expand(TEXTURE, -1)
    return torch.stack([red, red.T, torch.full_like(red, 0.4)])


@pytest.fixture
def mask():
    """(64, 64) the inner part of the head."""
    y, x = torch.meshgrid(*2 * [torch.linspace(-1, 1, SIZE)], indexing="ij")
    return (x / 0.7) ** 2 + (y / 0.8) ** 2 < 1


def glb_parts(path):
    """The JSON header and the binary chunk of a GLB file."""
    data = path.read_bytes()
    magic, version, length, json_length, _ = struct.unpack("<4sIIII", data[:20])
    assert (magic, version, length) == (b"glTF", 2, len(data))
    return json.loads(data[20 : 20 + json_length]), data[28 + json_length :]


def test_glb_reloads_the_same_and_the_right_way_round(depth, texture, mask, tmp_path):
    mesh = face_mesh(depth, texture, mask)
    write_glb(mesh, tmp_path / "face.glb")
    face, rim = trimesh.load_scene(tmp_path / "face.glb", process=False).geometry.values()
    colours = face.visual.material.baseColorTexture

    for loaded, faces in ((face, mesh.faces[~mesh.rim]), (rim, mesh.faces[mesh.rim])):
        np.testing.assert_allclose(loaded.vertices[loaded.faces], mesh.vertices[faces], atol=1e-6)
        np.testing.assert_allclose(loaded.vertex_normals[loaded.faces], mesh.normals[faces], atol=1e-5)
        np.testing.assert_allclose(loaded.visual.uv[loaded.faces], mesh.uv[faces], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(colours), np.asarray(mesh.texture))

    vertices = mesh.vertices / HALF_WIDTH
    nose = vertices[vertices[:, 2].argmax()]
    np.testing.assert_allclose(nose[:2], [0, -0.1], atol=0.05)
    forehead = vertices[vertices[:, 1].argmax()]
    chin = vertices[vertices[:, 1].argmin()]
    assert 1 < forehead[1] - chin[1] < 2
    for vertex, uv in zip(vertices[::997], mesh.uv[::997], strict=True):
        red, green, *_ = colours.getpixel((int(uv[0] * TEXTURE), int((1 - uv[1]) * TEXTURE)))
        # Texture and geometry share a camera: color grows with x and falls with y, up to perspective.
        assert abs(red / 255 * 2 - 1 - vertex[0]) < 0.08
        assert abs(1 - green / 255 * 2 - vertex[1]) < 0.08


def test_glb_declares_material_texture_and_that_it_is_synthetic(depth, texture, mask, tmp_path):
    write_glb(face_mesh(depth, texture, mask), tmp_path / "face.glb")
    header, binary = glb_parts(tmp_path / "face.glb")
    view = header["bufferViews"][header["images"][0]["bufferView"]]
    material = header["materials"][0]

    assert {"POSITION", "NORMAL", "TEXCOORD_0"} <= set(header["meshes"][0]["primitives"][0]["attributes"])
    assert binary[view.get("byteOffset", 0) :].startswith(b"\x89PNG")
    assert material["doubleSided"]
    assert material["extensions"] == {"KHR_materials_unlit": {}} and "KHR_materials_unlit" in header["extensionsUsed"]
    assert [part.get("alphaMode") for part in header["materials"] if "extensions" in part] == [None, "BLEND"]
    assert len(header["images"]) == 1
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0
    assert material["pbrMetallicRoughness"]["roughnessFactor"] == 1
    assert header["asset"]["generator"] == "LatentFace (synthetic)"
    assert header["asset"]["extras"]["synthetic"] is True


def test_the_edge_is_drawn_by_transparency(depth, texture, mask):
    mesh = face_mesh(depth, texture, mask)
    visible = np.asarray(mesh.texture)[..., 3] >= 128
    axis = np.linspace(-1, 1, TEXTURE)
    ellipse = (axis / 0.7) ** 2 + (axis[:, None] / 0.8) ** 2
    assert visible[ellipse < 0.92].all() and not visible[ellipse > 1.08].any()


def test_the_surface_ends_along_a_smooth_contour(depth, texture, mask):
    mesh = face_mesh(depth, texture, mask)
    edges = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), 1)
    unique, count = np.unique(edges, axis=0, return_counts=True)
    rim = np.unique(unique[count == 1])
    ellipse = np.linalg.norm((mesh.uv[rim] * 2 - 1) / [0.7, 0.8], axis=1)
    order = np.argsort(np.arctan2(*((mesh.uv[rim] - 0.5) / [0.7, 0.8]).T))
    assert np.ptp(ellipse) < 0.06  # the mask's own steps are 0.045 wide
    assert np.abs(np.diff(ellipse[order])).max() < 0.012
    assert np.asarray(mesh.texture)[..., 3][mask_at(mesh.uv[rim])].max() < 80  # of 255


def mask_at(uv):
    """Rows and columns of the texture at its coordinates."""
    return (((1 - uv[:, 1]) * TEXTURE).astype(int), (uv[:, 0] * TEXTURE).astype(int))


def test_triangles_and_normals_face_outwards(depth, texture, mask):
    mesh = face_mesh(depth, texture, mask)
    a, b, c = mesh.vertices[mesh.faces].transpose(1, 0, 2)
    winding = np.cross(b - a, c - a)

    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=-1), 1, atol=1e-5)
    assert (winding[:, 2] > 0).all()
    assert ((winding * mesh.normals[mesh.faces[:, 0]]).sum(-1) > 0).all()
    right = mesh.vertices[:, 0] > 0.3 * HALF_WIDTH
    assert (mesh.normals[right, 0] > 0).all()


def test_vertices_lie_on_texel_centres(texture):
    full = torch.ones(SIZE, SIZE)
    mesh = face_mesh(torch.ones(SIZE, SIZE), texture, full)
    centre_of_first, centre_of_last = 0.5 / TEXTURE, (TEXTURE - 0.5) / TEXTURE

    np.testing.assert_allclose(mesh.uv.min(0), centre_of_first, atol=1e-6)
    np.testing.assert_allclose(mesh.uv.max(0), centre_of_last, atol=1e-6)
    np.testing.assert_allclose(np.abs(mesh.vertices[:, :2]).max(0), HALF_WIDTH, atol=1e-6)


def test_border_and_depth_steps_are_cut(depth, texture):
    rimless = face_mesh(torch.ones(SIZE, SIZE), texture)
    assert np.abs(rimless.vertices[:, :2]).max() < HALF_WIDTH * (1 - 2 / SIZE)

    stepped = torch.ones(SIZE, SIZE)
    stepped[:, 40:] = 1.05
    mesh = face_mesh(stepped, texture)
    assert np.ptp(mesh.vertices[:, 2]) < HALF_WIDTH * 0.05 * 11.4 / 2, "only the near, larger side is kept"
    assert mesh.vertices[:, 0].max() < HALF_WIDTH * (40 / SIZE * 2 - 1)


def test_steep_pits_inside_the_face_stay_closed(texture):
    pitted = torch.ones(SIZE, SIZE)
    pitted[30:34, 30:34] = 1.04
    mesh = face_mesh(pitted, texture)
    radius = np.linalg.norm(mesh.vertices[:, :2], axis=-1)
    assert (radius < 0.02 * HALF_WIDTH).any()


def test_wrong_shapes_and_empty_masks_are_refused(depth, texture):
    with pytest.raises(ValueError, match="depth map"):
        face_mesh(depth[None], texture)
    with pytest.raises(ValueError, match="no triangle"):
        face_mesh(depth, texture, torch.zeros(SIZE, SIZE, dtype=torch.bool))


def test_unwritable_path_says_what_to_do(depth, texture, tmp_path):
    with pytest.raises(OutputUnwritable, match="choose another folder"):
        write_glb(face_mesh(depth, texture), tmp_path / "missing" / "face.glb")


def test_a_face_is_life_size_in_metres(depth, texture, mask, tmp_path):
    write_glb(face_mesh(depth, texture, mask), tmp_path / "face.glb")
    width, height, _ = trimesh.load_scene(tmp_path / "face.glb", process=False).extents
    assert 0.1 < width < 0.15 and 0.11 < height < 0.2


def test_obj_is_matt(depth, texture, mask, tmp_path):
    write_obj(face_mesh(depth, texture, mask), tmp_path / "face.zip")
    lines = zipfile.ZipFile(tmp_path / "face.zip").read("face.mtl").decode().splitlines()
    assert "Ks 0 0 0" in lines and sum(line.startswith("Ks") for line in lines) == 1
