"""The verbs track and drive: what they write, and one sentence where they cannot."""

import csv
import json
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from core.cli import main
from core.config import ASSETS
from core.export.provenance import CONSENT
from core.model.expression_basis import EXPRESSION_NAMES
from core.video.reader import inspect_film, read_film, read_sound
from core.video.track_file import TRACK_FILES
from tests.core.video.films import write_film

PHOTO, EXAMPLE = ASSETS / "examples" / "087_neutral.jpg", ASSETS / "film" / "example.mp4"


@pytest.fixture(scope="module")
def film(tmp_path_factory) -> Path:
    """A few frames of the example film, with sound."""
    frames = [frame.pixels for frame in islice(read_film(EXAMPLE), 0, 30, 5)]
    return write_film(tmp_path_factory.mktemp("film") / "film.mp4", frames, sound=True)


def test_track_writes_a_row_for_each_frame_one_identity_and_a_summary(film, tmp_path, capsys):
    assert main(["track", str(film), "--out", str(tmp_path / "new"), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "new" / "summary.json").read_text(encoding="utf-8"))
    assert printed["frames"] == 6 and printed["synthetic"] is True and printed["starts_s"] == [0.0]
    assert {path.name for path in (tmp_path / "new").iterdir()} - {".latentface.json"} == set(TRACK_FILES)
    rows = list(csv.DictReader(open(tmp_path / "new" / "track.csv", encoding="utf-8")))
    table = pq.read_table(tmp_path / "new" / "track.parquet")
    assert table.column_names == [*rows[0], "depth_code", "albedo_code"] and set(EXPRESSION_NAMES) < set(rows[0])
    assert [float(row["time_s"]) for row in rows] == pytest.approx([0.04 * index for index in range(6)], abs=2e-3)
    assert [float(row["yaw_deg"]) for row in rows] == pytest.approx(table["yaw_deg"].to_pylist())
    with np.load(tmp_path / "new" / "identity.npz") as identity:
        assert len(identity["depth"]) == len(table["depth_code"][0])


def test_drive_writes_a_span_of_the_film_with_its_sound(film, tmp_path, capsys):
    out = tmp_path / "out.mp4"
    assert main(["drive", str(PHOTO), str(film), "--out", str(out), "--size", "64", "--begin", "0.07", "--sound"]) == 0
    assert CONSENT in capsys.readouterr().err
    found = inspect_film(out)
    assert found.frames == 4 and found.sound
    assert [frame.time for frame in read_film(out)] == pytest.approx([0, 0.04, 0.08, 0.12], abs=2e-3)
    sound = [time + len(piece.to_ndarray()[0]) / piece.sample_rate for time, piece in read_sound(out)]
    assert sound[-1] == pytest.approx(0.14, abs=0.1)


@pytest.mark.parametrize(("options", "sentence"), [
    (["--out", "out.avi"], ".mp4 or .gif"), (["--out", "out.gif", "--sound"], "end in .mp4"),
    (["--out", "out.mp4", "--size", "65"], "even"), (["--out", "out.mp4", "--pose", "2"], "pose"),
    (["--out", "out.mp4", "--begin", "2", "--end", "1"], "end"), (["--out", "out.mp4", "--sound"], "no sound")])
def test_what_cannot_be_driven_is_refused_before_any_work(options, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["drive", str(PHOTO), str(EXAMPLE), *options]) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.count("\n") == 1 and not any(tmp_path.iterdir())


def test_a_span_without_the_face_is_refused(film, tmp_path, capsys):
    assert main(["drive", str(PHOTO), str(film), "--out", str(tmp_path / "out.mp4"), "--begin", "9"]) == 2
    assert "choose another span" in capsys.readouterr().err and not (tmp_path / "out.mp4").exists()


def test_what_is_no_film_is_refused_in_one_sentence(tmp_path, capsys):
    path = tmp_path / "notes.mp4"
    path.write_text("no film")
    assert main(["track", str(path), "--out", str(tmp_path / "out")]) == 2
    assert "no film" in capsys.readouterr().err and not (tmp_path / "out").exists()
