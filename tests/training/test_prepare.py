"""Making a pack from a folder of photos, also in several runs."""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core.errors import ConfigError, LatentFaceError, OutputExists, OutputUnwritable
from core.faces import find_faces
from tests.disks import LATIN, full_disk
from training import prepare as module
from training.data.face_pack import FacePack
from training.prepare import PrepareConfig, main, prepare

ROOT = Path(__file__).resolve().parents[2]
SMALL = PrepareConfig(size=32)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three portraits in two folders, a photo without a face, one too small, a broken file and a text."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "b").mkdir()
    for name in ("001_smiling", "131_smiling"):
        shutil.copy(ROOT / f"tests/data/{name}.jpg", folder / "b")
    shutil.copy(ROOT / "tests/data/139_neutral.jpg", folder / "a.jpg")
    Image.new("RGB", (64, 64)).save(folder / "black.png")
    Image.open(folder / "a.jpg").resize((90, 90)).save(folder / "far.png")
    (folder / "broken.jpg").write_bytes((folder / "a.jpg").read_bytes()[:5000])
    (folder / "notes.txt").write_text("not a photo")
    (folder / ".hidden").write_text("not looked at")
    return folder


def contents(folder):
    """The finished files of a pack."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def pack(photos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pack")
    prepare(photos, folder, SMALL, quiet=True)
    return folder


def test_pack_holds_the_aligned_faces(photos, pack):
    faces = FacePack(pack, size=32)
    assert faces.columns["file"].tolist() == ["a.jpg", "b/001_smiling.jpg", "b/131_smiling.jpg"]
    face = find_faces(photos / "a.jpg", image_size=32, full_size=32)[0]
    assert (faces[0] - face.image).abs().mean() < 0.02
    assert faces.columns["source_px"][0] == pytest.approx(face.crop.side, abs=0.1)
    scores = np.load(pack / "train_blendshapes.npz")
    assert scores["scores"].shape == (3, 52) and scores["names"][0] == "_neutral"


def test_report_names_refused_files_and_reasons(pack):
    with open(pack / "report.csv", newline="") as file:
        report = {row["file"]: row for row in csv.DictReader(file)}
    assert {name: row["refused"] for name, row in report.items() if row["refused"]} == {
        "black.png": "FaceNotFound", "far.png": "ImageTooSmall", "broken.jpg": "ImageUnreadable",
        "notes.txt": "ImageUnreadable"}
    assert all(bool(row["reason"]) != (row["faces"] == "1") for row in report.values())


def test_prepare_resumes_after_interrupt_to_the_same_pack(photos, pack, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHARD", 2)
    prepare(photos, tmp_path / "whole", SMALL, quiet=True)

    class Stop(Exception):
        pass

    process, calls = module._process, []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise Stop
        return process(*arguments)

    monkeypatch.setattr(module, "_process", failing)
    for _ in range(3):
        calls.clear()
        try:
            prepare(photos, tmp_path / "parts", SMALL, quiet=True)
        except Stop:
            with open(tmp_path / "parts/.prepare/journal.jsonl", "a") as file:
                file.write('{"file": "cut sho')
    calls.clear()
    prepare(photos, tmp_path / "parts", SMALL, quiet=True)
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert "train-001.tar" in contents(tmp_path / "whole") and contents(pack)["train.csv"] == contents(
        tmp_path / "whole")["train.csv"]


def test_a_later_run_adds_new_photos(photos, tmp_path):
    shutil.copytree(photos / "b", tmp_path / "in")
    prepare(tmp_path / "in", tmp_path / "out", SMALL, quiet=True)
    shutil.copy(photos / "a.jpg", tmp_path / "in")
    assert prepare(tmp_path / "in", tmp_path / "out", SMALL, quiet=True)["faces"] == 3
    assert FacePack(tmp_path / "out", size=32).columns["file"][2] == "a.jpg"


def test_other_settings_in_the_same_folder_are_refused(photos, pack):
    with pytest.raises(ConfigError, match="other settings"):
        prepare(photos, pack, PrepareConfig(size=64), quiet=True)


def test_empty_input_and_unwritable_output_are_refused(photos, tmp_path):
    with pytest.raises(ConfigError, match="no files"):
        prepare(tmp_path, tmp_path / "out", quiet=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputUnwritable):
        prepare(photos, tmp_path / "file" / "out", quiet=True)


def test_command_line_prints_a_summary_and_plain_errors(photos, tmp_path, capsys):
    main([str(photos / "b"), "--out", str(tmp_path), "--size", "16"])
    assert "2 faces from 2 of 2 photos" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="other settings"):
        main([str(photos / "b"), "--out", str(tmp_path), "--all-faces"])


@pytest.mark.parametrize(("place", "error"), [
    ("read_photo", MemoryError()), ("locate", LatentFaceError("Face detection failed here.")),
    ("read_photo", OSError(5, "Input/output error"))], ids=["memory", "detector", "disk"])
def test_passing_failures_are_not_remembered(place, error, photos, pack, tmp_path, monkeypatch):
    work, calls = getattr(module, place), []

    def failing(*arguments):
        calls.append(arguments)
        if len(calls) == 1:
            raise error
        return work(*arguments)

    monkeypatch.setattr(module, place, failing)
    summary = prepare(photos / "b", tmp_path, SMALL, quiet=True)
    assert (summary["faces"], summary["unread"], summary["refused"]) == (1, 1, {})
    assert type(error).__name__ in (tmp_path / "report.csv").read_text()
    summary = prepare(photos / "b", tmp_path, SMALL, quiet=True)
    assert (summary["faces"], summary["unread"]) == (2, 0)


def test_files_of_the_user_are_not_replaced(photos, tmp_path):
    (tmp_path / "train.csv").write_text("precious")
    with pytest.raises(OutputExists, match="train.csv"):
        prepare(photos / "b", tmp_path, SMALL, quiet=True)
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]
    with pytest.raises(SystemExit, match="--overwrite"):
        main([str(photos / "b"), "--out", str(tmp_path)])
    main([str(photos / "b"), "--out", str(tmp_path), "--overwrite"])
    assert len(FacePack(tmp_path, size=16)) == 2


def test_a_full_disk_ends_with_a_sentence_and_the_run_is_continued(photos, pack, tmp_path):
    with pytest.raises(OutputUnwritable, match="choose another folder"), full_disk(room=1500):
        prepare(photos, tmp_path, SMALL, quiet=True)
    prepare(photos, tmp_path, SMALL, quiet=True)
    assert contents(tmp_path) == contents(pack)


def test_a_damaged_journal_is_refused(photos, tmp_path):
    prepare(photos / "b", tmp_path, SMALL, quiet=True)
    with open(tmp_path / ".prepare/journal.jsonl", "a") as file:
        file.write("no line of a journal\n")
    with pytest.raises(ConfigError, match="damaged"):
        prepare(photos / "b", tmp_path, SMALL, quiet=True)

def test_names_that_are_no_utf8_come_back_from_the_pack(photos, tmp_path):
    folder = tmp_path / LATIN
    folder.mkdir()
    shutil.copy(photos / "a.jpg", folder / f"{LATIN}.jpg")
    command = [sys.executable, "-OO", "-m", "training.prepare", tmp_path, "--out", folder / "pack"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
                          capture_output=True, check=False)
    assert done.returncode == 0 and b"1 faces from 1 of 1" in done.stdout, done.stderr
    assert FacePack(folder / "pack", size=16).columns["file"].tolist() == [f"{LATIN}/{LATIN}.jpg"]
