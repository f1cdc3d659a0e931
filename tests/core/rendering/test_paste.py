"""A face back in its photo: what the edit leaves alone keeps its pixels, and no seam shows."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from core.faces.align import Crop, align
from core.rendering import paste as module
from core.rendering.paste import WINDOW, membrane, paste
from core.rendering.texture_transfer import texture_from_photo
from core.types import Light, View
from tests.core.rendering.test_reenactment import factors_of, skin

CROP = Crop((190.0, 160.0), 100.0, 0.15)
PIXELS = np.stack(np.meshgrid(np.arange(320), np.arange(300)), -1).astype(float)
PLACES = np.abs(CROP.from_photo(PIXELS, 2) - 0.5).max(-1)
"""Distance of each pixel from the crop's centre, in half sides: the crop's edge is at 1."""


@pytest.fixture(scope="module")
def photo():
    """A photo (300, 320, 3) of soft spots."""
    noise = np.random.default_rng(0).random((300, 320, 3))
    soft = gaussian_filter(noise, (3, 3, 0))
    return (np.clip((soft - soft.mean()) * 4 + 0.5, 0, 1) * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def face(photo):
    return texture_from_photo(factors_of(skin()), align(photo, CROP, 128)[None])


def turned(face, yaw):
    return View(face.view.rotation + torch.tensor([[0, yaw, 0]]), face.view.translation)


def difference(one, other):
    return np.abs(one.astype(int) - other.astype(int)).max(2)


def test_an_unedited_face_leaves_the_photo_alone(photo, face):
    done = paste(face, photo, CROP, face.view, face.light)
    assert difference(done, photo).max() <= 8 and (difference(done, photo) == 0).mean() > 0.97


def test_an_edit_shows_where_it_is_and_fades_without_a_seam(photo, face):
    side = face.texture.shape[-1]
    texture = face.texture.clone()
    texture[..., int(0.5 * side):int(0.6 * side), int(0.4 * side):int(0.6 * side)] *= 0.3
    done = paste(replace(face, texture=texture), photo, CROP, face.view, face.light)
    x, y = CROP.to_photo(np.array([0.5, 0.6]), 2).round().astype(int)
    assert difference(done, photo)[y - 2:y + 3, x - 2:x + 3].min() > 30
    changed = difference(done, photo)
    assert not changed[PLACES > 1].any() and changed[PLACES > 0.7].max() <= 8
    assert not np.shares_memory(done, photo)


def test_a_turn_and_a_light_change_nothing_beyond_the_window_and_leave_no_step_at_its_edge(photo, face):
    done = paste(face, photo, CROP, turned(face, 0.3), Light.of(0.5, 0.5, 1, 0))
    changed = difference(done, photo)
    assert not changed[PLACES > WINDOW].any()
    assert changed[PLACES < 0.4].mean() > 20
    assert changed[(PLACES > WINDOW - 0.05) & (PLACES < WINDOW)].max() < 25


def test_what_is_beside_the_face_moves_with_it(photo, face):
    """A mark beside the face goes a part of the face's way, a mark outside the window none."""
    marked = photo // 4 + 96
    at = [CROP.to_photo(np.array([place + 0.5, 0.5]), 2) for place in (-0.95, -1.95)]
    for x, y in at:
        marked[int(y) - 3:int(y) + 4, int(x) - 3:int(x) + 4] = 255
    bare = replace(face, texture=torch.full_like(face.texture, 0.5))
    done = paste(bare, marked, CROP, turned(face, 0.3), face.light)
    step = []
    for x, y in at:
        window = np.s_[int(y) - 20:int(y) + 21, int(x) - 20:int(x) + 21]
        columns = [np.nonzero(image[window].min(2) > 230)[1].mean() for image in (marked, done)]
        step.append(columns[0] - columns[1])
    assert 1 < abs(step[0]) < 12 and step[1] == 0


def test_light_stops_at_the_edges_of_the_photo():
    known = np.zeros((40, 40), bool)
    known[15:25, 15:25] = True
    fields, inside = torch.ones(1, 1, 40, 40), np.ones((40, 40), bool)
    image = torch.zeros(1, 3, 40, 40)
    image[..., 30:] = 1
    smooth, stopped = membrane(fields, known, inside)[0, 0], membrane(fields, known, inside, image)[0, 0]
    assert stopped[20, 28] > 0.9 * stopped[20, 25] and stopped[20, 31] < 0.05 < smooth[20, 31]
    assert smooth[known].eq(1).all() and smooth[0].eq(0).all()
    row = smooth[20, 25:39]
    assert (row.diff() < 0).all()


def test_memory_does_not_grow_with_the_photo(photo, face, monkeypatch):
    """The parts that are read at a time are strips."""
    large, crop = np.repeat(np.repeat(photo, 6, 0), 6, 1), Crop((1142.5, 962.5), 600.0, 0.15)
    parts = []

    def pixels(image, rows, columns):
        parts.append((rows.stop - rows.start) * (columns.stop - columns.start))
        return read(image, rows, columns)

    read = module._pixels
    monkeypatch.setattr(module, "_pixels", pixels)
    paste(face, large, crop, turned(face, 0.2), face.light)
    assert max(parts) < 0.25 * large.shape[0] * large.shape[1]
