"""Finding and aligning faces, against the crops of the London Set and against photos made difficult on purpose."""

import csv
import io
import math
import multiprocessing
import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from core.errors import ConfigError, FaceNotFound, ImageTooSmall, WeightsDamaged, WeightsMissing
from core.faces import (
    Crop,
    align,
    crop_from_matrix,
    detect,
    face_from_crop,
    find_face,
    find_faces,
    landmarker,
    pose_from_matrix,
)
from core.geometry.camera import rotation_matrix
from training.rig.rig import Rig

ROOT = Path(__file__).resolve().parents[3]
with open(ROOT / "tests/data/crops.csv", newline="") as file:
    LONDON = {row["path"]: {k: float(v) for k, v in row.items() if k != "path"} for row in csv.DictReader(file)}
TILTED = "tests/data/001_smiling.jpg"
OTHER = "assets/examples/061_smiling.jpg"


def photo(name=TILTED, size=None):
    image = Image.open(ROOT / name).convert("RGB")
    return image if size is None else image.resize((size, size), Image.Resampling.LANCZOS)


def expected(name=TILTED, scale=1.0, offset=(0, 0)):
    row = LONDON[name]
    centre = (row["crop_x"] * scale + offset[0], row["crop_y"] * scale + offset[1])
    return Crop(centre, row["crop_side"] * scale, math.radians(row["roll_deg"]))


def assert_crop(crop, truth, part, degrees):
    """Centre and side within `part` of the side, roll within `degrees`."""
    assert math.dist(crop.centre, truth.centre) < part * truth.side
    assert abs(crop.side / truth.side - 1) < part
    assert abs(math.degrees(math.remainder(crop.roll - truth.roll, 2 * math.pi))) < degrees


@pytest.fixture(scope="module")
def face():
    return find_faces(photo())[0]


@pytest.mark.parametrize("name", LONDON)
def test_crop_and_pose_agree_with_the_london_set(name):
    (found,) = find_faces(ROOT / name, full_size=64)
    assert_crop(found.crop, expected(name), part=0.01, degrees=0.5)
    pose = [LONDON[name][f"{axis}_deg"] for axis in ("pitch", "yaw", "roll")]
    assert np.abs(np.degrees(found.pose.rotation[0].numpy()) - pose).max() < 0.75


def test_face_is_complete(face):
    assert face.image.shape == (3, 64, 64) and face.full.shape == (3, 512, 512)
    assert face.image.dtype == torch.float32 and 0 <= face.full.min() < face.full.max() <= 1
    assert face.landmarks.shape == (478, 3) and len(face.blendshapes) == 52
    assert max(face.blendshapes["mouthSmileLeft"], face.blendshapes["mouthSmileRight"]) > 0.5
    left, top, right, bottom = face.box
    assert left < face.crop.centre[0] < right and top < face.crop.centre[1] < bottom


def test_aligned_face_is_upright_and_small_one_is_its_average(face):
    right_eye, left_eye = face.landmarks[[33, 263], :2]
    tilt = math.degrees(math.atan2(*(left_eye - right_eye)[::-1]))
    assert abs(tilt) < 2 < abs(LONDON[TILTED]["roll_deg"])
    average = torch.nn.functional.avg_pool2d(face.full, 8)
    assert (face.image - average).abs().mean() < 0.01


def test_pose_from_matrix_has_the_axes_of_geometry():
    rotation = torch.tensor([[0.2, -0.4, 0.3]])
    flip = np.diag([1.0, -1.0, -1.0])
    matrix = np.eye(4)
    matrix[:3, :3] = 1.7 * flip @ rotation_matrix(rotation)[0].numpy() @ flip
    found, scale = pose_from_matrix(matrix)
    assert np.allclose(found, rotation[0], atol=1e-6) and scale == pytest.approx(1.7)


def test_crop_from_matrix_of_a_centred_head():
    matrix = np.eye(4)
    matrix[:3, 3] = (0, 1.7, -54)  # the pivot 50 cm in front of the camera
    crop = crop_from_matrix(matrix, 400, 200)
    assert crop.centre == pytest.approx((200, 100)) and crop.roll == 0
    assert crop.side == pytest.approx(16.8 * 100 / math.tan(math.radians(31.5)) / 50)


