"""Reading, asking and writing latent maps; the bundled one."""

import csv
import io
import tempfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import FaceNotFound, MapUnreadable
from core.faces import Crop, face_from_crop
from core.latent_map.builder import MapBuilder
from core.latent_map.map import BUNDLED, LatentMap, Space, code_rows
from core.model.code_ops import KINDS
from core.types import CodePair
from tests.core.latent_map.maps import COUNT, small_map


def test_a_map_survives_its_file(tmp_path):
    one = small_map()
    one.write(tmp_path / "map.npz")
    other = LatentMap.read(tmp_path / "map.npz")
    assert other.names.tolist() == one.names.tolist() and other.kinds == list(KINDS)
    assert other.thumbnails == one.thumbnails and (other.weights, other.credit) == ("abc", "Somebody")
    for kind in KINDS:
        np.testing.assert_allclose(code_rows(other.codes, kind), code_rows(one.codes, kind), atol=0.02)
        np.testing.assert_array_equal(other.positions[kind], one.positions[kind])
    np.testing.assert_array_equal(other.columns["yaw"], one.columns["yaw"])
    assert other.columns["source"].tolist() == one.columns["source"].tolist()


def test_a_map_without_the_diffusion_model_has_codes_alone(tmp_path):
    one = small_map()
    alone = replace(one, codes=one.codes.codes,
                    positions={"code": one.positions["code"]}, _spaces={})
    alone.write(tmp_path / "map.npz")
    assert LatentMap.read(tmp_path / "map.npz").kinds == ["code"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_face_of_the_map_is_nearest_to_itself_and_lands_on_itself(kind):
    one = small_map()
    order, similarity = one.nearest(one.codes[7], kind, count=5)
    assert order[0] == 7 and similarity[0] == pytest.approx(1, abs=1e-4)
    assert len(order) == 5 and (np.diff(similarity) <= 0).all()
    np.testing.assert_allclose(one.project(one.codes[7], kind), one.positions[kind][7], atol=1e-3)


def test_a_place_gives_the_face_that_is_there():
    one, subject = small_map(), small_map().codes[5]
    place = {kind: one.positions[kind][9] for kind in KINDS}
    by_code, by_identity, by_expression = (one.face_at(place[kind], kind, subject)
                                           for kind in ("code", "identity", "expression"))
    there = one.codes[9]
    for found, wanted in ((by_code, there.codes.pair), (by_identity, there.identity + subject.expression),
                          (by_expression, subject.identity + there.expression)):
        torch.testing.assert_close(found.depth_code, wanted.depth, atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(found.albedo_code, wanted.albedo, atol=1e-3, rtol=1e-3)


def test_without_a_subject_places_have_no_expression_or_the_mean_identity():
    one, subject, nothing = small_map(), small_map().codes[5], CodePair(torch.zeros(1, 256), torch.zeros(1, 256))
    alone, neutral = one.face_at((0, 0), "identity"), replace(subject, expression=nothing)
    torch.testing.assert_close(alone.depth_code, one.face_at((0, 0), "identity", neutral).depth_code)
    change = one.face_at((0, 0), "expression").depth_code - one.face_at((0, 0), "expression", subject).depth_code
    wanted = one.codes.identity.depth.mean(0) - subject.identity.depth[0]
    torch.testing.assert_close(change[0], wanted, atol=1e-4, rtol=1e-4)


def test_faces_change_smoothly_along_a_path():
    one = small_map()

    def largest_step(count):
        path = [one.face_at((x, 0.1), "code").depth_code for x in np.linspace(-1, 1, count)]
        return torch.cat(path).diff(dim=0).norm(dim=1).max()

    assert largest_step(2000) < 0.4 * largest_step(400)  # a jump would stay as large


def test_chosen_faces_are_exported(tmp_path):
    small_map().export([4, 9], tmp_path / "faces.zip")
    with zipfile.ZipFile(tmp_path / "faces.zip") as file:
        rows = list(csv.DictReader(io.StringIO(file.read("faces.csv").decode())))
        codes = np.load(io.BytesIO(file.read("codes.npz")))
        assert file.read("thumbnails/00009.webp") == bytes([9]) * 10
    assert [row["name"] for row in rows] == ["face <4>", "face <9>"]
    assert float(rows[1]["identity_x"]) == pytest.approx(small_map().positions["identity"][9, 0], abs=1e-4)
    np.testing.assert_allclose(codes["identity"] + codes["expression"], codes["code"], atol=1e-4)
    assert codes["synthetic"]


def damaged(change) -> bytes:
    """A map's file with some of its arrays changed."""
    with tempfile.TemporaryDirectory() as folder:
        small_map().write(Path(folder) / "map")
        with np.load(Path(folder) / "map") as file:
            arrays = dict(file)
    arrays.update(change(arrays))
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


@pytest.mark.parametrize("content", [
    b"", b"no map at all", damaged(lambda arrays: {})[:5000],
    damaged(lambda arrays: {"names": arrays["names"][:5]}),
    damaged(lambda arrays: {"whole": np.full_like(arrays["whole"], np.nan)}),
    damaged(lambda arrays: {"whole": arrays["whole"][0]}),
    damaged(lambda arrays: {"identity": arrays["identity"][:5]}),
    damaged(lambda arrays: {"positions.code": np.full((COUNT, 2), np.inf)}),
    damaged(lambda arrays: {"positions.code": np.zeros((COUNT, 3))}),
    damaged(lambda arrays: {"positions.face": np.zeros((COUNT, 2))}),
    damaged(lambda arrays: {"names": np.array([{"a": 1}], dtype=object)}),
], ids=["empty", "text", "cut", "names", "nan", "flat", "identity", "infinite", "solid", "unknown kind", "pickle"])
def test_what_is_no_map_is_refused_with_a_sentence(tmp_path, content):
    (tmp_path / "map.npz").write_bytes(content)
    with pytest.raises(MapUnreadable, match="map"):
        LatentMap.read(tmp_path / "map.npz")


def test_a_missing_file_is_refused_with_a_sentence(tmp_path):
    with pytest.raises(MapUnreadable, match="build_map"):
        LatentMap.read(tmp_path / "none.npz")


def test_the_bundled_map_belongs_to_the_bundled_weights(model):
    assert len(model.map()) > 300
    with pytest.raises(MapUnreadable, match="other weights"):
        small_map().check_weights(model.fingerprint)


def test_the_bundled_map_keeps_neighbors_together_and_has_credited_thumbnails():
    from sklearn.manifold import trustworthiness

    one = LatentMap.read()
    assert BUNDLED.stat().st_size < 4e6 and len(one) > 300
    assert "CC BY 4.0" in one.credit and set(one.columns["source"]) == {"London Set", "rendered"}
    for kind in one.kinds:
        assert trustworthiness(Space(code_rows(one.codes, kind)).rows, one.positions[kind], n_neighbors=10) > 0.8
    assert all(Image.open(io.BytesIO(data)).size == (256, 256) for data in one.thumbnails[::50])


def test_a_map_is_made_of_faces(model, monkeypatch):
    rng = np.random.default_rng(0)
    monkeypatch.setattr("core.latent_map.builder.umap_layout",
                        lambda rows: rng.uniform(-1, 1, (len(rows), 2)).astype(np.float32))
    maker = MapBuilder(model)
    faces = [face_from_crop(rng.integers(0, 255, (64, 64, 3), np.uint8), Crop((31.5, 31.5), 64), 64) for _ in range(35)]
    for number, face in enumerate(faces[:11]):
        maker.add(face, f"{number}")
    with pytest.raises(FaceNotFound, match="11 faces"):
        next(maker.embed())
    for number, face in enumerate(faces[11:], 11):
        maker.add(face, f"{number}", age=number)
    assert list(maker.embed()) == (list(KINDS) if model.diffusion else ["code"])
    made = maker.finish("Nobody")
    made.check_weights(model.fingerprint)
    torch.testing.assert_close(made.codes.codes.depth_code, model.encode(faces).depth_code, atol=1e-4, rtol=1e-4)
    assert np.isnan(made.columns["age"]).sum() == 11 and "smile" not in made.columns
    assert np.isfinite(made.columns["yaw"]).all() and (made.columns["confidence"] > 0).all()
