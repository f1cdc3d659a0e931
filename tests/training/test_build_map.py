"""Building a map from the command line, with random layouts: UMAP takes a minute to compile."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.latent_map.map import LatentMap
from training import build_map

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def random_layouts(monkeypatch):
    """Random positions in place of UMAP's."""
    rng = np.random.default_rng(0)
    monkeypatch.setattr("core.latent_map.builder.umap_layout",
                        lambda rows: rng.uniform(-1, 1, (len(rows), 2)).astype(np.float32))


@pytest.fixture
def london(tmp_path) -> Path:
    """A folder with the layout of the London Set and one person."""
    (tmp_path / "london" / "aligned512").mkdir(parents=True)
    shutil.copy(ROOT / "assets" / "examples" / "061_smiling.jpg", tmp_path / "london" / "aligned512" / "061.jpg")
    with open(tmp_path / "london" / "london.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["file", "person", "expression", "age", "sex"], ["061.jpg", "061", "smiling", "NA", "male"]])
    return tmp_path / "london"


def test_a_map_holds_london_faces_renders_and_own_photos(london, tmp_path):
    (tmp_path / "own" / "holiday").mkdir(parents=True)
    shutil.copy(ROOT / "assets" / "examples" / "045_neutral.jpg", tmp_path / "own" / "holiday" / "face.jpg")
    (tmp_path / "own" / "notes.txt").write_text("no photo")
    build_map.main(["--london", str(london), "--people", "2", "--photos", str(tmp_path / "own"),
                    "--out", str(tmp_path / "map.npz")])
    made = LatentMap.read(tmp_path / "map.npz")
    assert len(made) == 1 + 2 * build_map.PER_PERSON + 1
    assert [made.names[0], made.names[1], made.names[-1]] == [
        "London Set 061, smiling", "Rendered person 1", "holiday/face.jpg"]
    assert [made.columns["source"][k] for k in (0, 1, -1)] == ["London Set", "rendered", ""]
    assert np.isnan(made.columns["age"][0]) and made.columns["sex"][0] == "male"
    assert made.columns["smile"][0] > 0.2 and (made.columns["smile"][1:-1] <= 1).all()
    assert made.columns["folder"][-1] == "holiday"
    assert "DeBruine" in made.credit and "ICT-FaceKit" in made.credit


def test_again_rebuilds_a_map_from_its_own_faces(tmp_path):
    out = ["--out", str(tmp_path / "map.npz")]
    build_map.main(["--people", "2", *out])
    before = LatentMap.read(tmp_path / "map.npz")
    build_map.main(["--again", *out])
    after = LatentMap.read(tmp_path / "map.npz")
    assert after.thumbnails == before.thumbnails and after.names.tolist() == before.names.tolist()
    assert (after.credit, after.weights) == (before.credit, before.weights)
    assert list(after.columns) == list(before.columns)
    np.testing.assert_allclose(after.columns["smile"], before.columns["smile"])
    np.testing.assert_allclose(after.columns["yaw"], before.columns["yaw"], atol=3)  # the thumbnail is compressed
    assert (after.positions["code"] != before.positions["code"]).any()


@pytest.mark.parametrize(("arguments", "sentence"), [
    (["--london", "nowhere"], "no london.csv"), (["--people", "1"], "8 faces were found")], ids=["london", "few"])
def test_missing_folder_and_too_few_faces_end_with_a_sentence(tmp_path, arguments, sentence):
    with pytest.raises(SystemExit, match=sentence):
        build_map.main([*arguments, "--out", str(tmp_path / "map.npz")])
    assert not (tmp_path / "map.npz").exists()


def test_a_file_of_the_users_is_not_replaced_and_a_damaged_photo_is_named(london, tmp_path):
    (tmp_path / "map.npz").write_text("precious")
    arguments = ["--london", str(london), "--people", "0", "--out", str(tmp_path / "map.npz")]
    with pytest.raises(SystemExit, match="--overwrite"):
        build_map.main(arguments)
    (london / "aligned512" / "061.jpg").write_bytes(b"no photo")
    with pytest.raises(SystemExit, match="061.jpg cannot be read"):
        build_map.main([*arguments, "--overwrite"])
    assert (tmp_path / "map.npz").read_text() == "precious"
