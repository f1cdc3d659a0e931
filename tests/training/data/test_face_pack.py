"""Reading face packs."""

import io
import tarfile

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import ConfigError, ImageUnreadable
from training.data.face_pack import FacePack


@pytest.fixture
def pack(tmp_path):
    """Five images of one color, 32 px, in two shards; the csv file has another order."""
    for shard, names in (("train-000.tar", "012"), ("train-001.tar", "34")):
        with tarfile.open(tmp_path / shard, "w") as tar:
            for name in names:
                buffer = io.BytesIO()
                Image.new("RGB", (32, 32), (int(name) * 40, 0, 0)).save(buffer, "JPEG")
                member = tarfile.TarInfo(f"00000{name}.jpg")
                member.size = buffer.tell()
                tar.addfile(member, io.BytesIO(buffer.getvalue()))
    rows = "".join(f"00000{name},{name}.5,,0{name}\n" for name in "40312")
    (tmp_path / "train.csv").write_text("name,yaw_deg,pitch_deg,person\n" + rows)
    return tmp_path


def test_images_follow_the_order_of_the_csv(pack):
    faces = FacePack(pack, size=16)
    assert faces.images.shape == (5, 3, 16, 16) and faces.images.dtype == torch.uint8
    assert (faces.images[:, 0].float().mean((1, 2)) / 40).round().tolist() == [4, 0, 3, 1, 2]
    assert faces.columns["yaw_deg"].tolist() == [4.5, 0.5, 3.5, 1.5, 2.5]
    assert np.isnan(faces.columns["pitch_deg"]).all()
    assert faces.columns["person"].tolist() == ["04", "00", "03", "01", "02"]
    assert len(faces) == 5 and faces[2].shape == (3, 16, 16) and 0 <= faces[2].max() <= 1


def test_limit_reads_the_first_rows_and_a_csv_path_names_a_split(pack):
    assert len(FacePack(pack / "train.csv", size=8, limit=2)) == len(FacePack(pack, size=8, limit=2)) == 2


def test_shrinking_averages_over_pixel_areas(tmp_path):
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[:, ::2] = 255
    buffer = io.BytesIO()
    Image.fromarray(stripes).save(buffer, "JPEG", quality=100, subsampling=0)
    with tarfile.open(tmp_path / "val-000.tar", "w") as tar:
        member = tarfile.TarInfo("a.jpg")
        member.size = buffer.tell()
        tar.addfile(member, io.BytesIO(buffer.getvalue()))
    (tmp_path / "val.csv").write_text("name\na\n")
    assert (FacePack(tmp_path, size=16, split="val").images.float() - 127.5).abs().max() < 3


def test_missing_images_and_splits_are_named(pack):
    (pack / "train-001.tar").unlink()
    with pytest.raises(ConfigError, match="000003"):
        FacePack(pack)
    with pytest.raises(ConfigError, match="prepare"):
        FacePack(pack, split="val")


def test_empty_packs_are_refused_by_name(pack):
    (pack / "train.csv").write_text("name,file\n")
    with pytest.raises(ConfigError, match="train.csv lists no faces"):
        FacePack(pack)


def test_damaged_images_and_shards_are_named(pack):
    content = (pack / "train-001.tar").read_bytes()
    start = content.index(b"\xff\xd8\xff")
    (pack / "train-001.tar").write_bytes(content[:start] + bytes(40) + content[start + 40:])
    with pytest.raises(ImageUnreadable, match=r"00000\d.jpg of .*" + pack.name):
        FacePack(pack)
    (pack / "train-001.tar").write_bytes(content[:700])
    with pytest.raises(ConfigError, match="train-001.tar is damaged"):
        FacePack(pack)
