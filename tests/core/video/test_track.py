"""Following a face through films that are renders of photos, and driving a photo by them: the truth is known."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from core import View
from core.errors import ArgumentInvalid, FaceNotFound
from core.export.visualize import to_uint8
from core.model.expression_basis import EXPRESSION_NAMES
from core.rendering.mouth_eyes import Contours
from core.video.driving import write_film
from core.video.reader import Frame, read_film
from core.video.track import Track
from tests.core.video.films import write_film as write_plain_film

EXAMPLES = Path(__file__).parents[3] / "assets" / "examples"
YAW = 0.3 * np.sin(np.arange(14) / 14 * 2 * np.pi)
JAW = np.array([0, 0, 0.1, 0.3, 0.5, 0.6, 0.6, 0.5, 0.3, 0.1, 0, 0, 0, 0])


def textured(model, name):
    faces = model.find_faces(EXAMPLES / name, full_size=256)
    return model.texture(model.analyze(faces), faces)


@pytest.fixture(scope="module")
def driver(model):
    return textured(model, "136_neutral.jpg")


@pytest.fixture(scope="module")
def frames(model, driver):
    """A film of 14 frames of 0.08 s: the head turns by YAW and the jaw opens by JAW."""
    return [Frame(0.08 * index, to_uint8(model.render(model.reenact(driver, {"jawOpen": jaw}),
                                                      View.of(yaw=yaw), size=192)[0]))
            for index, (yaw, jaw) in enumerate(zip(YAW.tolist(), JAW.tolist(), strict=True))]


@pytest.fixture(scope="module")
def track(model, frames, tmp_path_factory) -> Track:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return model.track(write_plain_film(path, [frame.pixels for frame in frames], [frame.time for frame in frames]))


@pytest.fixture(scope="module")
def driven(model, track):
    """Another person's photo, which follows the film."""
    return list(model.drive(textured(model, "087_neutral.jpg"), track, size=128))


def r2(found, truth):
    return np.corrcoef(found, truth)[0, 1] ** 2


def test_pose_and_mouth_follow_the_film(track):
    assert track.frames.time.tolist() == pytest.approx([0.08 * index for index in range(14)], abs=2e-3)
    yaw = track.frames.view.rotation[:, 1].rad2deg().numpy()
    assert np.abs(yaw - yaw.mean() - np.rad2deg(YAW - YAW.mean())).mean() < 3
    assert r2(track.frames.expression[:, EXPRESSION_NAMES.index("jawOpen")].numpy(), JAW) > 0.6
    assert r2(Contours.mouth(track.frames.landmarks).aperture.amax(1).numpy(), JAW) > 0.8
    assert track.frames.start.tolist() == [True] + 13 * [False]
    assert JAW[track.neutral] == 0


def test_the_crop_moves_without_jumps(track):
    steps = track.frames.crop.diff(dim=0).abs()
    assert steps[:, :3].max() < 0.06 * track.frames.crop[:, 2].mean()
    assert steps[:, 3].max() < 0.06


def test_the_same_film_gives_the_same_track(model, frames):
    first, second = (model.track(frames[:3]) for _ in range(2))
    assert first.frames == second.frames
    assert first.identity.codes == second.identity.codes


def test_one_identity_is_that_of_the_photo(model, driver, track):
    alone = model.identity(driver.factors.image)
    other = model.identity(textured(model, "087_neutral.jpg").factors.image)

    def distance(identity):
        return (identity.codes.depth - track.identity.codes.depth).norm().item()

    assert distance(alone) < 0.7 * distance(other)


def test_after_a_cut_or_an_absence_only_the_same_person_is_followed(model, driver, frames):
    other = to_uint8(model.render(textured(model, "087_neutral.jpg"), size=192)[0])
    nobody = np.full_like(other, 90)
    shown = [frames[0].pixels, frames[1].pixels, other, other, frames[1].pixels, nobody, nobody, frames[0].pixels]
    track = model.track([Frame(0.3 * index, pixels) for index, pixels in enumerate(shown)])
    assert track.frames.time.tolist() == pytest.approx([0, 0.3, 1.2, 2.1])
    assert track.frames.start.tolist() == [True, False, True, True]


def test_a_film_without_faces_is_refused(model):
    with pytest.raises(FaceNotFound, match="in this film"):
        model.track([Frame(0.0, np.full((64, 64, 3), 90, np.uint8))])


def test_a_face_that_the_first_frame_does_not_show_is_refused(model, frames):
    with pytest.raises(FaceNotFound, match="no face 2"):
        model.track(frames[:1], face=2)


def test_a_driven_mouth_opens_as_the_drivers_does(model, driven):
    found = model.find_faces(driven[0].pixels, quick=True)[0]
    opening = []
    for frame in driven:
        face = (model.find_faces(frame.pixels, quick=True) or [found])[0].landmarks
        opening.append(np.linalg.norm(face[13] - face[14]) / np.linalg.norm(face[61] - face[291]))
    assert r2(opening, JAW) > 0.7


def test_a_driven_face_flickers_no_more_than_its_driver(driven, frames):
    def change(film):
        images = [np.asarray(Image.fromarray(frame.pixels).resize((128, 128)), float) for frame in film]
        return np.mean([np.abs(after - before).mean() for before, after in zip(images, images[1:], strict=False)])

    assert change(driven) <= 1.2 * change(frames)


def test_relative_driving_leaves_the_photo_at_the_neutral_frame(model, track, driven):
    face = textured(model, "087_neutral.jpg")
    rest = model.render(model.preview(face), size=128)[0]
    assert np.abs(driven[track.neutral].pixels.astype(int) - to_uint8(rest).astype(int)).mean() < 2


def test_amounts_act_apart(model, track):
    face, widest = textured(model, "087_neutral.jpg"), int(np.argmax(JAW))
    few = replace(track, frames=track.frames[[track.neutral, widest]], neutral=0)

    def step(**amounts):
        first, last = (frame.pixels.astype(int) for frame in model.drive(face, few, size=64, **amounts))
        return np.abs(first - last).mean()

    assert step(expression=0, pose=0) == 0
    assert step(expression=0, pose=0.5) > 0.5
    assert step(expression=1, pose=0) > 0.5


def test_amounts_beyond_their_range_are_refused(model, track):
    face = textured(model, "087_neutral.jpg")
    with pytest.raises(ArgumentInvalid, match="pose"):
        model.drive(face, track, pose=2)


@pytest.mark.parametrize("ending", [".mp4", ".gif"])
def test_written_films_are_timed_marked_and_read_again(tmp_path, driven, ending):
    path = tmp_path / f"driven{ending}"
    write_film(iter(driven), path)
    again = list(read_film(path))
    assert [frame.time for frame in again] == pytest.approx([frame.time for frame in driven], abs=0.011)
    changed = np.abs(again[0].pixels.astype(int) - driven[0].pixels.astype(int)).mean(2)
    assert changed[-20:, :70].max() > 100 > 40 > changed[:60].max()  # the watermark, and nothing else
    assert b"synthetic" in path.read_bytes()
    write_film(driven, path, watermark=False)
    plain = next(read_film(path)).pixels.astype(int)
    assert np.abs(plain - driven[0].pixels.astype(int)).max() < 90


def test_films_are_written_to_mp4_or_gif_only(tmp_path, driven):
    with pytest.raises(ArgumentInvalid, match=".mp4 or .gif"):
        write_film(driven, tmp_path / "driven.avi")
    assert not any(tmp_path.iterdir())
