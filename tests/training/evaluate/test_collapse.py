"""The signs of collapse: each is seen where it was put, and nowhere else."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from core.geometry.camera import backproject
from core.types import View
from training.evaluate.protocols.collapse import measure

SIZE = 32
YAW = np.linspace(-30, 30, 8)
AXIS = torch.linspace(-1, 1, SIZE)
HEAD = 0.97 + 0.1 * (AXIS[:, None] ** 2 + AXIS**2)


class Told:
    """A model that tells known factors: photos are grey and hold their yaw, over 100 degrees, as blue minus red."""

    def __init__(self, shape=HEAD, lean=0.0, painted=0.0, slope=1.0):
        self.shape, self.lean, self.painted, self.slope = shape, lean, painted, slope

    def analyze(self, images):
        yaw = torch.deg2rad(100 * (images[:, 2] / images[:, 1] - images[:, 0] / images[:, 1]).mean((1, 2)))
        depth = self.shape - self.lean * yaw[:, None, None] * backproject(HEAD[None])[..., 0]
        # The person's own shape: without it nothing differs between faces.
        depth = depth + 0.002 * torch.sin(torch.arange(len(yaw)))[:, None, None] * AXIS[:, None] ** 2
        rotation = torch.nn.functional.pad(self.slope * yaw[:, None], (1, 1))
        return SimpleNamespace(canon_depth=depth, canon_albedo=images**self.painted,
                               view=View(rotation, torch.zeros(len(yaw), 2)))


@pytest.fixture
def photos():
    shift = torch.tensor(YAW).float()[:, None, None] / 200
    return 0.4 * torch.stack([1 - shift, torch.ones_like(shift), 1 + shift], 1).expand(-1, -1, SIZE, SIZE)


def test_right_factors_show_no_sign(photos):
    found = measure(Told(), photos, YAW, HEAD)
    assert found["depth.head"] > 0.99 and abs(found["depth.relief"] - 1) < 0.02 and found["depth.faces"] > 0.01
    assert abs(found["albedo.light"]) < 1e-3 and abs(found["shape.turn"]) < 1e-3 and abs(found["pose.yaw"] - 1) < 0.01


@pytest.mark.parametrize(("broken", "figure", "value"), [
    ({"shape": 2 * 0.97 - HEAD}, "depth.head", -1), ({"shape": 0.97 + 0.1 * (HEAD - 0.97)}, "depth.relief", 0.1),
    ({"painted": 0.5}, "albedo.light", 0.5), ({"lean": 0.3}, "shape.turn", 0.3), ({"slope": 0.4}, "pose.yaw", 0.4)])
def test_each_sign_is_seen(photos, broken, figure, value):
    assert measure(Told(**broken), photos, YAW, HEAD)[figure] == pytest.approx(value, abs=0.04)
