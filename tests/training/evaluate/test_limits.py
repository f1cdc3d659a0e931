"""Limits are measured right: MediaPipe's own answer is as good as an answer can be, and the truth is in place."""

import csv
import io
import json
import math
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from core.errors import ConfigError
from core.faces import Crop, find_face
from core.pipeline import LatentFace
from core.types import View
from training.evaluate.__main__ import parser
from training.evaluate.metrics import explained_variance
from training.evaluate.protocols import limits

FACES = ("131_smiling.jpg", "139_neutral.jpg")


def answers(count=90):
    rng = np.random.default_rng(0)
    return {"pose": rng.normal(0, 20, (count, 2)), "z": rng.normal(size=(count, 478)),
            "blendshapes": rng.uniform(size=(count, 5))}


def test_its_own_answer_reaches_everything():
    mediapipe, group = answers(), np.repeat(np.arange(30), 3)
    depth = np.stack([2 * mediapipe["z"] + 1, np.ones_like(mediapipe["z"])], 1)
    way = {"pose": mediapipe["pose"] / 2, "depth": depth, "features": mediapipe["blendshapes"] @ np.eye(5)[::-1]}
    found = {key: figure(np.arange(90)) for key, figure in limits.measures(mediapipe, way, group).items()}
    expected = {key: 0.5 if key.endswith("slope") else 1.0 for key in limits.ROWS if key != "found"}
    assert found == pytest.approx(expected, abs=1e-3)


def test_depth_is_explained_by_band_of_yaw():
    mediapipe, group = answers(), np.arange(90)
    mediapipe["pose"][:, 1] = np.repeat([4, 15, 40], 30)
    z = mediapipe["z"].copy()
    z[60:] = np.random.default_rng(1).normal(size=(30, 478))
    way = {"depth": np.stack([z, np.ones_like(z)], 1)}
    found = [limits.measures(mediapipe, way, group)[f"depth_{high}"](np.arange(90)) for _, high in limits.YAW_BANDS]
    assert found == pytest.approx([1, 1, 0], abs=0.02)


def test_standard_error_is_that_of_people():
    values, group = np.repeat(np.random.default_rng(0).normal(size=400), 4), np.repeat(np.arange(400), 4)
    assert limits.standard_error(lambda rows: values[rows].mean(), group) == pytest.approx(1 / 20, rel=0.2)


def test_a_crop_shows_the_depth_it_shows():
    depth = np.arange(limits.SIZE, dtype=np.float32)[None].repeat(limits.SIZE, 0)
    mask = depth < 200
    middle = (limits.SIZE - 1) / 2
    seen, inside = limits.in_crop(depth, mask, Crop((middle, middle), limits.SIZE))
    assert np.abs(seen[0] - (np.arange(64) * 4 + 1.5)).max() <= 0.5
    assert (inside == (seen < 200)).all()
    right, inside = limits.in_crop(depth, mask | True, Crop((limits.SIZE - 1, middle), limits.SIZE))
    assert not inside[:, 33:].any() and inside[:, :32].all()
    coarse = np.arange(64, dtype=np.float32)[None].repeat(64, 0)  # the same view in 64 pixels
    seen, _ = limits.in_crop(coarse, coarse >= 0, Crop((middle, middle), limits.SIZE))
    assert np.abs(seen[0] - np.arange(64)).max() <= 0.5


def test_truth_and_mediapipe_see_the_same_face(monkeypatch):
    monkeypatch.setattr(limits, "PER_PERSON", 3)
    mediapipe, truth, found = limits.answers_on_renders(2, torch.ones(64, 64))
    assert found == 1 and truth["person"].tolist() == [0, 0, 0, 1, 1, 1]
    assert np.abs(truth["pose"] - mediapipe["pose"]).mean() < 6
    assert explained_variance(truth["depth"][:, 0], mediapipe["z"], truth["depth"][:, 1] > 0) > 0.2
    assert truth["depth"][:, 1].mean() > 0.6  # of the inner landmarks, which are 70 %


def test_a_mirrored_photo_is_mirrored_back(request, tmp_path):
    faces = [find_face(request.config.rootpath / "tests/data" / name, 64, limits.CROP) for name in FACES]
    with tarfile.open(tmp_path / "val-000.tar", "w") as tar, open(tmp_path / "val.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name"])
        for number, face in enumerate(faces):
            jpeg = io.BytesIO()
            Image.fromarray((face.full.permute(1, 2, 0) * 255).byte().numpy()).save(jpeg, "jpeg", quality=95)
            member = tarfile.TarInfo(f"{number:06d}.jpg")
            member.size = len(jpeg.getvalue())
            jpeg.seek(0)
            tar.addfile(member, jpeg)
            rows.writerow([f"{number:06d}"])
    landmarks = np.stack([face.landmarks for face in faces])
    poses = np.degrees([face.pose.rotation[0, :2].numpy() for face in faces])
    for looks in (limits.mirrored_looks, limits.small_looks):
        found, second = looks(tmp_path, landmarks, None)
        assert found.all()
        assert np.abs(second["pose"] - poses).max() < 4
        assert explained_variance(second["z"], landmarks[..., 2], np.ones((2, 478), bool)) > 0.95


def test_true_depth_in_the_true_pose_errs_least(request):
    truth = limits.read_renders(request.config.rootpath / "tests/data/gate.npz")

    class Knowing(LatentFace):
        def analyze(self, images):
            found = super().analyze(images)
            return replace(found, canon_depth=truth["cd"], view=View(*truth["view"].split((3, 2), 1)))

    model = Knowing(LatentFace.from_pretrained().autoencoder)
    figures = limits.in_view(model, truth)
    for values in figures.values():
        assert values["depth"] == values["pose"] == values["both"] == values["true"] < values["mean"]
    assert figures["side"]["best"] < figures["side"]["true"]


def test_command_writes_its_report(request, tmp_path, monkeypatch):
    for name, value in (("LEAST_PEOPLE", 12), ("PER_PERSON", 1), ("DRAWS", 3)):
        monkeypatch.setattr(limits, name, value)
    arguments = ["limits", "--renders", str(request.config.rootpath / "tests/data/gate.npz"),
                 "--out", str(tmp_path / "report.json"), "--people"]
    with pytest.raises(ConfigError, match="--people"):
        limits.run(parser().parse_args([*arguments, "11"]))
    limits.run(parser().parse_args([*arguments, "12"]))
    report = json.loads((tmp_path / "report.json").read_text())
    assert set(report["figures"]) == set(limits.ROWS)
    assert set(report["standard_errors"]) == set(limits.ROWS) - {"found"}
    assert all(math.isfinite(value) for values in report["figures"].values() for value in values.values())