def test_crop_coordinates_round_trip():
    crop = Crop((70.0, 40.0), 90.0, 0.4)
    points = np.random.default_rng(0).uniform(-9, 99, (5, 3))
    assert np.allclose(crop.from_photo(crop.to_photo(points, 64), 64), points)
    assert np.allclose(crop.to_photo(np.array([31.5, 31.5]), 64), crop.centre)


def test_align_maps_edges_to_edges():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    same = align(pixels, Crop((29.5, 19.5), 20), 20)
    assert torch.equal(same, torch.from_numpy(pixels[10:30, 20:40]).permute(2, 0, 1) / 255)
    quarter = align(pixels, Crop((29.5, 19.5), 20, math.pi / 2), 20)
    assert torch.allclose(quarter, same.rot90(1, (1, 2)), atol=1.5 / 255)


def test_align_averages_when_it_shrinks():
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[::2] = 255  # single lines: without a low-pass they alias to black or white
    small = align(pixels, Crop((127.5, 127.5), 200, 0.05), 16)
    assert (small - 0.5).abs().max() < 0.03


def test_align_reflects_beyond_the_photo():
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    image = align(pixels, Crop((-0.5, 15.5), 32), 32)
    assert torch.equal(image[:, :, 1:16].flip(2), image[:, :, 17:32])


def test_crop_by_hand():
    crop = Crop((300.0, 350.0), 200.0, 0.1)
    face = face_from_crop(photo(), crop, image_size=32, full_size=256)
    assert face.image.shape == (3, 32, 32) and face.full.shape == (3, 256, 256) and face.crop == crop
    assert face.landmarks is face.blendshapes is face.pose is None
    assert torch.equal(face.full, align(photo(), crop, 256))


@pytest.mark.parametrize("crop, error", [(Crop((50, 50), 10), ImageTooSmall), (Crop((50, 50), 1e9), ConfigError),
                                         (Crop((900, 50), 99), ConfigError), (Crop((50, math.nan), 99), ConfigError)])
def test_impossible_crops(crop, error):
    with pytest.raises(error):
        align(photo(), crop, 64)


@pytest.mark.parametrize("size", [360, 72])
def test_small_photo(size):
    (found,) = find_faces(photo(size=size), full_size=64)
    assert_crop(found.crop, expected(scale=size / 720), part=0.05, degrees=2)


@pytest.mark.parametrize("size", [240, 120])
def test_face_small_in_a_wide_frame(size):
    wide = Image.new("RGB", (1600, 900), (110, 125, 140))
    wide.paste(photo(size=size), (900, 300))
    (found,) = find_faces(wide, full_size=64)
    assert_crop(found.crop, expected(scale=size / 720, offset=(900, 300)), part=0.06, degrees=2)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_photo_on_its_side_or_upside_down(turns, face):
    wide = Image.new("RGB", (900, 720), (200, 200, 200))
    wide.paste(photo(), (100, 0))
    (found,) = find_faces(np.rot90(np.asarray(wide), turns))
    truth = expected(offset=(100, 0))
    x, y, width, height = *truth.centre, 900, 720
    for _ in range(turns):
        x, y, width, height = y, width - 1 - x, height, width
    assert_crop(found.crop, Crop((x, y), truth.side, truth.roll - turns * math.pi / 2), part=0.03, degrees=2)
    assert (found.image - face.image).abs().mean() < 0.03


@pytest.mark.parametrize(("name", "degrees"), [("061_smiling", 120), ("061_smiling", 150), ("129_smiling", -120)])
def test_a_small_face_that_is_nearly_upside_down_is_not_read_the_other_way_up(name, degrees):
    portrait = photo(f"assets/examples/{name}.jpg", 400)
    wall = portrait.getpixel((3, 3))
    turned = ImageOps.expand(portrait, 150, wall).rotate(-degrees, Image.Resampling.BICUBIC, True, fillcolor=wall)
    found = find_face(turned, full_size=64).pose.rotation[0, 2].item()
    assert abs(math.remainder(found - math.radians(degrees), 2 * math.pi)) < math.radians(8)


def test_face_cut_off_at_the_border():
    crop = expected()
    left = round(crop.centre[0] - 0.4 * crop.side)
    (found,) = find_faces(photo().crop((left, 0, 720, 720)), full_size=64)
    assert_crop(found.crop, expected(offset=(-left, 0)), part=0.06, degrees=2)


