"""A track as the animation of a head."""

import numpy as np
import torch

from core.geometry.camera import rotation_matrix
from core.video.head_animation import GLTF_AXES, quaternions


def test_a_head_turned_to_the_images_right_looks_right():
    # A negative yaw turns the axis away from the camera to the image's left, and the face, at its other end, right.
    turned = GLTF_AXES @ rotation_matrix(torch.tensor([[0.0, -0.5, 0.0]])).numpy() @ GLTF_AXES
    x, y, z, w = quaternions(turned)[0]
    forward = turned[0] @ [0, 0, 1]
    assert forward[0] > 0.4 and np.allclose([x, z], 0) and np.isclose(abs(2 * y * w), np.sin(0.5))


def test_neighbouring_rotations_are_interpolated_the_short_way():
    angles = torch.linspace(-6, 6, 60)
    found = quaternions(rotation_matrix(torch.stack([0 * angles, angles, 0 * angles], 1)).numpy())
    assert ((found[1:] * found[:-1]).sum(1) > 0.9).all()
