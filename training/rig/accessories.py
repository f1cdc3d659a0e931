"""Accessories of the rig's heads: hair, headscarves, caps, collars and glasses.

They make renders look more like photos. The true depth and albedo stay those of the bare head. Lengths are in cm in
the rig's frame (y up, +z front), angles in degrees about the head's centre: azimuth from the front, elevation from the
horizon.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from training.rig.rasterizer import LAYERS

HAIR, CLOTH, FRAME, LENS = range(LAYERS)
CENTRE = np.array([0.0, 3.0, 0.0], np.float32)  # of the skull
HEAD_WIDTH, HEAD_DEPTH = 8.0, 9.0  # half axes of the skull at the ears
CROWN = 6.0  # above it the skull narrows
CHIN, THROAT = -9.0, 6.5  # height of the one; what lies before the other belongs to the jaw
HAIR_ODDS = {"bald": 0.12, "short": 0.42, "long": 0.32, "cap": 0.08, "scarf": 0.06}
COLLAR_ODDS, GLASSES_ODDS, DARK_ODDS, FRINGE_ODDS, BRIM_ODDS = 0.7, 0.3, 0.2, 0.2, 0.6


@dataclass
class Mesh:
    """Triangles of one layer."""

    vertices: np.ndarray  # (N, 3) float32 cm
    triangles: np.ndarray  # (T, 3) int32, counter-clockwise from outside
    layer: int
    grain: np.ndarray  # (N,) float32 in [0, 1], dark to light strands
    two_sided: bool = True


@dataclass
class Accessories:
    """The accessories of one head as one mesh. Its first triangles are fronts; back sides follow."""

    vertices: np.ndarray  # (N, 3) float32 cm
    triangles: np.ndarray  # (T, 3) int32
    fronts: int  # how many triangles are fronts
    layers: np.ndarray  # (T,) int32
    grain: np.ndarray  # (N,) float32 in [0, 1]

    @classmethod
    def joined(cls, meshes: list[Mesh]) -> Accessories | None:
        """Join meshes; None where there are none."""
        if not meshes:
            return None
        first = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
        fronts = [mesh.triangles + start for mesh, start in zip(meshes, first, strict=False)]
        backs = [part[:, ::-1] for mesh, part in zip(meshes, fronts, strict=True) if mesh.two_sided]
        layers = [np.full(len(mesh.triangles), mesh.layer) for mesh in meshes]
        back_layers = [part for mesh, part in zip(meshes, layers, strict=True) if mesh.two_sided]
        return cls(np.concatenate([mesh.vertices for mesh in meshes]).astype(np.float32),
                   np.concatenate(fronts + backs).astype(np.int32), sum(map(len, fronts)),
                   np.concatenate(layers + back_layers).astype(np.int32),
                   np.concatenate([mesh.grain for mesh in meshes]).astype(np.float32))


class AccessorySampler:
    """Draws accessories for heads of the rig's topology.

    Args:
        neutral: (V, 3) mean head, cm.
        skin: (T, 3) triangles of face and back of the head.
        eyes: indices of the vertices of the left eyeball, and of the right one.
    """

    def __init__(self, neutral: np.ndarray, skin: np.ndarray, eyes: list[np.ndarray]):
        self.skin, self.eyes = skin, eyes
        self.direction = (neutral - CENTRE) / np.linalg.norm(neutral - CENTRE, axis=1, keepdims=True)
        self.azimuth = np.degrees(np.arctan2(self.direction[:, 0], self.direction[:, 2]))
        self.elevation = np.degrees(np.arcsin(self.direction[:, 1]))
        self.bridge = np.flatnonzero((np.abs(neutral[:, 0]) < 0.8) & (np.abs(neutral[:, 1] - 3.6) < 0.8)
                                     & (neutral[:, 2] > 8))

    def sample(self, vertices: np.ndarray, rng: np.random.Generator) -> Accessories | None:
        """Accessories for the head with neutral `vertices` (V, 3), cm; None for a bare head."""
        style = rng.choice(list(HAIR_ODDS), p=list(HAIR_ODDS.values()))
        meshes = [] if style == "bald" else getattr(self, f"_{style}")(vertices, rng)
        if rng.uniform() < COLLAR_ODDS:
            meshes.append(self._collar(vertices, rng))
        if rng.uniform() < GLASSES_ODDS:
            meshes += self._glasses(vertices, rng)
        return Accessories.joined(meshes)

    def _short(self, vertices: np.ndarray, rng: np.random.Generator) -> list[Mesh]:
        return [self._shell(vertices, rng, _front(rng), ear=rng.uniform(-25, 5), thickness=rng.uniform(0.3, 3))]

    def _long(self, vertices: np.ndarray, rng: np.random.Generator) -> list[Mesh]:
        thickness = rng.uniform(0.5, 2.5)
        shell = self._shell(vertices, rng, _front(rng), ear=-30, thickness=thickness)
        return [shell, _curtain(rng, HAIR, thickness, opening=rng.uniform(50, 95), closing=rng.uniform(60, 110),
                                bottom=rng.uniform(-19, -4))]

    def _cap(self, vertices: np.ndarray, rng: np.random.Generator) -> list[Mesh]:
        line = rng.uniform(18, 32)
        shell = self._shell(vertices, rng, line, ear=rng.uniform(0, 15), thickness=rng.uniform(0.6, 1.5), layer=CLOTH)
        return [shell, _brim(rng, line)] if rng.uniform() < BRIM_ODDS else [shell]

    def _scarf(self, vertices: np.ndarray, rng: np.random.Generator) -> list[Mesh]:
        shell = self._shell(vertices, rng, rng.uniform(22, 38), ear=-30, thickness=rng.uniform(0.6, 1.6), layer=CLOTH)
        return [shell, _curtain(rng, CLOTH, rng.uniform(0.5, 1.5), opening=rng.uniform(50, 68),
                                closing=rng.uniform(0, 35), bottom=-19)]

    def _shell(self, vertices: np.ndarray, rng: np.random.Generator, front: float, ear: float, thickness: float,
               layer: int = HAIR) -> Mesh:
        """The head's own surface above a hairline, lifted; `front` and `ear`: elevation of the line there."""
        temple = min(front, rng.uniform(5, 20))
        azimuth = np.abs(self.azimuth + rng.uniform(-12, 12))
        line = np.interp(azimuth, (0, 40, 70, 100, 130, 180), (front, (2 * front + temple) / 3, temple, ear, -32, -40))
        line += 3 * _waves(rng, self.azimuth / 20) + rng.uniform(-0.15, 0.15) * self.azimuth * (azimuth < 60)
        above = np.clip((self.elevation - line) / 12, 0, 1)
        lift = thickness * above * (2 - above) * (1 + 0.2 * _waves(rng, self.azimuth / 30 + self.elevation / 40))
        return self._lifted(vertices, above > 0, lift, layer, _grain(rng, self.azimuth, self.elevation, layer))

    def _collar(self, vertices: np.ndarray, rng: np.random.Generator) -> Mesh:
        """The neck below a line, lifted."""
        line = rng.uniform(-14, -6.5) + rng.uniform(-2, 0) * np.cos(np.radians(self.azimuth)) + 0.3 * _waves(
            rng, self.azimuth / 20)
        lift = np.clip((line - vertices[:, 1]) / 2, 0, 1) * rng.uniform(0.3, 1.5)
        neck = (vertices[:, 1] < line) & (vertices[:, 2] < THROAT)
        return self._lifted(vertices, neck, lift, CLOTH, _grain(rng, self.azimuth, self.azimuth, CLOTH))

    def _lifted(self, vertices: np.ndarray, where: np.ndarray, lift: np.ndarray, layer: int, grain: np.ndarray) -> Mesh:
        """Skin at the vertices `where`, (V,), lifted by `lift` cm away from the head's centre."""
        used, triangles = np.unique(self.skin[where[self.skin].all(1)], return_inverse=True)
        outward = vertices + (0.05 + lift)[:, None] * self.direction
        return Mesh(outward[used], triangles.reshape(-1, 3), layer, grain[used], two_sided=False)

    def _glasses(self, vertices: np.ndarray, rng: np.random.Generator) -> list[Mesh]:
        """Two rims with lenses, if they are dark, a bridge and two temples."""
        half_width, half_height, power = rng.uniform(2.1, 2.7), rng.uniform(1.2, 2.1), rng.uniform(2, 5)
        rim, drop, reach = rng.uniform(0.1, 0.35), rng.uniform(0, 0.7), vertices[self.bridge, 2].max()
        front = reach + rng.uniform(0.0, 0.5)
        dark, meshes, outer = rng.uniform() < DARK_ODDS, [], []
        angle = np.linspace(0, 2 * np.pi, 29)
        circle = np.stack([np.cos(angle), np.sin(angle)], 1)
        outline = np.sign(circle) * np.abs(circle) ** (2 / power) * (half_width, half_height)
        for eye in self.eyes:
            middle = vertices[eye].mean(0)[:2] + (0, -drop)
            middle[0] = np.sign(middle[0]) * max(abs(middle[0]), half_width + 0.5)
            rings = [_bent(middle + outline * (1 + grow / half_width), front) for grow in (rim, 0)]
            meshes.append(_grid(np.stack(rings), FRAME))
            outer.append(middle)
            if dark:
                centre = np.broadcast_to(_bent(middle[None], front - 0.05), rings[1].shape)
                meshes.append(_grid(np.stack([rings[1] - (0, 0, 0.05), centre]), LENS))
        (left, right), height = outer, rng.uniform(0.25, 0.8)
        across = np.array([left[0] - half_width, right[0] + half_width])
        meshes.append(_grid(np.stack([_bent(np.stack([across, np.full(2, left[1] + up)], 1), front)
                                      for up in (0.3 + rim, 0.3)]), FRAME))
        for side in outer:
            x = np.sign(side[0]) * np.array([abs(side[0]) + half_width, HEAD_WIDTH + 0.4])
            z = np.array([_bent(np.array([[x[0], 0]]), front)[0, 2], 0.0])
            meshes.append(_grid(np.stack([np.stack([x, np.full(2, side[1] + 0.4 + up), z], 1)
                                          for up in (height / 2, -height / 2)]), FRAME))
        return meshes


