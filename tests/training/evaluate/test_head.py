"""The measurement of heads."""

import numpy as np

from core.head.rig import in_camera
from core.pipeline import LatentFace
from training.evaluate.protocols.head import flipped


def test_triangles_that_turn_over_are_counted():
    _, front = LatentFace.from_pretrained().head_fit
    points = in_camera(front.rig.neutral.reshape(-1, 3))
    assert flipped(front, points, points) == 0
    assert flipped(front, points, points * np.float32([-1, 1, 1])) > 1000
