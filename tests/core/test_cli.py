"""python -m core analyze: what it writes, and one sentence where it cannot."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.cli import FILES, main
from core.config import ModelConfig
from core.files import MANIFEST
from core.model.autoencoder import Autoencoder
from core.model.weights import save_weights
from tests.disks import LATIN, full_disk

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "tests" / "data" / "001_smiling.jpg"


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Untrained weights: the command line does not ask how good they are."""
    torch.manual_seed(0)
    config = ModelConfig(width=8, pose_width=8)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_weights(path, Autoencoder(config).state_dict(), config, {})
    return path


@pytest.fixture(scope="module")
def results(weights, tmp_path_factory):
    """Folder with the results of one photo."""
    out = tmp_path_factory.mktemp("out") / "new" / "folder"
    assert main(["analyze", str(PHOTO), "--out", str(out), "--weights", str(weights)]) == 0
    return out


def refusal(capsys, *arguments) -> str:
    """The sentence on stderr of a call that fails as it should."""
    assert main(["analyze", *map(str, arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1
    return error


def test_every_promised_file_is_written(results):
    assert {path.name for path in results.iterdir()} == {*FILES, "analysis.json", MANIFEST}
    assert (results / "face.glb").read_bytes()[:4] == b"glTF"
    assert Image.open(results / "full.png").size == (512, 512)


def test_numbers_are_in_json(results):
    numbers = json.loads((results / "analysis.json").read_text(encoding="utf-8"))
    assert numbers["synthetic"] is True and isinstance(numbers["warnings"], list)
    assert set(numbers["light"]) == {"ambient", "diffuse", "direction"} and 0 < numbers["confidence"] <= 1
    assert abs(np.linalg.norm(numbers["light"]["direction"]) - 1) < 1e-4
    assert all(abs(numbers["pose"][angle]) <= 60 for angle in ("pitch", "yaw", "roll"))
    assert numbers["crop"]["side"] == pytest.approx(287, abs=5)


def test_derived_pictures_say_that_they_are_synthetic(results):
    for path in results.glob("*.png"):
        assert ("Synthetic" in Image.open(path).text) == (path.name not in ("input.png", "full.png")), path.name


def test_depth_has_sixteen_bits(results):
    depth = np.asarray(Image.open(results / "depth16.png"))
    assert depth.dtype == np.uint16 and depth.shape == (64, 64)
    metres = 0.9 + depth / 65535 * 0.2
    assert metres[:, :2] == pytest.approx(1.04, abs=1e-4)  # the border depth


def test_all_faces_get_folders_of_their_own(weights, tmp_path, capsys):
    photo = np.asarray(Image.open(PHOTO).convert("RGB"))
    Image.fromarray(np.concatenate([photo, photo[::2, ::2].repeat(2, 0)], 1)).save(tmp_path / "two.png")
    main(["analyze", str(tmp_path / "two.png"), "--out", str(tmp_path / "out"), "--all", "--weights", str(weights)])
    folders = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert folders == [f"face{k}" for k in range(1, len(folders) + 1)] and folders
    assert refusal(capsys, tmp_path / "two.png", "--out", tmp_path / "out", "--face", 9, "--weights", weights)


def test_all_again_with_fewer_faces_leaves_no_older_folder(results, weights, tmp_path):
    for number in (2, 3):
        shutil.copytree(results, tmp_path / f"face{number}")
    (tmp_path / "face3" / "notes.txt").touch()
    (tmp_path / "faces").mkdir()
    assert main(["analyze", str(PHOTO), "--out", str(tmp_path), "--all", "--weights", str(weights)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"face1", "face3", "faces"}
    assert [path.name for path in (tmp_path / "face3").iterdir()] == ["notes.txt"]


def test_the_photo_is_never_overwritten_unasked(weights, tmp_path, capsys):
    photo = tmp_path / "input.png"
    Image.open(PHOTO).save(photo)
    before = photo.read_bytes()
    assert f"{photo} exists" in refusal(capsys, photo, "--out", tmp_path, "--weights", weights)
    assert photo.read_bytes() == before and list(tmp_path.iterdir()) == [photo]
    shutil.copytree(tmp_path, tmp_path / "face1")
    assert "face1/input.png exists" in refusal(capsys, photo, "--out", tmp_path, "--all", "--weights", weights)
    arguments = ["analyze", str(PHOTO), "--out", str(tmp_path), "--weights", str(weights)]
    assert main([*arguments, "--overwrite"]) == 0 and photo.read_bytes() != before
    assert main(arguments) == 0  # now everything is LatentFace's own


def test_a_full_disk_leaves_the_older_results(results, weights, tmp_path, capsys):
    folder = tmp_path / "out"
    shutil.copytree(results, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with full_disk(room=20_000):
        assert "choose another folder" in refusal(capsys, PHOTO, "--out", folder, "--weights", weights)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("environment", [
    {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}, {"PYTHONUTF8": "1"}], ids=["ascii", "utf-8"])
def test_names_that_are_no_utf8_and_an_ascii_terminal(environment, weights, tmp_path):
    folder = tmp_path / LATIN
    folder.mkdir()
    shutil.copy(PHOTO, folder / f"{LATIN}.jpg")
    shutil.copy(weights, folder)

    def run(photo):
        command = [sys.executable, "-OO", "-m", "core", "analyze", photo, "--out", folder / "out ü", "--weights",
                   folder / weights.name]
        return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=False)

    done = run(folder / f"{LATIN}.jpg")
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    assert b"Face 1 of 1: " in done.stdout and b"caf" in done.stdout
    assert {path.name for path in (folder / "out ü").iterdir()} == {*FILES, "analysis.json", MANIFEST}
    done = run(folder / f"none {LATIN}.jpg")
    assert done.returncode == 2 and done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("content", [b"not an image", b""], ids=["text", "empty"])
def test_unreadable_photos(content, weights, tmp_path, capsys):
    (tmp_path / "photo.jpg").write_bytes(content)
    refusal(capsys, tmp_path / "photo.jpg", "--out", tmp_path / "out", "--weights", weights)


def test_missing_photo_and_missing_face(weights, tmp_path, capsys):
    refusal(capsys, tmp_path / "none.jpg", "--out", tmp_path / "out", "--weights", weights)
    Image.new("RGB", (200, 200), "grey").save(tmp_path / "grey.png")
    assert "No face" in refusal(capsys, tmp_path / "grey.png", "--out", tmp_path / "out", "--weights", weights)


def test_folder_that_cannot_be_written(weights, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert "choose another folder" in refusal(capsys, PHOTO, "--out", tmp_path / "file", "--weights", weights)
    assert "choose another folder" in refusal(capsys, PHOTO, "--out", tmp_path / "file/in", "--weights", weights)
    if os.geteuid():
        (tmp_path / "locked").mkdir(mode=0o500)
        refusal(capsys, PHOTO, "--out", tmp_path / "locked", "--weights", weights)


def test_missing_weights(tmp_path, capsys):
    refusal(capsys, PHOTO, "--out", tmp_path / "out", "--weights", tmp_path / "none.safetensors")


def test_wrong_usage_ends_with_two(capsys):
    for arguments in ([], ["analyze"], ["analyze", "a.jpg", "--out", "b", "--face", "2", "--all"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 2
    capsys.readouterr()
