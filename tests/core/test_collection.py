"""Codes of collections: what a row holds, the same bits whatever the batch, and runs that are interrupted."""

import io
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from core.collection import Encoder, encode_photos, read_metadata, schema_of
from core.config import ModelConfig
from core.errors import ConfigError, FaceNotFound, OutputExists
from core.export.quality import SIDE
from core.export.report import report
from core.faces import find_face
from core.model.autoencoder import Autoencoder
from core.pipeline import LatentFace

DATA = Path(__file__).parents[1] / "data"
PHOTOS = sorted(DATA.glob("*.jpg"))
CODES = ("codes", "identity", "expression")


@pytest.fixture(scope="module")
def encoder():
    return Encoder()


@pytest.fixture(scope="module")
def rows(encoder):
    """Rows of the test photos, with the bundled weights."""
    table, left_out = encoder.encode([path.name for path in PHOTOS], PHOTOS)
    assert not left_out
    return table


@pytest.fixture
def crops(tmp_path):
    """Seven aligned photos; the fifth is damaged."""
    folder = tmp_path / "crops"
    folder.mkdir()
    noise = np.random.default_rng(0)
    for number in range(7):
        Image.fromarray(noise.integers(0, 256, (80, 80, 3), np.uint8)).save(folder / f"{number}.png")
    (folder / "4.png").write_bytes(b"damaged")
    return [(path.name, path) for path in sorted(folder.iterdir())]


def test_a_row_holds_what_the_analysis_says(encoder, rows):
    assert rows.schema.equals(encoder.schema) and read_metadata(rows.schema)["weights"] == encoder.model.fingerprint
    assert rows.column("file").to_pylist() == [path.name for path in PHOTOS]
    face = find_face(PHOTOS[0], full_size=SIDE)
    factors = encoder.model.analyze([face], fine=False)
    row, said = rows.slice(0, 1).to_pylist()[0], report(factors, face)
    assert row["face"] == 1 and row["confidence"] == pytest.approx(said["confidence"], abs=1e-4)
    for name in ("crop", "pose", "pose_in_photo"):
        assert row[name] == pytest.approx(said[name], abs=1e-2)
    light = row["light"] | {"direction": tuple(row["light"]["direction"])}
    assert light.pop("direction") == pytest.approx(said["light"].pop("direction"), abs=1e-4)
    assert light == pytest.approx(said["light"], abs=1e-4)
    parts = encoder.model.split(factors.codes)
    for name, pair in (("codes", factors.codes.pair), ("identity", parts.identity), ("expression", parts.expression)):
        assert row[name] == pytest.approx(torch.cat([pair.depth, pair.albedo], 1)[0].tolist(), abs=1e-3)


def test_rows_are_the_same_to_the_last_bit_in_any_company(encoder, rows):
    threads = torch.get_num_threads()
    alone = [encoder.encode([path.name], [path])[0] for path in PHOTOS]
    torch.set_num_threads(2)
    try:
        together = encoder.encode([path.name for path in PHOTOS[::-1]], PHOTOS[::-1])[0]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)
    assert pa.concat_tables(alone).combine_chunks().equals(rows.combine_chunks())
    assert together.sort_by("file").combine_chunks().equals(rows.combine_chunks())


def test_a_batch_is_a_batch_of_ray_data(encoder, rows, monkeypatch):
    batch = {"path": np.array([str(path) for path in PHOTOS], object),
             "bytes": np.array([path.read_bytes() for path in PHOTOS], object)}
    monkeypatch.setattr(encoder, "root", f"{DATA}/")
    assert encoder(batch).combine_chunks().equals(rows.combine_chunks())


def test_aligned_photos_are_taken_whole(rows):
    face = find_face(PHOTOS[0], full_size=512)
    file = io.BytesIO()
    Image.fromarray((face.full * 255).round().byte().permute(1, 2, 0).numpy()).save(file, "PNG")
    noise = np.random.default_rng(0).integers(0, 256, (80, 64, 3), np.uint8)
    found, left_out = Encoder(aligned=True).encode(["aligned", "no square"], [file.getvalue(), noise])
    row, expected = found.to_pylist()[0], rows.slice(0, 1).to_pylist()[0]
    assert row["crop"] == {"x": 255.5, "y": 255.5, "side": 512, "roll": 0}
    assert row["pose_in_photo"]["roll"] == pytest.approx(row["pose"]["roll"], abs=1e-4)
    assert np.corrcoef(row["codes"], expected["codes"])[0, 1] > 0.99
    assert list(left_out) == ["no square"] and "64 × 80" in left_out["no square"]


def test_without_diffusion_there_is_no_split(weights, crops):
    table = Encoder(weights, aligned=True).encode(*map(list, zip(*crops, strict=True)))[0]
    assert table.column("identity").null_count == table.column("expression").null_count == len(table) == 6
    assert table.schema.equals(schema_of(512))


