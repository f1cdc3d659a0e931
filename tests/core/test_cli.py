"""python -m core analyze: what it writes, and one sentence where it cannot."""

import json
import os
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

PHOTO = Path(__file__).parents[1] / "data" / "001_smiling.jpg"


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
