"""The command line: what its verbs write, and one sentence where they cannot."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from core.arguments import BACKGROUNDS, MAX_ANGLES
from core.cli import main
from core.cli.analyze import FILES
from core.cli.faces import JOURNAL
from core.export.kinds import FILE_NAMES
from core.files import MANIFEST
from tests.disks import LATIN, full_disk

ROOT = Path(__file__).parents[2]
PHOTO = ROOT / "tests" / "data" / "001_smiling.jpg"


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
    program = """import sys
from core.cli import main
photo, missing, *options = sys.argv[1:]
sys.exit(10 * main(["analyze", photo, *options]) + main(["analyze", missing, *options]))"""
    done = subprocess.run([sys.executable, "-OO", "-c", program, folder / f"{LATIN}.jpg", folder / f"none {LATIN}.jpg",
                           "--out", folder / "out ü", "--weights", folder / weights.name],
                          cwd=ROOT, env=os.environ | environment, capture_output=True, check=False)
    assert done.returncode == 2, done.stderr
    assert b"Face 1 of 1: " in done.stdout and b"caf" in done.stdout
    assert {path.name for path in (folder / "out ü").iterdir()} == {*FILES, "analysis.json", MANIFEST}
    assert done.stderr.startswith(b"error: ") and done.stderr.count(b"\n") == 1


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


@pytest.fixture
def photos(tmp_path):
    """A folder of two photos, a damaged one, and another file."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(PHOTO, folder / "a.jpg")
    shutil.copy(PHOTO, folder / "more" / "b.jpg")
    (folder / "damaged.jpg").write_bytes(PHOTO.read_bytes()[:200])
    (folder / "notes.txt").touch()
    return folder


def run(verb, *arguments) -> int:
    return main([verb, *map(str, arguments)])


