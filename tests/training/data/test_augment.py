"""Augmented copies: the pose of the original photo follows from the pose of each copy."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_erosion

import training.data.augment as module
from core.geometry.camera import sample
from core.types import View
from training.data.augment import HeadEdit, augment, random_turn, warp_heads
from training.data.expression_motion import AddedExpressions, mirrored_expression
from training.rig.rig import EXPRESSIONS, FAR_DEPTH, apply_view


@pytest.fixture(scope="module")
def dots():
    """An image of 128 px with one red, one green and one blue dot, and their pixels (x, y)."""
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
    """A frontal plane: the dots lie where the pose that belongs to the copy puts them."""
    monkeypatch.setattr(module, "sensor_noise", lambda image, generator: image)
    image, places = dots
    copies = augment(image.expand(12, -1, -1, -1), 64, torch.Generator().manual_seed(4))
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
    """In three dimensions: points of a head in the original pose and, after the changes, in the pose of the copy."""
    mirrored, roll, shift, turn_before = -1.0, 0.1, np.array([0.01, -0.004]), np.array([0.05, -0.2])
    view = np.array([0.1, 0.3, -0.05, 0.004, 0.002])
    points = np.random.default_rng(0).normal((0, 0, 1), 0.05, (50, 3))
    photo, view = view, view + [*turn_before, 0, 0, 0]
    seen = apply_view(points, view) * [mirrored, 1, 1]
    turn = np.array([[math.cos(roll), -math.sin(roll)], [math.sin(roll), math.cos(roll)]])
    seen[:, :2] = seen[:, :2] @ turn.T + shift
    edit = HeadEdit.none(1, 4)
    edit.turn[0] = torch.from_numpy(turn_before)
    copy = module.PhotoBatch(torch.zeros(1, 3, 4, 4), torch.tensor([mirrored]), torch.tensor([roll]),
                             torch.tensor(shift[None], dtype=torch.float32), torch.ones(1, 3, 1, 1), edit)
    # The pose that explains the copy (of the mirrored head): mirror, then turn, then shift.
    moved = turn @ (view[3:] * [mirrored, 1]) + shift
    claimed = np.array([view[0], view[1] * mirrored, view[2] * mirrored + roll, *moved])
    assert np.allclose(apply_view(points * [mirrored, 1, 1], claimed), seen, atol=1e-9)
    original = copy.original_view(View.of(*claimed))
    assert torch.allclose(original.rotation, torch.tensor(photo[None, :3], dtype=torch.float32), atol=1e-6)
    assert torch.allclose(original.translation, torch.tensor(photo[None, 3:], dtype=torch.float32), atol=1e-6)


@pytest.fixture(scope="module")
def expressions():
    return AddedExpressions(64)


@pytest.mark.parametrize(("turn", "name", "bound"), [((-7, 22), "neutral", 0.4), ((0, 0), "sadness", 0.5),
                                                     ((-7, 22), "smile", 0.4)])
def test_a_warped_head_resembles_a_render_of_the_new_pose_and_expression(expressions, turn, name, bound):
    rig, rng = expressions.rig, np.random.default_rng(5)
    person, neutral, wanted = rig.sample_person(rng), np.zeros(57, np.float32), rig.activations(EXPRESSIONS[name])
    poses = np.radians([[4, -12, 3, 0, 0], np.add([4, -12, 3, 0, 0], [*turn, 0, 0, 0])]).astype(np.float32)
    before, after = (rig.render(person, shape, pose, 64)
                     for shape, pose in zip((neutral, wanted), poses, strict=True))
    image = torch.from_numpy(before.albedo).movedim(-1, 0)[None].float() / 255
    depth, added = torch.from_numpy(before.canon_depth)[None].clamp(max=FAR_DEPTH), torch.from_numpy(wanted)[None]
    found, edit = warp_heads(image, depth, View.of(*poses[0]), torch.from_numpy(poses[1:] - poses[:1])[:, :2],
                              added, torch.einsum("bk,kcyx->bcyx", added, expressions.motion))

    def errors(found, start, true, mask):
        """Mean errors of maps (h, w, …) and of the maps before the change."""
        return (np.abs(maps - true)[mask].mean() for maps in (found, start))

    both = binary_erosion(before.mask & after.mask, iterations=6)
    error, unmoved = errors(found[0].movedim(0, -1).numpy(), before.albedo / 255, after.albedo / 255, both)
    assert error < bound * unmoved
    if not wanted.any():
        return
    face = binary_erosion(before.canon_mask & after.canon_mask & (after.canon_depth < FAR_DEPTH), iterations=6)
    error, unmoved = errors((depth + edit.depth)[0].numpy(), depth[0].numpy(), after.canon_depth.clip(max=FAR_DEPTH),
                            face)
    assert error < bound * unmoved
    albedo = torch.from_numpy(before.canon_albedo).movedim(-1, 0)[None] / 255
    moved = sample(albedo, edit.origin)[0].movedim(0, -1).numpy()
    error, unmoved = errors(moved, before.canon_albedo / 255, after.canon_albedo / 255, face)
    assert error < bound * unmoved


def test_added_expressions_part_no_lips_and_mirror_correctly(expressions):
    weights, motion = expressions.draw(40, torch.Generator().manual_seed(0))
    assert weights[:, ~expressions.addable].abs().max() == 0 and weights.min() < -0.1 and weights.max() > 0.5
    assert motion.shape == (40, 3, 64, 64)
    flipped = motion.flip(-1) * torch.tensor([-1.0, 1, 1])[:, None, None]
    mirrored = torch.einsum("bk,kcyx->bcyx", mirrored_expression(weights), expressions.motion)
    assert (flipped - mirrored).abs().mean() < 0.05 * motion.abs().mean()


def test_random_turns_stay_within_the_largest_yaw():
    view = View(torch.zeros(500, 3).index_fill(1, torch.tensor([1]), 0.8), torch.zeros(500, 2))
    turn = random_turn(view, torch.Generator().manual_seed(0))
    assert (0.8 + turn[:, 1]).max() < math.radians(module.MAX_YAW_DEG) + 1e-5
    assert turn.std(0).min() > 0.08


def test_copies_are_deterministic(dots):
    one, two = (augment(dots[0].expand(4, -1, -1, -1), 64, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(one.image, two.image)
    assert one.image.shape == (4, 3, 64, 64) and one.image.min() >= 0 and one.image.max() <= 1
