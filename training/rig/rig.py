"""Synthetic faces with known geometry: people, expressions and views drawn from the rig in assets/rig.

A render is a G-buffer without light: training draws light and sensor noise afresh at each use.
image = albedo * (ambient + diffuse * max(0, normal . light)), normal and light in the canonical frame.

Convention: core.geometry.camera (pinhole of 10 degrees, x right, y down, z away from the camera, R = Rz Ry Rx about
(0, 0, 1), then translation). Normals point away from the camera: a frontal patch has (0, 0, +1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from core.config import ASSETS
from core.geometry.camera import intrinsics
from core.geometry.rasterizer import BACKGROUND
from core.head.rig import DEPTH_ORIGIN, IDENTITY_MODES, PIVOT_CM, SCALE
from training.rig.accessories import Accessories, AccessorySampler
from training.rig.rasterizer import (
    LAYERS,
    OVERSAMPLE,
    centre_geometry,
    cover,
    mean_albedo,
    project,
    vertex_normals,
    visible_triangles,
)

RIG_FOLDER = ASSETS / "rig"
MEAN_DEPTH, FAR_DEPTH = 1.0172, 1.07  # a neutral head's mean visible depth; the neck counts as at most 1.07
PHOTO_SIZE = 0.96
"""Size of the heads in FairFace photos, by MediaPipe's landmarks, relative to the rig's."""
BLINK_CAP = 0.85  # above it the eyeball pokes through the lid

# Coarse expressions as activations at full strength; a name without _L / _R moves both sides.
EXPRESSIONS = {
    "neutral": {},
    "smile": {"mouthSmile": 0.8, "cheekSquint": 0.4, "mouthDimple": 0.2},
    "laugh": {"mouthSmile": 0.9, "jawOpen": 0.35, "cheekSquint": 0.7, "eyeSquint": 0.4, "mouthUpperUp": 0.4},
    "surprise": {"browInnerUp": 0.9, "browOuterUp": 0.8, "eyeWide": 0.8, "jawOpen": 0.5},
    "anger": {"browDown": 0.95, "noseSneer": 0.5, "eyeSquint": 0.4, "mouthPress": 0.6, "mouthFrown": 0.3},
    "sadness": {"browInnerUp": 0.9, "mouthFrown": 0.8, "mouthShrugLower": 0.4, "eyeBlink": 0.25},
    "disgust": {"noseSneer": 0.95, "mouthUpperUp": 0.6, "browDown": 0.5, "cheekSquint": 0.5},
    "fear": {"browInnerUp": 0.9, "browOuterUp": 0.3, "eyeWide": 0.9, "mouthStretch": 0.7, "jawOpen": 0.25},
    "pucker": {"mouthPucker": 0.95},
    "funnel": {"mouthFunnel": 0.9, "jawOpen": 0.2},
    "blink": {"eyeBlink": BLINK_CAP},
    "open": {"jawOpen": 0.8},
    "teeth": {"mouthSmile": 0.4, "mouthUpperUp": 0.7, "mouthLowerDown": 0.8, "mouthStretch": 0.2},
    "puff": {"cheekPuff": 0.9, "mouthPress": 0.3},
    "left": {"mouthLeft": 0.8, "jawLeft": 0.5},
    "right": {"mouthRight": 0.8, "jawRight": 0.5},
}
FRONTAL = np.zeros(5, np.float32)
NEVER_RANDOM = ("PupilDilate", "eyeLook", "eyeBlink", "mouthClose", "jawOpen")  # only as EXPRESSIONS says

# 0-255: gums and tongue, teeth, sclera, pupil; then irises and how often they occur
GUMS, TEETH, SCLERA, PUPIL = (150, 55, 52), (226, 218, 204), (222, 218, 214), (18, 16, 16)
IRISES = np.array([(72, 46, 30), (52, 34, 24), (96, 74, 44), (88, 112, 134), (100, 120, 110), (92, 108, 76)])
IRIS_ODDS = np.array([0.35, 0.25, 0.12, 0.14, 0.08, 0.06])


@dataclass
class Person:
    """One synthetic person: shape, skin and eye colors."""

    coefficients: np.ndarray  # (100,) float32 identity modes
    vertices: np.ndarray  # (V * 3,) float32 neutral shape in cm, rig frame
    texture: np.ndarray  # (h, w, 3) uint8 skin albedo
    palette: np.ndarray  # (8, 3) float32 0-255, see training.rig.rasterizer.mean_albedo
    depth_origin: float = DEPTH_ORIGIN  # depth of the rig's origin in the canonical frame
    id: int = 0
    size: float = 1.0  # of the head in its crop, relative to the rig's


@dataclass
class RigSample:
    """Unlit images of one person, size n, canonical and input view; normals in the canonical frame."""

    canon_depth: np.ndarray  # (n, n) float32, background 1.1
    canon_mask: np.ndarray  # (n, n) bool
    canon_albedo: np.ndarray  # (n, n, 3) uint8
    canon_normal: np.ndarray  # (n, n, 3) float32
    canon_cover: np.ndarray  # (n, n) uint8, share of each pixel that accessories hide
    depth: np.ndarray  # (n, n) float32 in the input view's camera
    mask: np.ndarray  # (n, n) bool
    albedo: np.ndarray  # (n, n, 3) uint8
    normal: np.ndarray  # (n, n, 3) float32
    cover: np.ndarray  # (n, n, 5) uint8, what accessories hide, by layers, see rasterizer.cover
    cover_normal: np.ndarray  # (n, n, 3) float32, of the accessories
    view: np.ndarray  # (5,) float32 pitch, yaw, roll in radians, x and y shift
    expression: np.ndarray  # (57,) float32
    identity: np.ndarray  # (100,) float32
    person: int


DrawnMaps = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Depth, mask, albedo, normal, cover and the cover's normal, of one view."""
Worn = tuple[Accessories, np.ndarray, np.ndarray]
"""Accessories, their vertices in the canonical frame, and their normals."""


