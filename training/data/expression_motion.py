"""Displacement of every canonical pixel by each expression of the rig.

Training adds known expressions to photos with it, as it adds known turns: nothing else in photos says how large an
expression is.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from core.faces.detect import locate
from core.geometry.camera import intrinsics
from core.types import Light
from training.render_validation import render_image
from training.rig.rasterizer import barycentric, compiled, project, visible_triangles
from training.rig.rig import FRONTAL, PHOTO_SIZE, RIG_FOLDER, SCALE, Person, Rig

PEOPLE = 12
"""Number of people whose heads are averaged."""
LANDMARK_SIZE = 256
"""Side of the renders in which landmarks are detected, pixels."""
EYES = ("PupilDilate", "eyeBlink", "eyeLook", "eyeWide")
"""Expressions that move the eyes, which lie behind the surface, and the lids over them."""
MOUTH = ("jawOpen", "mouthClose", "mouthFunnel", "mouthLowerDown", "mouthRoll", "mouthUpperUp")
"""Expressions that part the lips. They are not added to photos, which do not show what lies behind the lips."""
STRENGTH = (-0.5, 1.0)
"""Range of the random factor of an added expression."""


def mean_heads(rig: Rig) -> list[Person]:
    """The people whose heads are averaged, of the size that heads have in photos."""
    random = np.random.default_rng(0)
    return [rig.resized(rig.sample_person(random), PHOTO_SIZE) for _ in range(PEOPLE)]


def mean_landmarks(rig: Rig, size: int) -> Tensor:
    """Landmarks (478, 2) of the mean head as MediaPipe detects them, crop coordinates (core.geometry.landmark_warp).

    Args:
        rig: of the heads.
        size: side of the canonical maps, pixels.
    """
    neutral, light, detected = np.zeros(len(rig.expression_names), np.float32), Light.of(0.6, 0.4, 0, 0.2), []
    for person in mean_heads(rig):
        sample = rig.render(person, neutral, FRONTAL, LANDMARK_SIZE)
        faces = locate(render_image(sample, light, torch.Generator().manual_seed(0)))
        detected += [face.landmarks[:, :2] for face in faces[:1]]
    # The camera's edge runs through the centres of the outer pixels; a crop's edge lies half a pixel further out.
    camera = torch.from_numpy(np.mean(detected, 0)).float() / (LANDMARK_SIZE - 1) * 2 - 1
    return camera * ((size - 1) / size)


def expression_motion(rig: Rig, size: int) -> Tensor:
    """Displacement of the point at each canonical pixel by each expression at full strength, mean of `PEOPLE` heads.

    Returns:
        (57, 3, size, size) canonical frame, camera-distance units; 0 outside the head, and for expressions of `EYES`.
    """
    focal, centre = intrinsics(size)
    # The rig's y points up and its z to the camera; both are opposite in the canonical frame.
    axes = np.array([1, -1, -1], np.float32) * np.float32(SCALE * PHOTO_SIZE)
    modes = rig.expression_modes.reshape(len(rig.expression_names), -1, 3) * axes
    total = np.zeros((len(modes), 3, size, size), np.float32)
    for person in mean_heads(rig):
        vertices = rig.canonical_vertices(person, np.zeros(len(modes), np.float32))
        points = project(vertices, np.float32(focal), np.float32(centre))
        index, _ = visible_triangles(points, rig.triangles, size)
        _add_motion(total, index, points, rig.triangles, modes)
    visible = np.array([not name.startswith(EYES) for name in rig.expression_names])
    return torch.from_numpy(total * (visible[:, None, None, None] / np.float32(PEOPLE)))


@compiled
def _add_motion(total, index, points, triangles, modes):
    """Add to `total` (K, 3, size, size) the vertex displacements `modes` (K, V, 3), interpolated at every pixel."""
    for y in range(len(index)):
        for x in range(len(index)):
            if index[y, x] < 0:
                continue
            a, b, c = triangles[index[y, x]]
            wa, wb, wc, _ = barycentric(points, a, b, c, x, y)
            for k in range(len(modes)):
                for axis in range(3):
                    total[k, axis, y, x] += wa * modes[k, a, axis] + wb * modes[k, b, axis] + wc * modes[k, c, axis]


class AddedExpressions:
    """Random expressions that are added to photos.

    Args:
        size: side of the canonical maps, pixels.
    """

    def __init__(self, size: int):
        self.rig = Rig.load()
        self.motion = expression_motion(self.rig, size)
        self.addable = torch.tensor([not name.startswith(EYES + MOUTH) for name in self.rig.expression_names])

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Random expression weights (count, 57) and the displacements (count, 3, size, size) that add them."""
        random = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        drawn = np.stack([self.rig.sample_expression(random) * random.uniform(*STRENGTH) for _ in range(count)])
        weights = torch.from_numpy(drawn).float() * self.addable
        return weights, torch.einsum("bk,kcyx->bcyx", weights, self.motion)


def mirrored_expression(weights: Tensor) -> Tensor:
    """Expression weights (…, 57) of the mirrored face: left and right are exchanged."""
    return weights[..., _mirrored_order()]


@functools.cache
def _mirrored_order() -> list[int]:
    """For each expression, the index of its counterpart on the other side."""
    with np.load(RIG_FOLDER / "rig.npz") as arrays:
        names = [str(name) for name in arrays["expression_names"]]
    opposite = {"_L": "_R", "_R": "_L", "Left": "Right", "Right": "Left"}
    ends = [next((end for end in opposite if name.endswith(end)), "") for name in names]
    return [names.index(name.removesuffix(end) + opposite.get(end, "")) for name, end in zip(names, ends, strict=True)]