def test_all_faces_largest_first():
    group = Image.new("RGB", (1300, 720), (200, 200, 200))
    group.paste(photo(OTHER, 500), (0, 100))
    group.paste(photo(), (560, 0))
    first, second = find_faces(group, full_size=64)
    assert_crop(first.crop, expected(offset=(560, 0)), part=0.06, degrees=3)
    assert_crop(second.crop, expected(OTHER, 500 / 720, (0, 100)), part=0.06, degrees=3)
    alone = find_face(group, full_size=64)
    assert alone.crop == first.crop and torch.equal(alone.image, first.image)


def joined(*parts, size):
    """One photo of several: (name, side, corner) each."""
    image = Image.new("RGB", size, (150, 160, 170))
    for name, side, corner in parts:
        image.paste(photo(name, side), corner)
    return image


@pytest.mark.parametrize("large", [350, 357, 420])
def test_the_second_person_is_found_beside_a_near_one(large):
    near, far = round(720 * large / LONDON[TILTED]["crop_side"]), 480
    people = joined((TILTED, near, (0, 60)), (OTHER, far, (920, 150)), size=(1400, 1100))
    assert len(find_faces(people, full_size=64)) == 2
    for quality in (95, 80, 60):
        buffer = io.BytesIO()
        people.save(buffer, "JPEG", quality=quality)
        assert len(find_faces(buffer.getvalue(), full_size=64)) == 2