def rotation_matrix(rotation: np.ndarray) -> np.ndarray:
    """(3, 3) matrix Rz Ry Rx of (pitch, yaw, roll) in radians."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(rotation), np.sin(rotation)
    pitch = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    yaw = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    roll = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return (roll @ yaw @ pitch).astype(np.float32)


def apply_view(points: np.ndarray, view: np.ndarray) -> np.ndarray:
    """Canonical points (..., 3) to the input view's camera; `view` is (5,) pitch, yaw, roll, x, y."""
    pivot = np.array([0, 0, 1], np.float32)
    shift = np.array([view[3], view[4], 0], np.float32)
    return (points - pivot) @ rotation_matrix(view[:3]).T + pivot + shift


def _smooth_field(rng: np.random.Generator, cells: int, size: int, channels: int = 1) -> np.ndarray:
    """(size, size, channels) smooth noise of about unit variance, mostly symmetric left to right as faces are."""
    noise = rng.normal(size=(cells, cells, channels)).astype(np.float32)
    noise = torch.from_numpy(0.64 * (noise + noise[:, ::-1]) + 0.44 * noise).movedim(-1, 0)[None]
    return F.interpolate(noise, (size, size), mode="bicubic")[0].movedim(0, -1).numpy()


def _blur(image: np.ndarray, width: int) -> np.ndarray:
    """An (h, w, c) image, h = w, without detail smaller than about `width` pixels."""
    coarse = F.avg_pool2d(torch.from_numpy(image).movedim(-1, 0)[None], width)
    return F.interpolate(coarse, image.shape[:2], mode="bicubic")[0].movedim(0, -1).numpy()