def _front(rng: np.random.Generator) -> float:
    """Elevation of the hairline over the brow: a fringe down to it, or up to a high forehead."""
    return rng.uniform(15, 25) if rng.uniform() < FRINGE_ODDS else rng.uniform(28, 52)


def _waves(rng: np.random.Generator, position: np.ndarray) -> np.ndarray:
    """Smooth noise of about unit size at positions of unit wavelength scale."""
    frequency, phase = np.array([[0.7], [1.3], [2.4]]), rng.uniform(0, 2 * np.pi, (3, 1))
    return np.sin(frequency * np.ravel(position) + phase).sum(0).reshape(np.shape(position)) / 1.3


def _grain(rng: np.random.Generator, across: np.ndarray, along: np.ndarray, layer: int) -> np.ndarray:
    """Brightness, [0, 1]: of strands that run along one direction, or of cloth, which has none."""
    if layer != HAIR:
        return np.full(np.shape(across), 0.5)
    bend = 6 * _waves(rng, along / 25)
    return np.clip(0.5 + 0.18 * (_waves(rng, (across + bend) / 1.5) + _waves(rng, (across + bend) / 6)), 0, 1)


def _grid(points: np.ndarray, layer: int, grain: np.ndarray | None = None) -> Mesh:
    """Mesh of a (rows, columns, 3) grid of points, rows downwards and columns to the right as seen from outside."""
    rows, columns = points.shape[:2]
    index = np.arange(rows * columns).reshape(rows, columns)
    top, below = index[:-1], index[1:]
    triangles = np.concatenate([np.stack([top[:, :-1], below[:, :-1], below[:, 1:]], -1).reshape(-1, 3),
                                np.stack([top[:, :-1], below[:, 1:], top[:, 1:]], -1).reshape(-1, 3)])
    grain = np.full(rows * columns, 0.5) if grain is None else grain.ravel()
    return Mesh(points.reshape(-1, 3), triangles, layer, grain)


