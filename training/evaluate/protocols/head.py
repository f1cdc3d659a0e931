"""How exact the rig's head is: renders of people whom training never sees, without and with an expression.

    python -m training.evaluate head --people 60
    python -m training.evaluate head --photos packs/fairface photos/ --limit 100

Vertices of the front against the truth, life size, the mean shift removed: of the mean head, of the linear regression
from codes, of that with the expression basis's weights, of the regression with landmarks, and of the head: expression
basis and landmarks. Along the line of sight the canonical depth map stands beside them.
"""

from __future__ import annotations

import math
from argparse import Namespace
from collections.abc import Iterator

import numpy as np
import torch
from scipy.ndimage import map_coordinates
from torch import Tensor

from core.errors import ConfigError
from core.faces.detect import locate
from core.geometry.camera import FIELD_OF_VIEW, crop_tangent
from core.head.fit import Front, facing, fit_points, to_pixels
from core.head.head import METRES
from core.head.rig import IDENTITY_MODES, SCALE, in_camera
from core.model.head_regression import HeadRegression
from core.pipeline import LatentFace
from core.rendering.texture_transfer import texture_from_photo
from core.types import Factors, TexturedFace
from training.data.renders import random_light
from training.evaluate.comparison import Row, finish
from training.render_validation import render_image
from training.rig.rig import Person, Rig

SEED = 3
PHOTO = 256
"""Side of the renders in which landmarks are looked for, pixels."""
NAMES = {"mean": "mean head", "depth": "depth map", "linear": "codes alone", "basis": "expression basis",
         "landmarks": "codes, landmarks", "head": "head"}
STATES = {"neutral": "neutral", "expressed": "expressed"}
ROWS = {f"head.{state}": Row(f"front, {name}: mm", 2, "low") for state, name in STATES.items()} | {
    f"head.{state}.depth": Row(f"front, {name}, along the line of sight: mm", 2, "low")
    for state, name in STATES.items()} | {
    "head.flipped": Row("triangles of the front that the landmarks turn over", 0, "low"),
    "head.found": Row("part of the renders whose landmarks were found", 2)}


def run(options: Namespace) -> dict:
    """Measure, print the table and write the report.

    Returns:
        What is written with --out.

    Raises:
        ConfigError: no people, or no faces in a folder of photos.
        WeightsMissing, WeightsMismatch: see `LatentFace.head`.
    """
    if options.photos:
        from training.evaluate.protocols.head_photos import run_photos

        return run_photos(options)
    if options.people < 1:
        raise ConfigError("There is nobody to measure: --people 1 or more.")
    model = LatentFace.from_pretrained(options.weights)
    rows = list(measure(model, options.people))
    figures = {}
    for key in ROWS:
        parts = [row[key] for row in rows if key in row]
        figures[key] = {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    figures["head.flipped"] = {"head": float(sum(row["head.flipped"]["head"] for row in rows))}
    return finish(ROWS, figures, f"heads of {options.people} people, life size", options, NAMES)


def measure(model: LatentFace, people: int) -> Iterator[dict[str, dict[str, float]]]:
    """Figures of each render, by row and column; the same number of people makes the same renders."""
    rig, rng = Rig.load(split="heldout"), np.random.default_rng(SEED)
    generator = torch.Generator().manual_seed(SEED)
    neutral = np.zeros(len(rig.expression_names), np.float32)
    regression, front = model.head_fit
    mean = np.pad(Rig.load().fits.mean(0), (0, IDENTITY_MODES - rig.fits.shape[1]))
    mean_head = in_camera(front.rig.shape(mean, neutral))
    for _ in range(people):
        person = rig.sample_person(rng)
        for state, expression in zip(STATES, (neutral, rig.sample_expression(rng)), strict=True):
            factors, photo, landmarks = _photographed(model, rig, person, expression, rng, generator)
            read = model.expressions(factors).values[0].clamp(0, 1).numpy()
            face = texture_from_photo(factors, photo, landmarks)
            yield _figures(state, front, regression, factors, face, read, mean_head,
                           rig.canonical_vertices(person, expression))


def _photographed(model: LatentFace, rig: Rig, person: Person, expression: np.ndarray, rng: np.random.Generator,
                  generator: torch.Generator) -> tuple[Factors, Tensor, Tensor | None]:
    """Factors of a render, the same render at `PHOTO` pixels, and landmarks (1, 478, 2) in it, if any are found."""
    size, view, light = model.config.image_size, rig.sample_view(rng), random_light(1, generator)
    small, large = (render_image(rig.render(person, expression, view, side), light, generator)
                    for side in (size, PHOTO))
    factors = model.analyze(torch.from_numpy(small).movedim(-1, 0)[None].float() / 255, fine=False)
    faces = locate(large)
    landmarks = None
    if faces:
        # A render is a camera's image, whose outer pixels' centres are a crop's edge but for half a pixel of the model.
        in_camera_image = torch.from_numpy(faces[0].landmarks[None, :, :2]).float() / (PHOTO - 1) * 2 - 1
        crop = in_camera_image * (math.tan(FIELD_OF_VIEW / 2) / crop_tangent(size))
        landmarks = (crop + 1) / 2 * PHOTO - 0.5
    return factors, torch.from_numpy(large).movedim(-1, 0)[None].float() / 255, landmarks


def _figures(state: str, front: Front, regression: HeadRegression, factors: Factors, face: TexturedFace,
             expression: np.ndarray, mean_head: np.ndarray, truth: np.ndarray) -> dict[str, dict[str, float]]:
    rig, where = front.rig, front.weight > 0
    identity, read = (found[0] for found in regression.predict(factors.codes))
    scale = np.array([SCALE, -SCALE, -SCALE], np.float32)

    def landed(chosen: np.ndarray) -> np.ndarray:
        """Points of the head with these expression weights."""
        return fit_points(front, regression, face, chosen)[0] + (chosen @ rig.expression_modes).reshape(-1, 3) * scale

    heads = {"mean": mean_head, "linear": in_camera(rig.shape(identity, read)),
             "basis": in_camera(rig.shape(identity, expression)), "landmarks": landed(read), "head": landed(expression)}
    errors = {name: _errors(found[where] - truth[where]) for name, found in heads.items()}
    depth = factors.canon_depth[0].numpy()
    pixels = to_pixels(truth[where], len(depth))
    along = map_coordinates(depth, [pixels[:, 1], pixels[:, 0]], order=1, mode="nearest") - truth[where, 2]
    return {f"head.{state}": {name: float(np.linalg.norm(error, axis=1).mean()) for name, error in errors.items()},
            f"head.{state}.depth": {name: float(np.abs(error[:, 2]).mean()) for name, error in errors.items()}
            | {"depth": float(np.abs(_errors(along[:, None])).mean())},
            "head.flipped": {"head": flipped(front, heads["basis"], heads["head"])},
            "head.found": {"head": float(face.landmarks is not None)}}


def _errors(difference: np.ndarray) -> np.ndarray:
    """Differences (N, C) in millimetres without their mean."""
    return (difference - difference.mean(0)) * (METRES * 1000)


def flipped(front: Front, before: np.ndarray, after: np.ndarray) -> int:
    """Number of triangles of the front whose normals point to opposite sides in two heads (V, 3)."""
    return int(((facing(before, front.triangles) * facing(after, front.triangles)).sum(1) < 0).sum())
