"""The proof of the split is itself proved, on cases whose answers are known."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core.errors import ConfigError, WeightsMissing
from core.files import MANIFEST
from core.pipeline import LatentFace
from tests.training.packs import random_jpegs, write_csv, write_photos
from training.evaluate import swap
from training.evaluate.__main__ import parser
from training.evaluate.comparison import Row, table
from training.evaluate.features import NAMES, Features
from training.evaluate.protocols.disentanglement import ROWS, run, stranger
from training.render_validation import render_all

SIZE = 32


@pytest.fixture(scope="module")
def model(split_weights):
    return LatentFace.from_pretrained(split_weights)


def test_the_nearest_stranger_is_judged_by_expression_alone():
    random = np.random.default_rng(0)
    ids, weights = np.arange(300) // 6, random.uniform(size=(300, 4))
    weights = weights / np.linalg.norm(weights, axis=1, keepdims=True)  # so that cosine and distance agree
    assert stranger(weights, ids, weights) == pytest.approx(1)
    assert abs(stranger(random.normal(size=(300, 8)), ids, weights)) < 0.2
    people = np.eye(50)[ids]
    assert stranger(np.concatenate([weights, 9 * people], 1), ids, weights) == pytest.approx(1)


def test_the_parts_of_the_code_add_up(model):
    images = torch.rand(3, 3, SIZE, SIZE)
    columns = {name: rows for name, (rows,) in Features(model)(images).items()}
    assert set(columns) == set(NAMES) - {"autoencoder", "contrastive"}
    np.testing.assert_allclose(columns["identity"] + columns["expression"], columns["code"], atol=1e-5)
    assert columns["identity+code"].shape == (3, 1024)
    codes = model.encode(images)
    np.testing.assert_allclose(columns["code"], torch.cat([codes.depth_code, codes.albedo_code], 1), atol=1e-5)


def test_images_are_encoded_once(model, tmp_path, monkeypatch):
    images = (torch.rand(3, 3, SIZE, SIZE) * 255).byte()
    first = Features(model, cache=tmp_path)(images)
    with monkeypatch.context() as patch:
        patch.setattr("training.evaluate.features.encode", lambda *_: pytest.fail("encoded again"))
        again = Features(model, cache=tmp_path)(images)
    assert all(np.array_equal(first[name][0], again[name][0]) for name in first)
    others = Features(model, cache=tmp_path)(255 - images)
    assert not np.allclose(first["code"][0], others["code"][0])


def test_a_true_swap_has_no_error_and_doing_nothing_has_all_of_it():
    before, _, after = swap._render_pairs(2, SIZE)

    def factors(truth):
        return SimpleNamespace(canon_depth=truth["depth"], canon_albedo=truth["albedo"], recon_image=truth["clean"])

    true = swap._errors(factors(after), factors(before), before, after)
    assert all(value == pytest.approx(0, abs=1e-4) for value in true.values())
    nothing = swap._errors(factors(before), factors(before), before, after)
    assert [nothing[f"swap.{name}_change"] for name in ("depth", "albedo", "image")] == pytest.approx([1, 1, 1])
    assert all(nothing[f"swap.{name}"] > 0.001 for name in ("depth", "albedo", "image"))


def test_a_face_is_swapped_decoded_and_with_its_own_detail(model, monkeypatch):
    monkeypatch.setattr(swap, "DISPLAY", 64)
    own, other = torch.nn.functional.interpolate(torch.rand(2, 3, 8, 8), (64, 64), mode="bilinear").split(1)
    found = swap.swaps(model, own, other)
    assert all(images.shape == own.shape for images in found.values())
    assert (found["full"] - own).abs().mean() < (found["decoded"] - own).abs().mean() / 2


def write_london(folder, random):
    (folder / "aligned512").mkdir(parents=True)
    rows = [{"file": f"{person}_{face}.jpg", "person": person, "expression": face, "split": split}
            for person, split in zip("abcdefghijkl", 2 * ["heldout"] + 10 * ["rig"], strict=True)
            for face in ("neutral", "smiling")]
    write_csv(folder / "london.csv", rows)
    for name, jpeg in random_jpegs(random, [row["file"] for row in rows]):
        (folder / "aligned512" / name).write_bytes(jpeg)


@pytest.mark.timeout(300)  # first imports of scikit-learn and diffusers: a minute on a busy machine
def test_command_measures_every_figure(split_weights, render_pack, tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    np.savez(tmp_path / "renders.npz", **render_all(people=2, size=SIZE, seed=1))
    write_london(tmp_path / "london", random)
    write_photos(tmp_path / "photos", random)
    for name, value in (("DISPLAY", 64), ("DONORS", 1), ("SHEET_PEOPLE", 1), ("SHEET_SMILES", 1),
                        ("SHEET_EXPRESSIONS", ("laugh",)), ("smile", lambda photos: photos.mean((1, 2, 3))),
                        ("swaps", lambda model, own, other: {"decoded": other, "full": own})):
        monkeypatch.setattr(swap, name, value)
    monkeypatch.setattr(swap.Descriptor, "read", lambda path: lambda photos: photos[:, :, 0, 0])
    (tmp_path / "network.tgz").touch()
    run(parser().parse_args([
        "disentanglement", "--weights", str(split_weights), "--renders", str(tmp_path / "renders.npz"),
        "--rig-pack", str(render_pack), "--pairs", "2", "--london", str(tmp_path / "london"),
        "--photos", str(tmp_path / "photos"), "--descriptor", str(tmp_path / "network.tgz"),
        "--out", str(tmp_path / "report.json"), "--figures", str(tmp_path / "figures")]))
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    assert set(figures) == {*ROWS, *swap.ROWS, *swap.TRANSFER_ROWS}
    columns = set(NAMES) - {"autoencoder", "contrastive"}
    assert all(set(figures[key]) == columns for key in ROWS)
    assert np.isfinite([value for row in figures.values() for value in row.values()]).all()
    assert figures["swap.depth_change"]["nothing"] == pytest.approx(1)
    # As if decoded swaps were the donor's very image, and full ones A's.
    assert figures["transfer.reached"]["decoded"] == 1 and figures["transfer.own"]["decoded"] == 0
    assert figures["transfer.own"]["full"] == figures["transfer.own"]["nothing"] == 1
    assert {path.name for path in (tmp_path / "figures").iterdir()} == {
        "swap_decoded.png", "swap_full.png", MANIFEST}


def test_command_says_what_it_needs(tmp_path):
    with pytest.raises(ConfigError, match="--renders"):
        run(parser().parse_args(["disentanglement"]))
    with pytest.raises(ConfigError, match="There is no"):
        run(parser().parse_args(["disentanglement", "--renders", str(tmp_path / "none.npz")]))


def test_without_a_diffusion_model_nothing_can_be_split(split_weights, tmp_path):
    weights = tmp_path / "autoencoder.safetensors"
    weights.write_bytes(split_weights.read_bytes())
    with pytest.raises(WeightsMissing, match="train_diffusion"):
        Features(LatentFace.from_pretrained(weights))(torch.rand(1, 3, SIZE, SIZE))


def test_the_best_figures_of_a_row_stand_out():
    rows = {"high": Row("a"), "low": Row("b", 1, "low"), "missing": Row("c")}
    found = table(rows, {"high": {"code": 0.501, "pca": 0.499}, "low": {"code": 2.0, "random": 1.0}}, "title")
    columns = [list(column.cells) for column in found.columns]
    assert columns == [["a", "b"], ["[bold]0.50[/]", "2.0"], ["[bold]0.50[/]", "-"], ["-", "[bold]1.0[/]"]]