def test_rows_have_as_many_numbers_as_the_models_codes(crops, tmp_path):
    autoencoder = Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8, detail_size=64))
    LatentFace(autoencoder).save_pretrained(tmp_path / "model")
    table = Encoder(tmp_path / "model", aligned=True).encode(*map(list, zip(*crops[:2], strict=True)))[0]
    assert table.schema.equals(schema_of(256 + 256 + 64)) and len(table["codes"][0]) == 576


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("core.collection.PHOTOS_OF_PART", 2)


def interrupt_after(count):
    """A `report` that interrupts the run after some parts."""
    seen = []

    def report(photos):
        seen.append(photos)
        if len(seen) == count:
            raise KeyboardInterrupt

    return report


def test_an_interrupted_run_goes_on_and_ends_with_the_same_bytes(small_parts, weights, crops, tmp_path):
    whole, broken = tmp_path / "whole.parquet", tmp_path / "broken.parquet"
    summary = encode_photos(crops, whole, weights, aligned=True)
    assert summary.faces == 6 and list(summary.left_out) == ["4.png"]
    with pytest.raises(KeyboardInterrupt):
        encode_photos(crops, broken, weights, aligned=True, report=interrupt_after(2))
    parts = tmp_path / "broken.parquet.parts"
    finished = {path: path.stat().st_mtime_ns for path in parts.glob("*.parquet")}
    assert len(finished) == 2 and not broken.exists()
    (parts / "000001.parquet").write_bytes(b"torn")
    counts = []
    assert encode_photos(crops, broken, weights, aligned=True, report=counts.append) == summary
    assert counts[0] == 2 and sum(counts) == 7 and not parts.exists()
    assert broken.read_bytes() == whole.read_bytes()


def test_workers_write_the_same_bytes(small_parts, weights, crops, tmp_path):
    for workers in (1, 2):
        encode_photos(crops, tmp_path / str(workers), weights, aligned=True, workers=workers)
    assert (tmp_path / "1").read_bytes() == (tmp_path / "2").read_bytes()
    assert read_metadata(pq.read_schema(tmp_path / "1"))["left_out"].keys() == {"4.png"}


def test_parts_of_other_photos_are_not_continued(small_parts, weights, crops, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        encode_photos(crops, tmp_path / "codes", weights, aligned=True, report=interrupt_after(1))
    with pytest.raises(ConfigError, match="other photos"):
        encode_photos(crops[1:], tmp_path / "codes", weights, aligned=True)
    with pytest.raises(ConfigError, match="settings"):
        encode_photos(crops, tmp_path / "codes", weights)


def test_no_face_at_all_and_a_file_of_the_users(weights, crops, tmp_path):
    with pytest.raises(FaceNotFound, match="any of the 1 photos"):
        encode_photos(crops[4:5], tmp_path / "codes", weights, aligned=True)
    (tmp_path / "codes").write_text("mine")
    with pytest.raises(OutputExists):
        encode_photos(crops, tmp_path / "codes", weights, aligned=True)
    assert not (tmp_path / "codes.parts").exists() and (tmp_path / "codes").read_text() == "mine"


def test_names_that_are_no_utf8_are_escaped(weights, crops, tmp_path):
    name = os.fsdecode(b"caf\xe9.png")
    encode_photos([(name, crops[0][1])], tmp_path / "codes", weights, aligned=True)
    assert pq.read_table(tmp_path / "codes").column("file").to_pylist() == [r"caf\xe9.png"]


@pytest.mark.timeout(600)
def test_ray_writes_the_same_rows_though_a_worker_is_killed(weights, crops, tmp_path):
    ray = pytest.importorskip("ray", reason="requirements-batch.txt is not installed")
    names = [path.name for _, path in crops]
    expected = Encoder(weights, aligned=True).encode(names, [path for _, path in crops])[0]
    mark = tmp_path / "killed"

    class Killed(Encoder):
        """An encoder whose process is ended at the third batch."""

        def __call__(self, batch):
            if "3.png" in str(batch["path"]) and not mark.exists():
                mark.touch()
                os._exit(1)
            return super().__call__(batch)

    ray.init(num_cpus=4, include_dashboard=False, log_to_driver=False)
    try:
        photos = ray.data.read_binary_files([str(path) for _, path in crops], include_paths=True)
        options = {"weights": weights, "aligned": True, "root": f"{crops[0][1].parent}/"}
        photos.map_batches(Killed, fn_constructor_kwargs=options, batch_size=2, num_cpus=1,
                           compute=ray.data.ActorPoolStrategy(size=2)).write_parquet(str(tmp_path / "rows"))
    finally:
        ray.shutdown()
    found = pq.read_table(tmp_path / "rows").sort_by("file")
    assert mark.exists() and found.combine_chunks().equals(expected.combine_chunks())