@pytest.fixture(scope="module")
def group():
    """30 people, each 0.07 of the photo."""
    names = [*LONDON, *(f"assets/examples/{path.name}" for path in sorted((ROOT / "assets/examples").glob("*.jpg")))]
    return np.asarray(joined(*((names[i % len(names)], 200, (i % 6 * 200, i // 6 * 200)) for i in range(30)),
                             size=(1200, 1000)))


def test_every_face_of_a_large_group_is_found_at_any_speed(group, monkeypatch):
    first = detect.locate(group)
    cells = {(int(x // 200), int(y // 200)) for x, y in (face.crop.centre for face in first)}
    assert len(first) == len(cells) == 30
    run = detect.run_landmarker

    def slow(pixels):
        time.sleep(0.06)
        return run(pixels)

    monkeypatch.setattr(detect, "run_landmarker", slow)
    assert [face.crop for face in detect.locate(group)] == [face.crop for face in first]


def test_the_search_ends_at_the_most_faces(group, monkeypatch):
    monkeypatch.setattr(detect, "MAX_FACES", 12)
    assert len(detect.locate(group)) == 12


def test_the_work_of_a_search_is_bounded(monkeypatch):
    looks = []
    monkeypatch.setattr(detect, "run_detector", lambda pixels: looks.append(pixels.shape) or [])
    monkeypatch.setattr(detect, "run_landmarker", lambda pixels: [])
    assert detect.locate(np.zeros((2048, 2048, 3), np.uint8)) == []
    assert len(looks) == 8 + 4 + 25 + 100  # the eighths of a turn, then three levels of tiles


@pytest.mark.parametrize("first", [OTHER, None])
def test_what_was_seen_before_does_not_change_a_result(first):
    pixels = np.asarray(photo())
    landmarker.close()
    fresh = landmarker.run_landmarker(pixels)[0]
    landmarker.run_landmarker(np.zeros((300, 200, 3), np.uint8) if first is None else np.asarray(photo(first)))
    again = landmarker.run_landmarker(pixels)[0]
    assert np.array_equal(fresh.landmarks, again.landmarks) and np.array_equal(fresh.matrix, again.matrix)
    assert fresh.blendshapes == again.blendshapes


def test_no_face():
    for empty in (np.full((300, 400, 3), 128, np.uint8), np.random.default_rng(0).integers(0, 256, (99, 99), np.uint8)):
        with pytest.raises(FaceNotFound, match="by hand"):
            find_faces(empty)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # MediaPipe closing a dead graph
def test_one_bad_packet_does_not_stop_the_next():
    find_faces(photo(), full_size=64)
    import mediapipe

    graph = landmarker._graphs[landmarker._make_landmarker]
    grey = mediapipe.Image(mediapipe.ImageFormat.GRAY8, np.zeros((64, 64), np.uint8))
    with pytest.raises((RuntimeError, ValueError)):
        graph.detect(grey)
    assert len(find_faces(photo(), full_size=64)) == 1


def test_threads_share_it(face):
    with ThreadPoolExecutor(4) as pool:
        crops = [found[0].crop for found in pool.map(find_faces, [photo()] * 8)]
    assert all(crop == face.crop for crop in crops)


def landmarks_digest(_=0):
    return find_faces(ROOT / TILTED, full_size=64)[0].landmarks.sum()


@pytest.mark.timeout(60)
def test_a_forked_process_finds_the_same_faces():
    expected = landmarks_digest()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map_async(landmarks_digest, range(2)).get(timeout=30) == [expected] * 2


class PhotoDataset(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        return landmarks_digest()


@pytest.mark.timeout(60)
def test_a_forked_worker_of_a_data_loader_finds_faces():
    expected = landmarks_digest()
    loader = torch.utils.data.DataLoader(PhotoDataset(), num_workers=1, multiprocessing_context="fork", timeout=30)
    assert [batch.item() for batch in loader] == [expected] * 2


@pytest.mark.timeout(60)
def test_a_fork_waits_until_no_graph_runs():
    landmarks_digest()
    stop = threading.Event()
    busy = threading.Thread(target=lambda: [landmarks_digest() for _ in iter(stop.is_set, True)])
    busy.start()
    try:
        for _ in range(5):
            child = os.fork()
            if not child:
                os._exit(0 if len(landmarker.run_landmarker(np.asarray(photo()))) == 1 else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        busy.join()


def test_a_closed_stderr_does_not_matter(tmp_path):
    code = ("import os, sys; os.close(2); from core.faces import find_faces; "
            f"print(len(find_faces({str(ROOT / TILTED)!r}))); own = open({str(tmp_path / 'own')!r}, 'w'); "
            "print(own.fileno() > 2)")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert (result.returncode, result.stdout) == (0, "1\nTrue\n")


def test_model_file_missing_or_damaged(tmp_path, monkeypatch):
    landmarker.close()
    monkeypatch.setattr(landmarker, "MODEL_PATH", tmp_path / "face_landmarker.task")
    with pytest.raises(WeightsMissing):
        find_faces(photo())
    landmarker.MODEL_PATH.write_bytes(b"no bundle")
    with pytest.raises(WeightsDamaged):
        find_faces(photo())


def test_a_fresh_process_is_quiet_and_ends():
    code = f"from core.faces import find_faces; print(len(find_faces({str(ROOT / TILTED)!r})))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=100)
    # MediaPipe sometimes logs a warning about a memory copy; it depends on the address and is allowed.
    said = [line for line in result.stderr.splitlines() if "InitGoogle" not in line and not re.match(r"W\d{4} ", line)]
    assert (result.returncode, result.stdout, said) == (0, "1\n", [])


def test_import_alone_does_not_load_mediapipe():
    code = "import sys, core.faces; sys.exit('mediapipe' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=100).returncode == 0


@pytest.mark.parametrize("yaw, found", [(-57, True), (75, False)])
def test_a_profile_is_found_or_refused_with_a_sentence(yaw, found):
    rig, rng = Rig.load(), np.random.default_rng(3)
    view = np.float32([0, math.radians(yaw), 0, 0, 0])
    sample = rig.render(rig.sample_person(rng), np.zeros(57, np.float32), view, 512)
    photo = np.where(sample.mask[..., None], sample.albedo, 200).astype(np.uint8)
    photo = np.pad(photo, ((100, 100), (100, 100), (0, 0)), mode="edge")
    if found:
        assert abs(find_faces(photo)[0].pose.rotation[0, 1].rad2deg() - yaw) < 15
    else:
        with pytest.raises(FaceNotFound, match="by hand"):
            find_faces(photo)


def test_a_drawing_is_taken_for_the_face_it_shows():
    drawing = Image.new("RGB", (400, 400), "white")
    pen = ImageDraw.Draw(drawing)
    for box in ((80, 40, 320, 360), (140, 150, 180, 175), (220, 150, 260, 175)):
        pen.ellipse(box, outline="black", width=4)
    pen.line((200, 180, 190, 240, 210, 240), fill="black", width=4)
    pen.arc((150, 240, 250, 310), 20, 160, fill="black", width=4)
    (face,) = find_faces(drawing)
    assert 0.5 < face.crop.side / 320 < 1.5