def _bent(flat: np.ndarray, front: float) -> np.ndarray:
    """(…, 2) points of the glasses' plane on a surface that bends back towards the ears."""
    return np.concatenate([flat, front - 0.02 * flat[..., :1] ** 2], -1)


def _curtain(rng: np.random.Generator, layer: int, thickness: float, opening: float, closing: float,
             bottom: float) -> Mesh:
    """Hair or cloth that hangs around the head down to height `bottom`, open over the face between ± `opening` degrees
    at the brow and ± `closing` at the chin and below."""
    height = np.linspace(CENTRE[1] + 8, bottom, 16)[:, None]
    edge = np.interp(height, (CHIN, CENTRE[1] + 2), (closing, opening)) + 4 * _waves(rng, height / 3)
    azimuth = edge + np.linspace(0, 1, 72) * (360 - 2 * edge)
    narrow = np.sqrt(1 - np.clip((height - CROWN) / 9, 0, 0.95) ** 2)
    hanging = np.clip(CROWN - height, 0, None)
    swing = 1 + 0.04 * _waves(rng, azimuth / 25 + height / 8) + rng.uniform(-0.01, 0.015) * hanging
    x, z = ((axis + thickness) * narrow * swing * wave(np.radians(azimuth))
            for axis, wave in ((HEAD_WIDTH, np.sin), (HEAD_DEPTH, np.cos)))
    points = np.stack([x, np.broadcast_to(height, x.shape), z], -1)
    return _grid(points, layer, _grain(rng, azimuth, np.broadcast_to(3 * height, azimuth.shape), layer))


def _brim(rng: np.random.Generator, line: float) -> Mesh:
    """The brim of a cap whose edge lies at elevation `line` over the brow."""
    azimuth, slope = np.radians(np.linspace(-65, 65, 24)), np.tan(np.radians(rng.uniform(0, 25)))
    length = rng.uniform(4, 7) * np.cos(azimuth * 90 / 70)
    base = CENTRE[1] + 9.5 * np.tan(np.radians(line))
    rows = [np.stack([HEAD_WIDTH * np.sin(azimuth), base - out * slope * length, (HEAD_DEPTH + 1) * np.cos(azimuth)
                      + out * length], -1) for out in (0, 0.5, 1)]
    return _grid(np.stack(rows), CLOTH)
