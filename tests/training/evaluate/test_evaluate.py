"""The measurements themselves are measured here, on cases whose answers are known."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.config import ModelConfig
from core.errors import ConfigError
from core.files import MANIFEST
from core.geometry.camera import pixel_grid
from core.model.autoencoder import Autoencoder
from core.model.weights import save_weights
from tests.training.packs import random_jpegs, write_csv, write_photos
from training.evaluate import groups, metrics, report
from training.evaluate.__main__ import parser
from training.evaluate.london import change
from training.evaluate.photos import INNER, landmark_values
from training.evaluate.protocols.geometry import run

SIZE = 32


def tilted(degrees: float, size: int = SIZE) -> torch.Tensor:
    """(1, size, size) depth of a plane through (0, 0, 1), turned about the x axis."""
    rays = (pixel_grid(size)[..., 1] - (size - 1) / 2) / (size - 1) * 2 * math.tan(math.radians(5))
    return (1 / (1 - rays * math.tan(math.radians(degrees))))[None]


def test_erosion_starts_at_the_edges_of_mask_and_image():
    mask = torch.zeros(1, 9, 9, dtype=torch.bool)
    mask[:, :7, 1:8] = True
    inner = metrics.erode(mask, 2)
    assert inner.sum() == 9
    assert inner[0, 2:5, 3:6].all()
    mask = torch.ones(1, 9, 9, dtype=torch.bool)
    mask[0, 4, 4] = False
    assert metrics.erode(mask, 1)[0, 3, 3] and not metrics.erode(mask, 2)[0, 3, 3]  # a diagonal is two steps


def test_side_ignores_scale_and_sees_shape():
    truth = 1 + 0.05 * torch.rand(2, SIZE, SIZE)
    mask = torch.rand(2, SIZE, SIZE) < 0.7
    assert metrics.side(truth * 1.3, truth, mask) == pytest.approx(0, abs=1e-4)
    step = torch.where(torch.arange(SIZE) < SIZE // 2, -0.01, 0.01).exp()
    assert metrics.side(truth * step, truth, torch.ones_like(mask)) == pytest.approx(1, rel=1e-3)


def test_mad_of_a_tilted_plane_is_the_tilt():
    mask = metrics.erode(torch.ones(1, SIZE, SIZE, dtype=torch.bool), 2)
    assert metrics.mad(tilted(0), tilted(25), mask) == pytest.approx(25, abs=0.1)
    assert metrics.mad(tilted(25) * 2, tilted(25), mask) == pytest.approx(0, abs=0.1)


def test_only_the_masked_part_counts():
    truth, mask = torch.ones(1, SIZE, SIZE), torch.zeros(1, SIZE, SIZE, dtype=torch.bool)
    mask[:, 4:20, 4:20] = True
    wrong = torch.where(mask, truth, 5 * torch.rand(1, SIZE, SIZE) + 1)
    assert metrics.side(wrong, truth, mask) == pytest.approx(0, abs=1e-6)
    assert metrics.mad(wrong, truth, metrics.erode(mask, 1)) == pytest.approx(0, abs=1e-6)


def test_albedo_error_allows_one_gain_per_image():
    truth, mask = torch.rand(2, 3, SIZE, SIZE), torch.ones(2, SIZE, SIZE, dtype=torch.bool)
    assert metrics.albedo_error(truth * torch.tensor([0.5, 1.7])[:, None, None, None], truth, mask) < 1e-6
    assert metrics.albedo_error(truth.flip(1), truth, mask) > 0.1


def test_turn_between_poses_is_one_angle():
    frontal = torch.zeros(3, 3)
    turned = torch.deg2rad(torch.tensor([[0, 0, 30.0], [0, -0.01, 0], [40, 0, 0]]))
    assert metrics.turns(turned, frontal).tolist() == pytest.approx([30, 0.01, 40], rel=1e-3)
    tilt = torch.deg2rad(torch.tensor([[0, 50.0, 0]]))
    both = torch.deg2rad(torch.tensor([[0, 50.0, 7]]))
    assert metrics.turns(tilt, both).item() == pytest.approx(7, rel=1e-3)  # roll is applied last


def test_ssim_of_flat_images_is_the_ratio_of_their_means():
    mask = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    mask[..., 5:25, 8:30] = True
    first, second = (torch.where(mask, level, torch.rand(1, 3, SIZE, SIZE)) for level in (0.4, 0.2))
    assert metrics.ssim(first, second, mask).item() == pytest.approx((0.16 + 1e-4) / (0.2 + 1e-4), rel=1e-4)
    noise = torch.rand(1, 3, SIZE, SIZE)
    assert metrics.ssim(noise, noise, mask).item() == pytest.approx(1)
    assert metrics.ssim(noise, 1 - noise, mask).item() < 0


def test_explained_variance_allows_one_scale_and_an_offset_per_face():
    truth = np.random.default_rng(0).normal(size=(4, 50))
    where = np.ones_like(truth, bool)
    offsets = np.arange(4)[:, None] * 10
    assert metrics.explained_variance(3 * truth + offsets, truth, where) == pytest.approx(1)
    assert metrics.explained_variance(-truth, truth, where) == 0
    uneven = truth * np.array([[1], [1], [3], [3]])
    assert metrics.explained_variance(uneven, truth, where) < 0.9


def test_rank1_finds_people_and_not_the_query_itself():
    ids = np.array([0, 0, 1, 1])
    rows = np.array([[1, 0.1], [2, 0], [0, 1], [0.1, 5]])
    assert metrics.rank1(rows, rows, ids, ids, same=True) == 1
    assert metrics.rank1(rows, rows, np.arange(4), np.arange(4)) == 1
    assert metrics.rank1(rows, rows, np.arange(4), np.arange(4), same=True) == 0
    assert metrics.rank1(rows[:2], rows[2:], ids[:2], ids[2:]) == 0


def test_probes_read_what_is_there_and_nothing_else():
    random = np.random.default_rng(0)
    rows, tests = random.normal(size=(400, 6)), random.normal(size=(200, 6))
    weights = random.normal(size=(6, 3))
    assert metrics.probe_r2(rows, rows @ weights, tests, tests @ weights) == pytest.approx(1, abs=1e-3)
    noise = random.normal(size=(600, 3))
    assert abs(metrics.probe_r2(rows, noise[:400], tests, noise[400:])) < 0.1
    labels, groups = rows[:, 0] > 0, np.repeat(np.arange(40), 10)
    assert metrics.probe_accuracy(rows, labels, groups).mean() > 0.95


def test_correlation_and_slope():
    truth = np.linspace(-1, 1, 50)
    assert metrics.correlation(0.4 * truth + 3, truth) == pytest.approx((1, 0.4))


def test_landmarks_read_the_depth_at_their_pixel():
    depth = tilted(20, 64).numpy()
    crop_rows = np.arange(20, 108, 4)  # in crop pixels of 128: model pixel (y + 0.5) / 2 - 0.5
    true = depth[0, crop_rows // 2, 32]
    landmarks = np.stack([np.full(len(true), 64.5), crop_rows + 0.5, 100 * true], -1)[None]
    mask = np.ones_like(depth, bool)
    mask[:, 30] = False
    values, seen = landmark_values(depth, mask, landmarks)
    assert values[0] == pytest.approx(true)
    assert (seen[0] == ((true <= np.quantile(true, INNER)) & (crop_rows != 60))).all()


def test_changed_photos_differ_and_repeat():
    photos = torch.rand(3, 3, 16, 16)
    first, again = (change(photos, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first, again)
    assert (first - photos).abs().mean() > 0.05
    assert 0 <= first.min() and first.max() <= 1


def test_previous_release_stands_beside_this_one(tmp_path):
    path = tmp_path / "report.json"
    path.write_text(json.dumps({"figures": {"rig.side": {"model": 0.75, "baseline": 1}}}))
    result = report.table({"rig.side": {"model": 0.5, "baseline": 0.625}}, "", report.read_previous(path))
    shown = {column.header: next(column.cells) for column in result.columns}
    assert (shown["baseline here"], shown["previous release"]) == ("0.625", "0.750")
    path.write_text("[]")
    with pytest.raises(ConfigError, match="--out"):
        report.read_previous(path)


def test_published_rows_have_a_figure_per_column():
    published = report.read_published()
    assert all(len(row["published"]) == len(published["columns"]) for row in published["rows"])


def write_london(folder: Path, random, people: int = 12):
    (folder / "aligned512").mkdir(parents=True)
    rows = [{"file": f"{person:03d}_{face}.jpg", "person": f"{person:03d}", "expression": face,
             "split": "heldout" if person % 2 else "rig"}
            for person in range(people) for face in ("neutral", "smiling")]
    write_csv(folder / "london.csv", rows)
    for name, jpeg in random_jpegs(random, [row["file"] for row in rows]):
        (folder / "aligned512" / name).write_bytes(jpeg)


def write_renders(path: Path, random, count: int = 12):
    """Bowls for heads, at the poses that are noted."""
    bump = (pixel_grid(SIZE) - (SIZE - 1) / 2).norm(dim=-1) / SIZE
    depth = (0.98 + 0.3 * bump**2).clamp(max=1.07).repeat(count, 1, 1).numpy()
    mask = depth < 1.05
    colours = random.integers(0, 255, (count, SIZE, SIZE, 3), dtype=np.uint8)
    np.savez(path, im=colours, cd=depth.astype(np.float16), cm=mask, ca=colours, zin=depth.astype(np.float16), mi=mask,
             view=random.normal(0, 0.01, (count, 5)).astype(np.float32),
             light=random.uniform(0.2, 0.5, (count, 4)).astype(np.float32),
             id=np.repeat(np.arange(count // 3), 3), ex=random.uniform(size=(count, 57)).astype(np.float32))


def write_pack(folder: Path, random, count: int = 30):
    folder.mkdir()
    normal = np.zeros((count, SIZE, SIZE, 3), np.int8)
    normal[..., 2] = 127
    np.savez(folder / "rig_0000.npz", normal=normal, mask=np.ones((count, SIZE, SIZE), np.uint8),
             albedo=random.integers(0, 255, (count, SIZE, SIZE, 3), dtype=np.uint8),
             expression=random.uniform(size=(count, 57)).astype(np.float16))


def test_command_measures_every_figure(tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "LEAST", 4)
    random, config = np.random.default_rng(0), ModelConfig(image_size=SIZE, width=8, pose_width=8)
    weights, out, figures = tmp_path / "weights.safetensors", tmp_path / "report.json", tmp_path / "figures"
    save_weights(weights, Autoencoder(config).state_dict(), config, {"steps": "7"})
    write_renders(tmp_path / "renders.npz", random)
    write_photos(tmp_path / "photos", random)
    write_london(tmp_path / "london", random)
    write_pack(tmp_path / "pack", random)
    run(parser().parse_args(["geometry", "--weights", str(weights), "--renders", str(tmp_path / "renders.npz"),
                             "--photos", str(tmp_path / "photos"), "--london", str(tmp_path / "london"),
                             "--rig-pack", str(tmp_path / "pack"), "--out", str(out), "--figures", str(figures)]))
    written = json.loads(out.read_text())
    assert written["metadata"]["steps"] == "7"
    assert set(written["figures"]) == {row["key"] for row in report.read_published()["rows"]}
    values = [value for figure in written["figures"].values() for value in figure.values()]
    assert np.isfinite(values).all()
    assert written["figures"]["rig.side"]["baseline"] == pytest.approx(0, abs=1e-3)  # all heads are the same
    assert [group["photos"] for group in written["groups"]["sex"].values()] == [6, 6]
    assert {path.name for path in figures.iterdir()} == {
        "renders-by-yaw.png", "renders-worst-side.png", "renders-worst-pose.png", "photos-by-yaw.png",
        "photos-pose.png", "photos-worst-l1.png", "photos-worst-pose.png", "photos-groups.png",
        MANIFEST}


def test_command_asks_for_data():
    with pytest.raises(ConfigError, match="--renders"):
        run(parser().parse_args(["geometry"]))


def test_help_answers_without_torch():
    program = "import sys, training.evaluate.__main__ as m; m.parser(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], check=False).returncode == 0
