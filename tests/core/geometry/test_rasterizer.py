"""Depth rendering of grid meshes: exact depth, exact occlusion, true gradients, at any size."""

import importlib.util
import math

import pytest
import torch

from core.errors import ArgumentInvalid, BackendMissing
from core.geometry.camera import backproject, project, transform
from core.geometry.rasterizer import BACKGROUND, current_rasterizer, rasterize_depth, use_rasterizer
from core.types import View
from tests.core.surfaces import ball, rays

PYTORCH3D = importlib.util.find_spec("pytorch3d") is not None


@pytest.mark.parametrize("size", [17, 64, 100, 256])
def test_a_tilted_plane_has_its_exact_depth_at_any_size(size):
    slope = torch.tensor([0.5, -0.3])
    corners = rays(9) * 1.3  # wider than the image
    depth = 1 / (1 - corners @ slope)  # the plane z = 1 + 0.5 x − 0.3 y, perspective and all
    points = torch.cat([corners * depth[..., None], depth[..., None]], -1)
    found, mask = rasterize_depth(points[None], size)
    assert mask.all()
    torch.testing.assert_close(found[0], 1 / (1 - rays(size) @ slope), atol=2e-6, rtol=0)


def test_a_nearer_patch_hides_a_farther_one():
    """A strip folded back over itself: its far half is met first in the grid, then last."""
    far, near = torch.linspace(-0.06, 0.06, 13), torch.linspace(0.02, -0.03, 13)
    x = torch.cat([far, near])
    z = torch.cat([torch.full((13,), 1.05), torch.full((13,), 0.95)])
    y = torch.linspace(-0.06, 0.06, 13)
    points = torch.stack([x.expand(13, -1), y[:, None].expand(-1, 26), z.expand(13, -1)], -1)[None]
    place = rays(64)[32, :, 0]
    covered, only_far = (place > -0.029) & (place < 0.019), place.abs().lt(0.055) & (place < -0.04)
    for order in (points, points.flip(2)):
        row = rasterize_depth(order, 64)[0][0, 32]
        torch.testing.assert_close(row[covered], torch.full_like(row[covered], 0.95))
        torch.testing.assert_close(row[only_far], torch.full_like(row[only_far], 1.05))


def test_a_turned_nose_hides_the_cheek_behind_it():
    """No pixel may show a point while a nearer one projects there."""
    depth = ball(64) - 0.04 * torch.exp(-(rays(64) ** 2).sum(-1) / 0.015**2)
    points = transform(backproject(depth), View.of(yaw=0.8))
    seen, mask = rasterize_depth(points, 256)
    pixel = project(points, 256).round().long().flatten(0, 2)
    inside = ((pixel >= 0) & (pixel < 256)).all(-1)
    pixel, z = pixel[inside], points[..., 2].flatten()[inside]
    nearest = -torch.nn.functional.max_pool2d(-seen, 3, 1, 1)[0]  # a point need not project to a pixel's centre
    assert (nearest[pixel[:, 1], pixel[:, 0]] <= z + 1e-3).all()
    assert mask.float().mean() > 0.3


def test_nothing_seen_is_background_without_gradient():
    points = backproject(ball(16)).clone()
    points[..., 0] += 1
    points.requires_grad_()
    depth, mask = rasterize_depth(points, 32)
    assert not mask.any() and (depth == BACKGROUND).all()
    depth.sum().backward()
    assert (points.grad == 0).all()


def test_mirrored_faces_in_mirrored_views_are_mirrored():
    depth = ball(32) + 0.01 * torch.rand(1, 32, 32)
    one, _ = rasterize_depth(transform(backproject(depth), View.of(yaw=0.4)), 48)
    # The diagonal of each cell is mirrored too, hence the tolerance.
    other, _ = rasterize_depth(transform(backproject(depth.flip(-1)), View.of(yaw=-0.4)), 48)
    inner = (slice(None), slice(6, -6), slice(6, -6))
    assert (one.flip(-1) - other)[inner].abs().median() < 2e-3


def test_gradients_agree_with_finite_differences():
    depth = ball(10).double() + 0.004 * torch.rand(1, 10, 10, dtype=torch.float64)
    view = View(torch.tensor([[0.2, 0.35, 0.1]], dtype=torch.float64), torch.zeros(1, 2, dtype=torch.float64))
    points = transform(torch.cat([rays(10).double() * depth[..., None], depth[..., None]], -1), view)
    weight = torch.rand(1, 23, 23, dtype=torch.float64)

    def total(moved):
        seen, mask = rasterize_depth(moved, 23)
        return (seen * weight).sum(), mask

    points.requires_grad_()
    value, mask = total(points)
    value.backward()
    step, checked = 1e-6, 0
    for index in [(0, 3, 4), (0, 5, 5), (0, 7, 2), (0, 4, 8)]:
        for axis in range(3):
            change = torch.zeros_like(points)
            change[*index, axis] = step
            (above, mask_above), (below, mask_below) = total(points.detach() + change), total(points.detach() - change)
            if (mask_above == mask).all() and (mask_below == mask).all():
                assert (above - below).item() / (2 * step) == pytest.approx(points.grad[*index, axis].item(), abs=1e-6)
                checked += 1
    assert checked >= 9


def test_images_of_a_batch_do_not_meet():
    points = torch.cat([transform(backproject(ball(24)), View.of(yaw=yaw)) for yaw in (-0.5, 0.0, 0.5)])
    together, _ = rasterize_depth(points, 40)
    for k in range(3):
        torch.testing.assert_close(together[k], rasterize_depth(points[k : k + 1], 40)[0][0])


def test_points_of_a_wrong_shape_are_refused():
    with pytest.raises(ArgumentInvalid, match="points"):
        rasterize_depth(torch.zeros(8, 8, 3), 16)


def test_an_unknown_backend_is_refused():
    with pytest.raises(ArgumentInvalid, match="grid or pytorch3d"), use_rasterizer("opengl"):
        pass


@pytest.mark.skipif(PYTORCH3D, reason="PyTorch3D is installed")
def test_choosing_pytorch3d_says_how_to_install_it():
    with pytest.raises(BackendMissing, match="requirements-pytorch3d.txt"), use_rasterizer("pytorch3d"):
        pass


@pytest.mark.skipif(not PYTORCH3D, reason="PyTorch3D is not installed: see requirements-pytorch3d.txt")
def test_pytorch3d_renders_the_same_depth_and_gradient():
    points = transform(backproject(ball(32)), View.of(0.2, math.radians(40), 0.1, 0.01, -0.02))
    depths, masks, gradients = [], [], []
    for name in ("grid", "pytorch3d"):
        with use_rasterizer(name):
            moved = points.clone().requires_grad_()
            depth, mask = rasterize_depth(moved, 48)
        depth.sum().backward()
        depths.append(depth.detach())
        masks.append(mask)
        gradients.append(moved.grad)
    assert (masks[0] == masks[1]).float().mean() > 0.99
    assert (depths[0] - depths[1])[masks[0] & masks[1]].abs().quantile(0.99) < 1e-4
    assert torch.cosine_similarity(gradients[0].flatten(), gradients[1].flatten(), 0) > 0.98
    assert gradients[1].abs().max() < 2 * gradients[0].abs().max()


@pytest.mark.skipif(not PYTORCH3D, reason="PyTorch3D is not installed: see requirements-pytorch3d.txt")
def test_the_backend_is_the_former_one_after_the_context():
    before = current_rasterizer()
    with use_rasterizer("pytorch3d"):
        assert current_rasterizer() == "pytorch3d"
    assert current_rasterizer() == before
