"""A visitor's film: progress, cancelling, what the timeline shows, and the files."""

import threading
from itertools import islice

import numpy as np
import pytest

from app.session.film import FILE_NAMES, MAX_SECONDS, DriveSettings, track_film, with_progress
from app.session.live import LiveSession
from app.session.session import open_example
from app.widgets.time import LINES, STRIP, timeline_data
from core.config import ASSETS
from core.errors import ConfigError, FilmTooLarge, FilmUnreadable
from core.video.reader import inspect_film, read_film
from tests.core.video.films import quadrants, write_film

EXAMPLE = ASSETS / "film" / "example.mp4"


@pytest.fixture(scope="module")
def frames():
    return list(islice(read_film(EXAMPLE), 0, 30, 5))


@pytest.fixture(scope="module")
def film(frames, tmp_path_factory):
    path = write_film(tmp_path_factory.mktemp("film") / "film.mp4", [frame.pixels for frame in frames], sound=True)
    *messages, film = track_film(path)
    assert all("of 6" in message for message in messages)
    return film


def jpeg(frame):
    import io

    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(frame.pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


def test_the_timeline_shows_every_frame_and_one_identity(film):
    data = timeline_data(film)
    assert data["times"] == pytest.approx([0.04 * index for index in range(6)], abs=2e-3)
    assert [group["title"] for group in data["groups"]] == ["Expression", "Pose", "Light", "Identity"]
    assert len(data["groups"][0]["lines"]) == LINES and len(data["strip"]) == STRIP
    assert all(len(line["values"]) == 6 for group in data["groups"] for line in group["lines"])
    assert data["groups"][3]["band"] == pytest.approx(film.track.identity.spread, abs=1e-3)


def test_the_face_follows_the_cursor(film):
    face, neutral = open_example(0), film.track.frames.time[film.track.neutral].item()
    rest, open_mouth = (film.render_at(second, face, DriveSettings(), 64).astype(int) for second in (neutral, 0.2))
    still = film.render_at(0.2, face, DriveSettings(expression=0, pose=0), 64).astype(int)
    assert np.abs(open_mouth - rest).mean() > 1 > np.abs(still - rest).mean()


@pytest.mark.parametrize("kind", FILE_NAMES)
def test_every_kind_of_file_is_written(film, kind, tmp_path):
    *_, path = film.export(kind, open_example(0), DriveSettings(), (0.07, 1.0), 64, True, True, tmp_path)
    assert path.name == FILE_NAMES[kind] and path.stat().st_size > 500
    if kind in ("mp4", "gif"):
        assert inspect_film(path).frames == 4 and inspect_film(path).sound == (kind == "mp4")


def test_sound_of_a_film_that_is_no_longer_kept_is_refused(film, tmp_path):
    from dataclasses import replace

    gone = replace(film, path=tmp_path / "gone.mp4")
    with pytest.raises(FilmUnreadable, match="leave the sound out"):
        list(gone.export("mp4", open_example(0), DriveSettings(), (0, 1), 64, True, True, tmp_path))


def test_a_long_film_is_refused_before_it_is_decoded(tmp_path):
    path = write_film(tmp_path / "long.mp4", [quadrants()] * 2, times=[0, MAX_SECONDS + 1])
    with pytest.raises(FilmTooLarge, match="30 s"):
        next(track_film(path))


def test_closing_cancels_work_in_its_thread():
    ended, going_on = threading.Event(), threading.Event()

    def work(report):
        try:
            while not ended.wait(0.01):
                report("working")
                going_on.set()
        finally:
            ended.set()

    steps = with_progress(work)
    assert next(steps) == "working" and going_on.is_set()
    steps.close()
    assert ended.wait(5)


def test_errors_of_work_are_raised_to_who_waits():
    def work(report):
        raise FilmUnreadable("no film")

    with pytest.raises(FilmUnreadable, match="no film"):
        list(with_progress(work))


def test_missing_amounts_are_refused():
    assert DriveSettings.of_controls(1, 0.5, 0, False) == DriveSettings(1, 0.5, 0, False)
    with pytest.raises(ConfigError, match="amounts"):
        DriveSettings.of_controls(None, 1, 0, True)


def test_a_camera_moves_the_pages_face_and_is_recorded(frames, tmp_path):
    face, settings = open_example(0), DriveSettings()
    live = LiveSession(face, settings)
    with pytest.raises(FilmUnreadable, match="Nothing was recorded"):
        live.write(tmp_path / "none.mp4", True)
    live.record(True)
    images = [live.render(0.1 * index, live.follow(0.1 * index, jpeg(frame), face, settings))
              for index, frame in enumerate(frames, 1)]
    moved = np.abs(images[-1].astype(int) - images[0]).mean()
    assert moved > 1 and live.image is images[-1]
    assert live.follow(0.1, jpeg(frames[0]), face, settings) is None  # a late frame
    live.set_neutral()
    rest = live.render(0.9, live.follow(0.9, jpeg(frames[-1]), face, settings))
    assert np.abs(rest.astype(int) - images[0]).mean() < moved / 2
    live.record(False)
    found = list(read_film(live.write(tmp_path / "recording.mp4", True)))
    assert [frame.time for frame in found] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8], abs=2e-3)


def test_a_live_face_is_the_pages(frames):
    first, second, settings = open_example(0), open_example(1), DriveSettings()
    live = LiveSession(first, settings)
    before = live.render(0.1, live.follow(0.1, jpeg(frames[0]), first, settings))
    after = live.render(0.2, live.follow(0.2, jpeg(frames[0]), second, settings))
    alone = LiveSession(second, settings)
    expected = alone.render(0.1, alone.follow(0.1, jpeg(frames[0]), second, settings))
    assert np.abs(after.astype(int) - expected).mean() < 2
    assert np.abs(after.astype(int) - before).mean() > 10
