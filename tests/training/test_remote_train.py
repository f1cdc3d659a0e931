"""Training on a remote machine: the archive is small and complete, and training continues from the returned weights."""

import json
import os
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import pytest

from core.errors import ConfigError
from core.model.weights import read_metadata
from tests.training.packs import write_photos
from training import checkpoint
from training.data.face_pack import FacePack
from training.tools.shrink_pack import QUALITIES, shrink

TINY = ("--device", "cpu", "--threads", "1", "--no-bf16", "--batch", "8", "--steps", "2", "--warmup", "1",
        "--log-every", "1", "--model.image-size", "32", "--model.width", "8")
TINY_AUTOENCODER = (*TINY, "--model.pose-width", "8")
TINY_FINE = (*TINY, "--model.coarse-size", "32", "--model.levels", "2")


@pytest.fixture
def script(request):
    """Function of the repository's root and the script's arguments: runs it with this interpreter."""
    def run(root, *arguments, stage="hybrid"):
        environment = os.environ | {"PYTHON": sys.executable, "RENDERS": "1", "STAGE": stage}
        command = ["bash", str(root / "scripts/remote_train.sh"), *map(str, arguments)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def photos(tmp_path):
    """A pack of 12 random images."""
    write_photos(tmp_path / "photos", np.random.default_rng(0))
    return tmp_path / "photos"


def test_shrinking_keeps_all_images_or_as_many_as_fit(photos, tmp_path):
    before = FacePack(photos, 128)
    assert shrink(photos, tmp_path / "all", 10**6) == (12, QUALITIES[0])
    after = FacePack(tmp_path / "all", 128)
    assert after.columns["name"].tolist() == before.columns["name"].tolist()
    assert (after[:] - before[:]).abs().mean() < 0.03
    count, quality = shrink(photos, tmp_path / "some", 4000)
    assert 0 < count < 12 and quality == QUALITIES[-1]
    assert len(FacePack(tmp_path / "some", 128)) == count
    with tarfile.open(tmp_path / "some/train-000.tar") as tar:
        assert sum(member.size for member in tar) < 4000
    with pytest.raises(ConfigError, match="fits"):
        shrink(photos, tmp_path / "none", 50)


@pytest.mark.timeout(300)
def test_archive_trains_from_earlier_weights(script, photos, render_pack, split_weights, tmp_path, request):
    if not (request.config.rootpath / ".git").exists():
        pytest.skip("the script packs the files that git tracks")
    packed = script(request.config.rootpath, "pack", tmp_path / "out.tar.gz", photos, split_weights)
    assert packed.returncode == 0, packed.stderr
    there, result = tmp_path / "there", tmp_path / "there/result"
    with tarfile.open(tmp_path / "out.tar.gz") as archive:
        archive.extractall(there, filter="data")
    assert (there / "start.safetensors").read_bytes() == split_weights.read_bytes()
    shutil.copytree(render_pack, there / "packs/rig64")
    result.mkdir()
    (there / "start.safetensors").rename(result / "model.safetensors")  # as an earlier run would have left it
    trained = script(there, "train", result, *TINY_AUTOENCODER)
    assert trained.returncode == 0, trained.stderr
    assert {path.name for path in result.iterdir()} == {"model.safetensors", "metrics.jsonl", "config.json"}
    assert read_metadata(result / "model.safetensors")["steps"] == "2"
    assert json.loads((result / "config.json").read_text())["start_from"] == str(result / "model.safetensors")

    shutil.copytree(render_pack, there / "packs/rig128")
    shutil.copy(result / "model.safetensors", there / "start.safetensors")
    fine = script(there, "train", there / "fine", *TINY_FINE, stage="fine")
    assert fine.returncode == 0, fine.stderr
    assert {path.name for path in (there / "fine").iterdir()} == {"fine.safetensors", "metrics.jsonl", "config.json"}


def test_too_large_weights_are_refused(script, photos, tmp_path, request):
    checkpoint_file = tmp_path / checkpoint.LAST
    with open(checkpoint_file, "wb") as file:
        file.truncate(65 * 2**20)
    refused = script(request.config.rootpath, "pack", tmp_path / "out.tar.gz", photos, checkpoint_file)
    assert refused.returncode != 0 and "model.safetensors" in refused.stderr


def test_a_run_folder_is_made_without_git(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    run = checkpoint.new_run(tmp_path, "hybrid", {})
    assert json.loads((run / "config.json").read_text()) == {"revision": ""}
