"""Lambert shading: the formula, and where the light comes from."""

import pytest
import torch

from core.geometry.camera import depth_to_normal
from core.geometry.shading import relight, shade
from core.types import Light
from tests.core.surfaces import ball


def test_shading_is_ambient_plus_diffuse_times_cosine():
    normal = torch.nn.functional.normalize(torch.tensor([[[[0.0, 0, 1], [0.6, 0, 0.8], [0, 0, -1]]]]), dim=-1)
    light = Light(torch.tensor([0.3]), torch.tensor([0.5]), torch.tensor([[0.0, 0, 1]]))
    torch.testing.assert_close(shade(normal, light)[0, 0, 0], torch.tensor([0.8, 0.7, 0.3]))


@pytest.mark.parametrize(
    "dx, dy, bright, dark",
    [(1, 0, (32, 8), (32, 56)), (-1, 0, (32, 56), (32, 8)), (0, 1, (8, 32), (56, 32)), (0, -1, (56, 32), (8, 32))],
    ids=["left", "right", "above", "below"],
)
def test_light_comes_from_the_stated_side(dx, dy, bright, dark):
    shading = shade(depth_to_normal(ball(65)), Light.of(0.3, 0.6, dx, dy))[0, 0]
    assert shading[bright] > shading[dark] + 0.2


def test_each_face_has_its_own_light():
    normal, albedo = depth_to_normal(ball(16)).expand(2, -1, -1, -1), torch.rand(2, 3, 16, 16)
    lights = Light(torch.tensor([0.2, 0.9]), torch.tensor([0.5, 0.0]), torch.tensor([[0.0, 0, 1], [0, 0, 1]]))
    lit = relight(albedo, normal, lights)
    torch.testing.assert_close(lit[1], albedo[1] * 0.9)
    torch.testing.assert_close(lit[0], relight(albedo[:1], normal[:1], lights[0])[0])