class Rig:
    """A morphable head with people to mix. Make one with `Rig.load`."""

    def __init__(self, arrays: dict[str, np.ndarray], textures: np.ndarray):
        """`arrays`: assets/rig/rig.npz, people already selected; `textures`: (P, h, w, 3) uint8."""
        self.neutral = arrays["neutral"].reshape(-1)
        # one contiguous (modes, V * 3) matrix: a tensordot on (modes, V, 3) copies it at every call
        modes = arrays["modes"].astype(np.float32) * arrays["mode_step"][:, None]
        self.identity_modes, self.expression_modes = modes[:IDENTITY_MODES], modes[IDENTITY_MODES:]
        self.expression_names = [str(name) for name in arrays["expression_names"]]
        self.triangles = arrays["triangles"].astype(np.int32)
        self.uvs, self.triangle_uvs = arrays["uvs"], arrays["triangle_uvs"].astype(np.int32)
        self.triangle_material = arrays["triangle_material"].astype(np.int32)
        self.fits = arrays["identity_coefficients"]
        self.ids = arrays["ids"]
        self.textures = textures
        part = dict(zip(arrays["materials"], range(len(arrays["materials"])), strict=True))
        skin, *eyes = (self.triangles[np.isin(self.triangle_material, [part[name] for name in names])]
                       for names in (("Face", "BackHead"), ("ScleraLeft",), ("ScleraRight",)))
        self.accessory_sampler = AccessorySampler(arrays["neutral"], skin, [np.unique(eye) for eye in eyes])
        self._library = [self.activations(shape) for shape in EXPRESSIONS.values()]
        self._random = np.array([not name.startswith(NEVER_RANDOM) for name in self.expression_names])

    @classmethod
    def load(cls, folder: str | Path = RIG_FOLDER, split: str = "rig") -> Rig:
        """Read the rig with the people of one split.

        Args:
            folder: assets/rig, as written by training.rig.slim_rig.
            split: "rig" (61 people, training) or "heldout" (41 people, validation).
        """
        arrays = dict(np.load(Path(folder) / "rig.npz"))
        chosen = arrays["splits"] == split
        if not chosen.any():
            raise ValueError(f"The rig has no people of split {split!r}; use 'rig' or 'heldout'.")
        arrays.update({key: arrays[key][chosen] for key in ("ids", "identity_coefficients", "skin", "hair")})
        paths = [Path(folder) / f"textures/{person}.jpg" for person in arrays["ids"]]
        return cls(arrays, np.stack([np.asarray(Image.open(path)) for path in paths]))

    def activations(self, shape: dict[str, float]) -> np.ndarray:
        """(57,) weights of one entry of EXPRESSIONS, or of any like it."""
        return np.array([shape.get(name, shape.get(name.removesuffix("_L").removesuffix("_R"), 0))
                         for name in self.expression_names], np.float32)

    def sample_person(self, rng: np.random.Generator, varied: bool = False) -> Person:
        """Mix shape and skin of two people, with noise on the modes and a skin tint.

        Args:
            rng: source of all randomness.
            varied: draw from many more skins than the rig has people, see `_vary`.
        """
        first, second = rng.choice(len(self.fits), 2, replace=False)
        blend = rng.uniform()
        coefficients = rng.normal(0, 0.6, IDENTITY_MODES).astype(np.float32)
        coefficients[: self.fits.shape[1]] += blend * self.fits[first] + (1 - blend) * self.fits[second]
        skin_blend = rng.beta(0.5, 0.5)  # near one of the two, so that most skins stay sharp
        texture = skin_blend * self.textures[first] + (1 - skin_blend) * self.textures[second]
        if varied:
            texture = self._vary(skin_blend, self.textures[first], self.textures[second], rng)
        tint = np.exp(rng.normal(0, 0.15) + rng.normal(0, 0.04, 3))
        texture = np.clip(texture * tint, 0, 255).astype(np.uint8, order="C")  # as compiled for
        person = Person(coefficients, self.neutral + coefficients @ self.identity_modes, texture,
                        self._sample_palette(texture, rng))
        return self.resized(person, person.size)

    def resized(self, person: Person, size: float) -> Person:
        """A person in a crop that shows the head `size` times as large as the rig's; the mean depth stays."""
        person = replace(person, size=size)
        return replace(person, depth_origin=person.depth_origin + MEAN_DEPTH - self._mean_depth(person))

    def _vary(self, blend: float, first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """A skin (h, w, 3) that takes one region from one person and the next from another, its detail stronger or
        weaker, its color uneven; how much of all this differs."""
        strength = rng.uniform()
        size = len(first)
        share = np.clip(blend + 0.6 * strength * _smooth_field(rng, 6, size), 0, 1)
        skin = share * first + (1 - share) * second
        even = _blur(skin, size // 16)
        skin = even + (skin - even) * math.exp(rng.normal(0, 0.35 * strength))
        colour = 0.05 * _smooth_field(rng, 5, size) + 0.02 * _smooth_field(rng, 5, size, 3)
        return skin * np.exp(strength * (rng.normal(0, 0.2) + colour))

    def _mean_depth(self, person: Person) -> float:
        """Mean visible depth of the neutral face; the same for everybody, else distance varies unseen."""
        vertices = self.canonical_vertices(person, np.zeros(len(self.expression_names), np.float32))
        depth, mask, *_ = self._draw(vertices, np.zeros_like(vertices), person, 32, None, FRONTAL)
        return np.minimum(depth[mask], FAR_DEPTH).mean()

    def _sample_palette(self, texture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(8, 3) colors: face (unused), back of head, gums, teeth, two scleras, pupil, iris."""
        iris = IRISES[rng.choice(len(IRISES), p=IRIS_ODDS)] * rng.uniform(0.75, 1.25)
        rows = np.array([texture[2, 2], texture[2, 2], GUMS, TEETH, SCLERA, SCLERA, PUPIL, iris], np.float32)
        rows[2:6] *= rng.uniform(0.75, 1.05)  # mouth and eyes of one person share how light they look
        return rows

    def sample_expression(self, rng: np.random.Generator) -> np.ndarray:
        """(57,) activations in [0, 1]: one or two of the library, gaze, small random ones."""
        strength = rng.uniform(0.2, 1.0, 2) * (1.0, rng.uniform() < 0.3)
        picks = rng.integers(len(self._library), size=2)
        weights = strength[0] * self._library[picks[0]] + strength[1] * self._library[picks[1]]
        weights = weights * rng.normal(1, 0.12, len(weights))  # sides and muscles never move quite alike
        active = (rng.uniform(size=len(weights)) < 0.15) & self._random
        weights = weights + active * rng.uniform(0, 0.3, len(weights)) + self._sample_gaze(rng)
        caps = [BLINK_CAP if name.startswith("eyeBlink") else 1.0 for name in self.expression_names]
        return np.clip(weights, 0, caps).astype(np.float32)

    def _sample_gaze(self, rng: np.random.Generator) -> np.ndarray:
        """(57,) eyeLook activations, both eyes towards the same point."""
        across, down = rng.normal(0, 0.25, 2)
        return self.activations({
            "eyeLookOut_L": max(across, 0), "eyeLookIn_R": max(across, 0), "eyeLookIn_L": max(-across, 0),
            "eyeLookOut_R": max(-across, 0), "eyeLookDown": max(down, 0), "eyeLookUp": max(-down, 0)})

    def sample_view(self, rng: np.random.Generator) -> np.ndarray:
        """(5,) pitch, yaw, roll in radians (sigma 15, 27, 3 degrees, within 60), x, y shift (sigma 0.006)."""
        degrees = np.clip(rng.normal(0, (15, 27, 3)), -60, 60)
        shift = np.clip(rng.normal(0, 0.006, 2), -0.1, 0.1)
        return np.concatenate([np.radians(degrees), shift]).astype(np.float32)

    def canonical_vertices(self, person: Person, expression: np.ndarray) -> np.ndarray:
        """(V, 3) float32 vertices in the canonical camera frame."""
        return self._in_camera(person, person.vertices + expression @ self.expression_modes)

    def _in_camera(self, person: Person, vertices: np.ndarray) -> np.ndarray:
        """(V, 3) canonical camera frame of rig points, cm, in any shape."""
        scale = SCALE * person.size
        return (vertices.reshape(-1, 3) - PIVOT_CM) * np.array([scale, -scale, -scale], np.float32) + np.array(
            [0, 0, person.depth_origin], np.float32)

    def sample_accessories(self, person: Person, rng: np.random.Generator) -> Accessories | None:
        """`Accessories` for a person, or None."""
        return self.accessory_sampler.sample(person.vertices.reshape(-1, 3), rng)

    def render(self, person: Person, expression: np.ndarray, view: np.ndarray, size: int = 64,
               accessories: Accessories | None = None) -> RigSample:
        """Images of one person in the canonical view and in `view`.

        Args:
            person: from `sample_person`.
            expression: (57,) activations.
            view: (5,) pitch, yaw, roll in radians, x and y shift.
            size: image side in pixels.
            accessories: from `sample_accessories`; they move with the head, not with the expression.
        """
        vertices = self.canonical_vertices(person, expression)
        normals = vertex_normals(vertices, self.triangles)
        worn = None
        if accessories:
            points = self._in_camera(person, accessories.vertices)
            worn = accessories, points, vertex_normals(points, accessories.triangles[: accessories.fronts])
        depth, mask, albedo, normal, hidden, _ = self._draw(vertices, normals, person, size, worn, FRONTAL)
        seen = self._draw(vertices, normals, person, size, worn, view)
        canon_cover = hidden[..., :LAYERS].sum(-1, dtype=np.uint8)
        return RigSample(depth, mask, albedo, normal, canon_cover, *seen, np.asarray(view, np.float32),
                         np.asarray(expression, np.float32), person.coefficients, person.id)

    def _draw(self, vertices: np.ndarray, normals: np.ndarray, person: Person, size: int, worn: Worn | None,
              view: np.ndarray) -> DrawnMaps:
        """Maps of a head and of what it wears in `view`."""
        focal, centre = intrinsics(size)
        middle = centre * OVERSAMPLE + OVERSAMPLE // 2

        def visible(canonical: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
            points = project(apply_view(canonical, view), np.float32(focal * OVERSAMPLE), np.float32(middle))
            return points, *visible_triangles(points, triangles, size * OVERSAMPLE)

        points, index, nearest = visible(vertices, self.triangles)
        depth, mask, normal = centre_geometry(index, points, normals, self.triangles, BACKGROUND)
        albedo = mean_albedo(index, points, self.triangles, self.uvs, self.triangle_uvs,
                             self.triangle_material, person.texture, person.palette)
        hidden = [np.zeros((size, size, LAYERS + 1), np.uint8), np.zeros((size, size, 3), np.float32)]
        if worn:
            accessories, canonical, worn_normals = worn
            points, index, worn_nearest = visible(canonical, accessories.triangles)
            hidden[:] = cover(index, worn_nearest, nearest, points, accessories.triangles, accessories.fronts,
                           accessories.layers, accessories.grain, worn_normals)
        return depth, mask, albedo, normal, hidden[0], hidden[1]
