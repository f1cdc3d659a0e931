"""What the expressions of the rig do to a face: by how much each moves the point at every canonical pixel.

Photos are given known changes of expression with it, as they are given known turns: nothing else says in photos how
large an expression is.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from core.faces.detect import locate
from core.geometry.camera import intrinsics
from core.types import Light
from training.render_validation import photograph
from training.rig.rasterizer import barycentric, compiled, project, visible_triangles
from training.rig.rig import FRONTAL, PHOTO_SIZE, RIG_FOLDER, SCALE, Person, Rig

PEOPLE = 12
"""Over whom a motion is averaged."""
PICTURE = 256
"""Pixels in which landmarks are looked for."""
EYES = ("PupilDilate", "eyeBlink", "eyeLook", "eyeWide")
"""Expressions that move the eyes behind the surface, and the lids over them."""
MOUTH = ("jawOpen", "mouthClose", "mouthFunnel", "mouthLowerDown", "mouthRoll", "mouthUpperUp")
"""Expressions that part the lips; a photo does not show what is behind, and they are not added to one."""
AMOUNT = (-0.5, 1.0)
"""How much of an expression of the rig is added."""


def mean_heads(rig: Rig) -> list[Person]:
    """People of whom the mean head is made, as large as photos show heads."""
    random = np.random.default_rng(0)
    return [rig.resized(rig.sample_person(random), PHOTO_SIZE) for _ in range(PEOPLE)]


def mean_landmarks(rig: Rig, size: int) -> Tensor:
    """(478, 2) landmarks that MediaPipe finds on the mean head of maps of `size` pixels (core.geometry.landmark_warp)."""
    still, light, found = np.zeros(len(rig.expression_names), np.float32), Light.of(0.6, 0.4, 0, 0.2), []
    for person in mean_heads(rig):
        sample = rig.render(person, still, FRONTAL, PICTURE)
        faces = locate(photograph(sample, light, torch.Generator().manual_seed(0)))
        found += [face.landmarks[:, :2] for face in faces[:1]]
    # The camera has the centres of its outer pixels on its edge, and a crop's edge lies beyond it (core.rendering.compositor).
    places = torch.from_numpy(np.mean(found, 0)).float() / (PICTURE - 1) * 2 - 1
    return places * ((size - 1) / size)


def expression_motion(rig: Rig, size: int) -> Tensor:
    """(57, 3, size, size) motion of the point at each canonical pixel by each expression at full strength, canonical
    frame, camera-distance units; 0 beside the head, and for those of `EYES`."""
    focal, centre = intrinsics(size)
    # y and z of the rig point up and to the camera.
    scale = SCALE * PHOTO_SIZE
    modes = rig.expression_modes.reshape(len(rig.expression_names), -1, 3) * np.float32([scale, -scale, -scale])
    total = np.zeros((len(modes), 3, size, size), np.float32)
    for person in mean_heads(rig):
        vertices = rig.canonical_vertices(person, np.zeros(len(modes), np.float32))
        points = project(vertices, np.float32(focal), np.float32(centre))
        index, _ = visible_triangles(points, rig.triangles, size)
        _add_motion(total, index, points, rig.triangles, modes)
    seen = np.array([not name.startswith(EYES) for name in rig.expression_names])
    return torch.from_numpy(total * (seen[:, None, None, None] / np.float32(PEOPLE)))


@compiled
def _add_motion(total, index, points, triangles, modes):
    """Add the motion (V, 3) of each of `modes` (K, V, 3) at every pixel to `total` (K, 3, size, size)."""
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
    """Random changes of expression for photos.

    Args:
        size: side in pixels of canonical maps.
    """

    def __init__(self, size: int):
        self.rig = Rig.load()
        self.motion = expression_motion(self.rig, size)
        self.addable = torch.tensor([not name.startswith(EYES + MOUTH) for name in self.rig.expression_names])

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Expression weights (count, 57) to be added, and the motions (count, 3, size, size) that add them."""
        random = np.random.default_rng(int(torch.randint(2**31, (1,), generator=generator)))
        drawn = np.stack([self.rig.sample_expression(random) * random.uniform(*AMOUNT) for _ in range(count)])
        weights = torch.from_numpy(drawn).float() * self.addable
        return weights, torch.einsum("bk,kcyx->bcyx", weights, self.motion)


def mirrored_expression(weights: Tensor) -> Tensor:
    """Expression weights (…, 57) of the mirrored face."""
    return weights[..., _mirrored_order()]


@functools.cache
def _mirrored_order() -> list[int]:
    """For each expression, the place of the one that moves the other side."""
    with np.load(RIG_FOLDER / "rig.npz") as arrays:
        names = [str(name) for name in arrays["expression_names"]]
    other = {"_L": "_R", "_R": "_L", "Left": "Right", "Right": "Left"}
    ends = [next((end for end in other if name.endswith(end)), "") for name in names]
    return [names.index(name.removesuffix(end) + other.get(end, "")) for name, end in zip(names, ends, strict=True)]