def sides(path):
    """Mean brightness of the left and the right half of a render."""
    gray = np.asarray(Image.open(path).convert("L"), float)
    return gray[:, :gray.shape[1] // 2].mean(), gray[:, gray.shape[1] // 2:].mean()


def test_a_folder_gives_a_folder_for_each_photo_and_names_what_is_left_out(photos, weights, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("frontalize", photos, "--out", out, "--weights", weights, "--size", 64) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("damaged.jpg: ") and shown.err.count("\n") == 1
    done = [line for line in shown.out.splitlines() if line.startswith("Face")]
    assert done == [f"Face 1 of 1: {out / name}" for name in ("a.jpg", "more/b.jpg")]
    files = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert files == {f"{name}/{file}" for name in ("a.jpg", "more/b.jpg") for file in ("frontal.png", MANIFEST)}


def test_a_pattern_names_photos_from_its_fixed_part_on(photos, weights, tmp_path, capsys):
    assert run("export", photos / "**" / "b.*", "--out", tmp_path / "out", "--weights", weights, "--kind", "depth",
               "--json") == 0
    assert [json.loads(line)["photo"] for line in capsys.readouterr().out.splitlines()] == ["more/b.jpg"]
    assert (tmp_path / "out" / "more" / "b.jpg" / FILE_NAMES["depth"]).exists()


def test_workers_write_the_same_as_one_process(photos, weights, tmp_path, capsys):
    arguments = photos, "--weights", weights, "--json", "--out"
    assert run("render", *arguments, tmp_path / "one", "--yaw", 20) == 1
    one = capsys.readouterr().out
    assert run("render", *arguments, tmp_path / "two", "--yaw", 20, "--workers", 2) == 1
    assert capsys.readouterr().out == one.replace(str(tmp_path / "one"), str(tmp_path / "two"))


def test_an_interrupted_run_goes_on_where_it_was(photos, weights, tmp_path, capsys, monkeypatch):
    out, calls = tmp_path / "out", []
    arguments = photos, "--out", out, "--weights", weights, "--size", 64

    def interrupted(*given):
        calls.append(given)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return find(*given)

    from core.pipeline import LatentFace

    find = LatentFace.find_faces
    monkeypatch.setattr(LatentFace, "find_faces", interrupted)
    assert run("frontalize", *arguments) == 130 and (out / JOURNAL).exists()
    assert "the same command" in capsys.readouterr().err
    before = (out / "a.jpg" / "frontal.png").stat().st_mtime_ns
    assert run("frontalize", *arguments, "--json") == 1
    assert len(calls) == 4  # the first photo was not read again
    assert [json.loads(line)["photo"] for line in capsys.readouterr().out.splitlines()] == ["a.jpg", "more/b.jpg"]
    assert (out / "a.jpg" / "frontal.png").stat().st_mtime_ns == before and not (out / JOURNAL).exists()
    assert run("frontalize", *arguments) == 1 and len(calls) == 7  # a complete run starts anew


def test_photos_that_cannot_be_told_apart_or_are_not_there(photos, weights, tmp_path, capsys):
    shutil.copy(PHOTO, tmp_path / "a.jpg")
    for arguments, sentence in [((photos / "a.jpg", tmp_path / "a.jpg"), "Two photos are called a.jpg"),
                                ((photos / "*.png",), "no photos in"), ((), "at least one photo")]:
        assert run("render", *arguments, "--out", tmp_path / "out", "--weights", weights) == 2
        assert sentence in capsys.readouterr().err
    (photos / "a.jpg").unlink()
    shutil.rmtree(photos / "more")
    assert run("render", photos, "--out", tmp_path / "out", "--weights", weights) == 2


def test_render_takes_pose_light_and_background(tmp_path):
    arguments = PHOTO, "--out", tmp_path, "--no-stamp"
    assert run("render", *arguments, "--light-from-right", 70, "--ambient", 0.2, "--diffuse", 1) == 0
    left, right = sides(tmp_path / "render.png")
    assert right > left + 10
    assert run("render", *arguments, "--light-from-right", -70, "--ambient", 0.2, "--diffuse", 1) == 0
    left, right = sides(tmp_path / "render.png")
    assert left > right + 10
    assert run("render", *arguments, "--yaw", -40, "--background", "Clear", "--size", 128) == 0
    image = Image.open(tmp_path / "render.png")
    assert image.mode == "RGBA" and image.size == (128, 128) and image.text["Synthetic"]


def test_swap_takes_the_donors_expression(tmp_path):
    donor = ROOT / "tests" / "data" / "139_neutral.jpg"
    for strength in (0, 1):
        assert run("swap", PHOTO, "--donor", donor, "--out", tmp_path / str(strength), "--albedo", strength) == 0
    assert run("frontalize", PHOTO, "--out", tmp_path) == 0
    without, full = (np.asarray(Image.open(tmp_path / name / "swap.png"), float) for name in "01")
    mouth = np.s_[300:420, 150:360]
    assert np.abs(without - full)[mouth].mean() > 3


@pytest.mark.parametrize("kind", FILE_NAMES)
def test_export_writes_every_kind(kind, tmp_path):
    assert run("export", PHOTO, "--out", tmp_path, "--kind", kind) == 0
    assert {path.name for path in tmp_path.iterdir()} == {FILE_NAMES[kind], MANIFEST}


def test_head_is_a_glb_with_named_expressions(tmp_path):
    assert run("head", PHOTO, "--out", tmp_path) == 0
    assert b'"mouthSmile_L"' in (tmp_path / "head.glb").read_bytes()


@pytest.mark.parametrize("wrong", [("--yaw", MAX_ANGLES["yaw"] + 1), ("--ambient", -0.1), ("--size", 8),
                                   ("--light-from-above", "nan"), ("--workers", 0)], ids=lambda wrong: wrong[0])
def test_numbers_out_of_range_are_one_sentence(wrong, tmp_path, capsys):
    assert run("render", PHOTO, "--out", tmp_path / "out", *wrong) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {wrong[0].strip('-').replace('-', '_')} must be") and error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_choices_are_those_of_the_page(capsys):
    with pytest.raises(SystemExit):
        main(["render", "--help"])
    assert "{" + ",".join(BACKGROUNDS) + "}" in capsys.readouterr().out


def test_encode_writes_a_row_for_each_face_and_names_what_is_left_out(photos, weights, tmp_path, capsys):
    out = tmp_path / "codes.parquet"
    assert run("encode", photos, "--out", out, "--weights", weights, "--json") == 1
    shown = capsys.readouterr()
    rows = [json.loads(line) for line in shown.out.splitlines()]
    assert [(row["file"], row["face"]) for row in rows] == [("a.jpg", 1), ("more/b.jpg", 1)]
    assert pq.read_table(out).column("file").to_pylist() == ["a.jpg", "more/b.jpg"]
    assert "damaged.jpg: " in shown.err


def test_map_asks_for_enough_faces(photos, weights, tmp_path, capsys):
    assert run("map", photos, "--out", tmp_path / "map.npz", "--weights", weights) == 2
    assert "2 faces were found" in capsys.readouterr().err and not (tmp_path / "map.npz").exists()


def test_edit_changes_the_face_in_the_whole_photo(tmp_path, capsys):
    assert run("edit", PHOTO, "--set", "jaw open=1", "--out", tmp_path / "whole", "--no-stamp") == 0
    image, photo = (np.asarray(Image.open(path).convert("RGB"), int) for path in (tmp_path / "whole/edited.png", PHOTO))
    changed = np.abs(image - photo).max(2)
    assert changed.shape == photo.shape[:2] and changed.max() > 60 and (changed == 0).mean() > 0.7
    assert Image.open(tmp_path / "whole/edited.png").text["Synthetic"]
    assert run("edit", PHOTO, "--no-whole", "--size", 64, "--yaw", 20, "--out", tmp_path / "face") == 0
    assert Image.open(tmp_path / "face/edited.png").size == (64, 64)
    for wrong, sentence in (("smile", "such as smile=0.8"), ("smil=1", "nearest: smile"), ("smile=9", "from -1.5 to")):
        assert run("edit", PHOTO, "--set", wrong, "--out", tmp_path / "none") == 2
        assert sentence in capsys.readouterr().err


def test_augment_writes_marked_renders_for_each_amount_and_leaves_other_files(tmp_path, capsys):
    arguments = PHOTO, "--along", "smile", "--amounts", 0, 1.5, "--size", 128, "--out", tmp_path
    assert run("augment", *arguments) == 0
    names = "smile_+0.png", "smile_+1.5.png"
    without, full = (np.asarray(Image.open(tmp_path / name), int) for name in names)
    assert np.abs(full - without)[64:].mean() > 1 and Image.open(tmp_path / names[0]).text["Synthetic"]
    (tmp_path / names[1]).write_bytes(b"mine")
    assert run("augment", *arguments) == 2 and "exists" in capsys.readouterr().err
    assert (tmp_path / names[1]).read_bytes() == b"mine"
