"""Reading films: what is accepted, what is refused with which sentence, and that frames are upright and timed."""

import itertools
import tracemalloc

import av
import numpy as np
import pytest

from core.errors import FilmTooLarge, FilmUnreadable
from core.video import reader
from core.video.reader import inspect_film, read_film
from tests.core.video.films import corners, quadrants, write_film


@pytest.mark.parametrize(("rotation", "wanted"), [
    (None, ["red", "green", "blue", "white"]),
    ((90,), ["green", "white", "red", "blue"]),
    ((-90,), ["blue", "red", "white", "green"]),
    ((180,), ["white", "blue", "green", "red"]),
    ((0, True), ["green", "red", "white", "blue"]),
    ((90, True), ["white", "green", "blue", "red"]),
])
def test_frames_are_turned_as_the_display_matrix_says(tmp_path, rotation, wanted):
    path = write_film(tmp_path / "film.mp4", [quadrants()] * 2, rotation=rotation)
    frame = next(read_film(path))
    assert corners(frame.pixels) == wanted
    assert frame.pixels.shape == ((128, 96, 3) if rotation and rotation[0] in (90, -90) else (96, 128, 3))


def test_times_of_a_variable_frame_rate_are_kept(tmp_path):
    times = [0.5, 0.54, 0.7, 1.3, 1.32]
    path = write_film(tmp_path / "film.mp4", [quadrants()] * 5, times)
    found = [frame.time for frame in read_film(path)]
    assert found == pytest.approx([0, 0.04, 0.2, 0.8, 0.82], abs=2e-3)
    assert inspect_film(path).frames == 5


def test_large_frames_are_reduced(tmp_path):
    path = write_film(tmp_path / "film.mp4", [quadrants(2160, 3840)])
    assert next(read_film(path)).pixels.shape == (720, 1280, 3)
    assert corners(next(read_film(path, 640)).pixels) == ["red", "green", "blue", "white"]


@pytest.mark.parametrize(("name", "options"), [
    ("film.mp4", {"pix_fmt": "yuv420p10le"}),
    ("film.mkv", {}),
    ("film.mov", {}),
    ("film.avi", {"codec": "mpeg4"}),
    ("odd.mp4", {"pix_fmt": "yuv444p"}),
])
def test_formats_and_bit_depths_are_read(tmp_path, name, options):
    size = (97, 131) if name == "odd.mp4" else (96, 128)
    path = write_film(tmp_path / name, [quadrants(*size)] * 3, [0, 0.04, 0.08], **options)
    frames = list(read_film(path))
    assert len(frames) == 3 and frames[0].pixels.shape == (*size, 3)
    assert corners(frames[-1].pixels) == ["red", "green", "blue", "white"]


def test_one_frame_is_a_film(tmp_path):
    path = write_film(tmp_path / "film.mp4", [quadrants()])
    assert [frame.time for frame in read_film(path)] == [0]
    assert inspect_film(path).seconds > 0


def test_frames_are_not_kept(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 256, 256, 3), np.uint8)
    path = write_film(tmp_path / "film.mp4", list(noise))
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_film(path)) == 40
        assert tracemalloc.get_traced_memory()[1] < 10 * noise[0].nbytes
    finally:
        tracemalloc.stop()


def moov_last(tmp_path):
    path = write_film(tmp_path / "film.mp4", [quadrants()] * 50)
    path.write_bytes(path.read_bytes()[:-400])
    return path


def data_cut(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (60, 64, 64, 3), np.uint8)
    path = write_film(tmp_path / "film.mp4", list(noise), movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def sound_alone(tmp_path):
    path = tmp_path / "film.mp4"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        frame.sample_rate = 16000
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def no_frames(tmp_path):
    path = tmp_path / "film.avi"
    with av.open(str(path), "w") as film:
        stream = film.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        film.start_encoding()
    return path


def text(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_text("not a film\n" * 100)
    return path


def playlist(tmp_path):
    write_film(tmp_path / "other.ts", [quadrants()] * 3)
    path = tmp_path / "film.mp4"
    path.write_bytes(b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#\1\n#EXTINF:1,\nother.ts\n#EXT-X-ENDLIST\n")
    return path


def empty(tmp_path):
    path = tmp_path / "film.mp4"
    path.touch()
    return path


@pytest.mark.parametrize(("make", "sentence"), [
    (moov_last, "cut short"), (data_cut, "cut short"), (sound_alone, "no moving image"), (no_frames, "no frame"),
    (text, "a text file"), (playlist, "no film"), (empty, "is empty"), (lambda folder: folder / "none.mp4", "no film"),
], ids=lambda value: getattr(value, "__name__", None))
def test_files_that_are_no_whole_film_are_refused_with_a_sentence(tmp_path, make, sentence):
    path = make(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(FilmUnreadable, match=sentence):
        list(itertools.islice(read_film(path), 1000))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(("limit", "value", "sentence"), [
    ("MAX_SECONDS", 1.0, "2 s long"), ("MAX_BYTES", 1000, "0 MB is the most"), ("MAX_PIXELS", 1000, "too many"),
])
def test_films_beyond_a_limit_are_refused(tmp_path, monkeypatch, limit, value, sentence):
    path = write_film(tmp_path / "film.mp4", [quadrants()] * 50)
    monkeypatch.setattr(reader, limit, value)
    with pytest.raises(FilmTooLarge, match=sentence):
        next(read_film(path))
