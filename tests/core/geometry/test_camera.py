"""The camera, poses and normals: signs as core.geometry.camera states them, and what must undo what."""

import math

import pytest
import torch

from core.geometry.camera import (
    backproject,
    canonical_pixels,
    depth_to_normal,
    intrinsics,
    inverse_transform,
    pixel_grid,
    project,
    rotation_matrix,
    sample,
    transform,
)
from core.types import View
from tests.core.surfaces import ball

NOSE = torch.tensor([[[0.0, 0.0, 0.93]]])  # in front of the pivot
CROWN = torch.tensor([[[0.0, -0.08, 1.0]]])  # above it in the image


def random_view(count: int) -> View:
    return View(torch.empty(count, 3).uniform_(-1, 1), torch.empty(count, 2).uniform_(-0.1, 0.1))


@pytest.mark.parametrize(
    "view, point, axis, sign",
    [
        (View.of(pitch=0.2), NOSE, 1, 1),  # nose down
        (View.of(yaw=0.2), NOSE, 0, -1),  # nose to the image's left
        (View.of(roll=0.2), CROWN, 0, 1),  # clockwise
        (View.of(tx=0.01), NOSE, 0, 1),  # right
        (View.of(ty=0.01), NOSE, 1, 1),  # down
    ],
    ids=["pitch", "yaw", "roll", "right", "down"],
)
def test_positive_pose_moves_the_face_as_stated(view, point, axis, sign):
    moved = project(transform(point, view), 64) - project(point, 64)
    assert sign * moved[0, 0, axis] > 1
    assert moved[0, 0, 1 - axis].abs() < (1.5 if view.rotation[0, 2] else 1e-4)


def test_rotation_is_roll_after_yaw_after_pitch():
    pitch, yaw, roll = 0.3, -0.5, 0.7
    parts = [rotation_matrix(torch.tensor([part])) for part in ([pitch, 0, 0], [0, yaw, 0], [0, 0, roll])]
    whole = rotation_matrix(torch.tensor([[pitch, yaw, roll]]))
    torch.testing.assert_close(whole, parts[2] @ parts[1] @ parts[0])
    torch.testing.assert_close(whole @ whole.mT, torch.eye(3)[None])


def test_the_pivot_does_not_move():
    pivot = torch.tensor([[[0.0, 0.0, 1.0]]])
    torch.testing.assert_close(transform(pivot, View.of(0.4, -0.3, 0.2)), pivot)


def test_inverse_transform_undoes_transform():
    points, view = torch.randn(3, 8, 8, 3) * 0.1, random_view(3)
    torch.testing.assert_close(inverse_transform(transform(points, view), view), points, atol=1e-6, rtol=0)


def test_half_precision_of_convolutions_leaves_geometry_exact():
    torch.manual_seed(0)
    points, view = torch.rand(2, 50, 3), random_view(2)
    with torch.autocast("cpu", torch.bfloat16):
        there = transform(points, view)
        back = inverse_transform(there, view)
    torch.testing.assert_close(there, transform(points, view), rtol=0, atol=0)
    torch.testing.assert_close(back, inverse_transform(there, view), rtol=0, atol=0)


@pytest.mark.parametrize("size", [64, 101])
def test_project_undoes_backproject(size):
    points = backproject(torch.empty(2, size, size).uniform_(0.9, 1.1))
    torch.testing.assert_close(project(points, size), pixel_grid(size).expand(2, -1, -1, -1), atol=1e-3, rtol=0)


def test_outer_pixel_centres_lie_on_the_field_of_view():
    points = backproject(torch.ones(1, 64, 64))
    assert points[0, 0, -1, 0] == pytest.approx(math.tan(math.radians(5)), rel=1e-5)
    assert intrinsics(64)[1] == 31.5


def test_normals_of_a_frontal_plane_point_away_from_the_camera():
    normal = depth_to_normal(torch.ones(1, 16, 16))
    torch.testing.assert_close(normal, torch.tensor([0.0, 0.0, 1.0]).expand_as(normal))


def test_normals_of_a_ball_are_its_radii():
    depth = ball(65)
    inward = torch.nn.functional.normalize(torch.tensor([0.0, 0.0, 1.1]) - backproject(depth), dim=-1)
    found = depth_to_normal(depth)
    assert ((found * inward).sum(-1)[:, 2:-2, 2:-2] > math.cos(math.radians(2))).all()
    assert found[0, 32, 8, 0] > 0.2 and found[0, 8, 32, 1] > 0.2  # left and upper flank


def test_without_a_turn_every_pixel_shows_itself():
    pixels = canonical_pixels(ball(64), View.of())
    torch.testing.assert_close(pixels[0], pixel_grid(64), atol=1e-3, rtol=0)
    doubled = canonical_pixels(ball(64), View.of(), canon_size=127)
    torch.testing.assert_close(doubled[0], pixel_grid(64) * 2, atol=2e-3, rtol=0)


def test_sample_reads_pixel_centres_and_repeats_the_border():
    maps = torch.rand(1, 2, 16, 16)
    torch.testing.assert_close(sample(maps, pixel_grid(16)[None]), maps, atol=1e-5, rtol=0)
    outside = sample(maps, torch.tensor([[[[-5.0, 3.0], [40.0, 3.0]]]]))
    torch.testing.assert_close(outside[0, :, 0], maps[0, :, 3, [0, -1]], atol=1e-5, rtol=0)


def test_depth_must_be_square():
    with pytest.raises(ValueError, match="H = W"):
        backproject(torch.ones(1, 4, 5))
