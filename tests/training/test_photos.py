"""Changed copies: the pose of the untouched photo is found back from the pose of each copy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion

from core.types import View
from training import photos
from training.photos import draw_copies, random_turn, turn_heads
from training.rig import FAR_DEPTH, Rig, apply_view


@pytest.fixture(scope="module")
def dots():
    """A picture of 128 px with one red, one green and one blue dot, and their places in camera units at depth 1."""
    places = torch.tensor([[90.0, 40.0], [40.0, 50.0], [70.0, 95.0]])
    axis, (x, y) = torch.arange(128.0), places.T[..., None, None]
    distance = (axis - x) ** 2 + (axis[:, None] - y) ** 2
    return torch.exp(-distance / 18)[None], places


def centroids(image):
    axis = torch.arange(image.shape[-1], dtype=torch.float32)
    weight = (image - image.amin((1, 2), keepdim=True) > 0.2) * image
    total = weight.sum((1, 2))
    return torch.stack([(weight * axis).sum((1, 2)) / total, (weight * axis[:, None]).sum((1, 2)) / total], -1)


def test_original_view_undoes_the_change(dots, monkeypatch):
    """A frontal flat card: where a copy shows a dot, its claimed pose puts the dot."""
    monkeypatch.setattr(photos, "camera", lambda image, generator: image)
    image, places = dots
    copies = draw_copies(image.expand(12, -1, -1, -1), 64, torch.Generator().manual_seed(4))
    assert (copies.mirrored < 0).any() and (copies.mirrored > 0).any()
    start = (places + 0.5) / 2 - 0.5 - 31.5
    focal = 31.5 / math.tan(math.radians(5))
    for k in range(len(copies.image)):
        flipped = start * torch.tensor([copies.mirrored[k], 1.0])
        # The view of the copy such that `original_view` finds the frontal pose: turn and shift alone.
        view = View.of(0, 0, copies.roll[k], *copies.shift[k])
        sin, cos = math.sin(copies.roll[k]), math.cos(copies.roll[k])
        turned = torch.stack([cos * flipped[:, 0] - sin * flipped[:, 1], sin * flipped[:, 0] + cos * flipped[:, 1]], -1)
        expected = turned + view.translation * focal + 31.5
        assert (centroids(copies.image[k]) - expected).abs().max() < 0.6
        original = copies[k].original_view(view)
        assert original.rotation.abs().max() < 1e-6 and original.translation.abs().max() < 1e-6


def test_original_view_of_a_turned_head():
    """In three dimensions: points of a head seen in the original pose and, changed, in the pose of the copy."""
    mirrored, roll, shift, turn_before = -1.0, 0.1, np.array([0.01, -0.004]), np.array([0.05, -0.2])
    view = np.array([0.1, 0.3, -0.05, 0.004, 0.002])
    points = np.random.default_rng(0).normal((0, 0, 1), 0.05, (50, 3))
    photo, view = view, view + [*turn_before, 0, 0, 0]
    seen = apply_view(points, view) * [mirrored, 1, 1]
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    seen[:, :2] = seen[:, :2] @ turn.T + shift
    copy = photos.Photos(torch.zeros(1, 3, 4, 4), torch.tensor([mirrored]), torch.tensor([roll]),
                         torch.tensor(shift[None], dtype=torch.float32), torch.ones(1, 3, 1, 1),
                         torch.tensor(turn_before[None], dtype=torch.float32))
    # The pose that explains the copy (of the mirrored head): mirror, then turn, then shift.
    moved = turn @ (view[3:] * [mirrored, 1]) + shift
    claimed = np.array([view[0], view[1] * mirrored, view[2] * mirrored + roll, *moved])
    assert np.allclose(apply_view(points * [mirrored, 1, 1], claimed), seen, atol=1e-9)
    original = copy.original_view(View.of(*claimed))
    assert torch.allclose(original.rotation, torch.tensor(photo[None, :3], dtype=torch.float32), atol=1e-6)
    assert torch.allclose(original.translation, torch.tensor(photo[None, 3:], dtype=torch.float32), atol=1e-6)


def test_a_turned_head_looks_as_if_rendered_in_the_new_pose():
    rig, rng = Rig.load(), np.random.default_rng(5)
    person, neutral = rig.sample_person(rng), np.zeros(57, np.float32)
    poses = np.radians([[4, -12, 3, 0, 0], [-3, 10, 3, 0, 0]]).astype(np.float32)
    before, after = (rig.render(person, neutral, pose, 64) for pose in poses)
    picture = torch.from_numpy(before.albedo).movedim(-1, 0)[None].float() / 255
    depth = torch.from_numpy(before.canon_depth)[None].clamp(max=FAR_DEPTH)
    turn = torch.from_numpy(poses[1:] - poses[:1])[:, :2]
    turned = turn_heads(picture, depth, View.of(*poses[0]), turn)[0].movedim(0, -1).numpy()
    both = binary_erosion(before.mask & after.mask, iterations=6)
    error, unturned = (np.abs(image - after.albedo / 255)[both].mean()
                       for image in (turned, before.albedo / 255))
    assert error < 0.4 * unturned


def test_turns_stay_in_range():
    view = View(torch.zeros(500, 3).index_fill(1, torch.tensor([1]), 0.8), torch.zeros(500, 2))
    turn = random_turn(view, torch.Generator().manual_seed(0))
    assert (0.8 + turn[:, 1]).max() < math.radians(photos.MAX_YAW_DEG) + 1e-5
    assert turn.std(0).min() > 0.08


def test_copies_are_deterministic(dots):
    one, two = (draw_copies(dots[0].expand(4, -1, -1, -1), 64, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one.image, two.image)
    assert one.image.shape == (4, 3, 64, 64) and one.image.min() >= 0 and one.image.max() <= 1
