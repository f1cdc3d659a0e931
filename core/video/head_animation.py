"""A track as the animation of a head: expression weights and pose of each frame."""

from __future__ import annotations

import numpy as np

from core.export.gltf import Animation
from core.geometry.camera import rotation_matrix
from core.video.track import Track

GLTF_AXES = np.diag([1.0, -1.0, -1.0])
"""From the camera's axes (x right, y down, z away) to glTF's."""


def head_animation(track: Track, frames: list[int], rest: np.ndarray, gain: np.ndarray, pose: float) -> Animation:
    """The motion of a head whose expression changes as a track's does from its neutral frame, in the film's pose.

    Args:
        track: of any person.
        frames: indices of its frames, ascending.
        rest: (57,) weights of the head at rest, [0, 1].
        gain: (57,) factor that undoes the shrinkage of the track's weights (ExpressionBasis.gain).
        pose: how much of the turning, 0 to 1.

    Returns:
        The animation; its time starts at 0.
    """
    chosen = track.frames[frames]
    step = (chosen.expression - track.frames.expression[track.neutral]).cpu().numpy() * gain
    turned = GLTF_AXES @ rotation_matrix(chosen.view.rotation.cpu() * pose).numpy() @ GLTF_AXES
    times = chosen.time.cpu().numpy()
    return Animation(times - times[0], (rest + step).clip(0, 1), quaternions(turned))


def quaternions(matrices: np.ndarray) -> np.ndarray:
    """(T, 4) unit quaternions x, y, z, w of rotations (T, 3, 3); neighbours lie on one side, as interpolation needs."""
    from scipy.spatial.transform import Rotation

    found = Rotation.from_matrix(matrices).as_quat()
    flips = np.cumprod(np.concatenate([[1.0], np.where((found[1:] * found[:-1]).sum(1) < 0, -1.0, 1.0)]))
    return found * flips[:, None]
