"""Files for other programs: they say what they hold, and that it is synthetic."""

import io
import json
import zipfile

import av
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from core.config import ModelConfig
from core.errors import OutputUnwritable
from core.export import turntable
from core.export.maps import codes_json, codes_npz, depth16
from core.export.mesh import face_mesh, write_obj
from core.export.provenance import png_bytes, watermark
from core.faces import Crop, face_from_crop
from core.model.autoencoder import Autoencoder
from core.pipeline import LatentFace
from core.rendering.texture_transfer import texture_from_model


@pytest.fixture(scope="module")
def face():
    """A face marked in noise."""
    photo = np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    return face_from_crop(photo, Crop((45.0, 45.0), 60.0))


@pytest.fixture(scope="module")
def factors(face):
    """What an untrained model finds in it."""
    torch.manual_seed(0)
    return LatentFace(Autoencoder(ModelConfig())).analyze([face])


def test_depth_comes_back_from_16_bits():
    depth = torch.linspace(0.9, 1.1, 64).expand(64, 64)
    picture = Image.open(io.BytesIO(png_bytes(depth16(depth), "depth")))
    assert picture.mode.startswith("I;16")
    assert np.abs(0.9 + np.asarray(picture) / 65535 * 0.2 - depth.numpy()).max() < 2e-6
    assert picture.text["Title"] == "depth" and picture.text["Synthetic"].startswith("true")


def test_the_photo_itself_is_not_called_synthetic():
    assert "Synthetic" not in Image.open(io.BytesIO(png_bytes(Image.new("RGB", (8, 8)), "photo", False))).text


def test_a_stamp_is_seen_and_leaves_the_face_alone():
    plain = Image.new("RGB", (512, 512), (90, 90, 90))
    changed = np.abs(np.asarray(watermark(plain), int) - 90).max(-1) > 0
    rows, columns = np.nonzero(changed)
    assert rows.min() > 470 and columns.max() < 130 and 300 < changed.sum() < 2000


def test_codes_and_numbers_are_arrays_and_json(factors, face):
    arrays = np.load(io.BytesIO(codes_npz(factors, factors.codes)), allow_pickle=False)
    assert np.array_equal(arrays["depth_code"], factors.codes.depth_code[0].numpy())
    assert np.array_equal(arrays["rotation"], factors.view.rotation[0].numpy()) and arrays["synthetic"]
    told = json.loads(codes_json(factors, face, factors.codes))
    assert told["codes"]["albedo_code"] == factors.codes.albedo_code[0].tolist()
    assert told["synthetic"] is True and "pose" in told


def test_the_obj_opens_with_its_texture(tmp_path, monkeypatch):
    monkeypatch.setattr("core.export.mesh.GRID", 64)
    depth = 1 - 0.05 * torch.ones(64, 64)
    texture = torch.stack([torch.linspace(0, 1, 100).expand(100, -1)] * 3)
    mesh = face_mesh(depth, texture)
    write_obj(mesh, tmp_path / "face.zip")
    with zipfile.ZipFile(tmp_path / "face.zip") as archive:
        assert sorted(archive.namelist()) == ["face.mtl", "face.obj", "face.png", "opacity.png"]
        assert all(b"synthetic" in archive.read(name).lower() for name in archive.namelist())
        archive.extractall(tmp_path)
    loaded = trimesh.load(tmp_path / "face.obj", process=False)
    np.testing.assert_allclose(loaded.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(loaded.vertex_normals, mesh.normals, atol=1e-5)
    np.testing.assert_allclose(loaded.visual.uv, mesh.uv, atol=1e-6)
    assert loaded.visual.material.image.size == (100, 100)


def test_the_turntable_is_an_endless_gif_that_looks_both_ways(factors, tmp_path, monkeypatch):
    monkeypatch.setattr(turntable, "FRAMES", 8)
    frames = list(turntable.turntable(texture_from_model(factors), factors.light, 64))
    assert [frame.shape for frame in frames] == [(64, 64, 3)] * 8
    assert np.abs(frames[2].astype(int) - frames[6]).mean() > 1
    turntable.write_gif([Image.fromarray(frame) for frame in frames], tmp_path / "turn.gif")
    film = Image.open(tmp_path / "turn.gif")
    assert film.n_frames == 8 and film.info["loop"] == 0 and b"synthetic" in film.info["comment"]
    assert np.abs(np.asarray(film.convert("RGB"), int) - frames[0]).mean() < 12
    with pytest.raises(OutputUnwritable):
        turntable.write_gif([Image.fromarray(frame) for frame in frames], tmp_path / "none" / "turn.gif")


def test_the_turntable_is_a_film_of_several_rounds_too(tmp_path):
    frames = [Image.new("RGB", (64, 64), (shade, 128, 60)) for shade in (40, 120, 200)]
    turntable.write_mp4(frames, tmp_path / "turn.mp4")
    with av.open(tmp_path / "turn.mp4") as film:
        assert "synthetic" in film.metadata["comment"] and film.streams.video[0].codec_context.name == "h264"
        seen = [shot.to_ndarray(format="rgb24").mean((0, 1)) for shot in film.decode(video=0)]
    np.testing.assert_allclose(seen, [(*frame.getpixel((0, 0)),) for frame in frames * turntable.ROUNDS], atol=6)
    with pytest.raises(OutputUnwritable):
        turntable.write_mp4(frames, tmp_path / "none" / "turn.mp4")
