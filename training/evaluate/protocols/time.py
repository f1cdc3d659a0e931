"""A face over time: films of people whom training never sees, rendered with known expression and pose.

    python -m training.evaluate time --people 30 --out time.json

Each person changes expression and pose from second to second, and rests at the end. The film is followed and analyzed
as a user's (LatentFace.track). The track stands beside the same frames analyzed one by one. The identity is that of 1,
2, 5 and 10 renders of one person, with other expressions, poses and lights, found among those of all people.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConfigError
from core.export.visualize import to_uint8
from core.model.shared_identity import coordinates
from core.model.weights import weights_path
from core.pipeline import LatentFace
from core.types import Light
from core.video.reader import Frame
from core.video.track import Track
from training.data.renders import random_light
from training.evaluate.comparison import Row, finish
from training.evaluate.metrics import rank1
from training.evaluate.protocols.frontalization import lit_render
from training.render_validation import render_image
from training.rig.rig import FRONTAL, Person, Rig

SIZE = 192
"""Side of the films, pixels."""
RATE = 12.5
"""Frames a second."""
REST = 1.0
"""Seconds at the end in which nothing moves."""
CALM = 0.5
"""Part of the spread of random poses that a film's poses have: nobody turns by 50 degrees every second."""
COUNTS = (1, 2, 5, 10)
"""Renders from which one identity is found."""
SEED = 3

NAMES = {"track": "track", "frames": "frame by frame"}
ROWS = {
    "time.expression": Row("expression weights: R² over time"),
    "time.change": Row("expression weights: R² of the change over time"),
    "time.pose": Row("pose: mean error of pitch, yaw and roll, degrees", better="low"),
    "time.jitter": Row("pose at rest: mean change from frame to frame, degrees", 3, "low"),
} | {f"time.rank1.{count}": Row(f"identity from {count}: rank-1") for count in COUNTS}


@dataclass(frozen=True)
class RiggedFilm:
    """A rendered film and what is true of it."""

    frames: list[Frame]
    expression: Tensor
    """(T, 57) weights."""
    rotation: Tensor
    """(T, 3) pitch, yaw, roll, degrees."""
    resting: int
    """Number of frames at the end in which nothing moves."""


def run(options: Namespace) -> dict:
    """Measure, print the table and write the report.

    Returns:
        What is written with --out: title and figures.

    Raises:
        ConfigError: fewer than two identities, or films too short to move and rest.
    """
    if options.identities < 2:
        raise ConfigError("One face alone has nobody to be told from: --identities 2 or more.")
    if options.seconds < 2 * REST:
        raise ConfigError(f"A film moves for a second and rests for another: --seconds {2 * REST:g} or more.")
    model = LatentFace.from_pretrained(options.weights)
    films = [(film, model.track(film.frames)) for film in rigged_films(options.people, options.seconds)]
    figures = errors(model, films) | identities(model, options.identities)
    title = (f"{Path(weights_path(options.weights)).name}, {options.people} films of {options.seconds:g} s, "
             f"{options.identities} identities")
    return finish(ROWS, figures, title, options, NAMES)


def rigged_films(people: int, seconds: float) -> Iterator[RiggedFilm]:
    """Films of held-out people; the same numbers make the same films."""
    rng, generator, rig = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED), Rig.load(split="heldout")
    for _ in range(people):
        yield rigged_film(rig, rig.sample_person(rng), seconds, rng, generator)


def rigged_film(rig: Rig, person: Person, seconds: float, rng: np.random.Generator,
                generator: torch.Generator) -> RiggedFilm:
    """A film of one person that starts without expression, from the front, and rests at the end."""
    moving = max(1, round(seconds - REST))
    neutral = np.zeros(len(rig.expression_names), np.float32)
    expressions = np.stack([neutral, *(rig.sample_expression(rng) for _ in range(moving))])
    views = np.stack([FRONTAL, *(CALM * rig.sample_view(rng) for _ in range(moving))])
    light, behind = random_light(1, generator), torch.rand(1, 3, 4, 4, generator=generator)
    times = np.arange(round(seconds * RATE)) / RATE
    expression, view = (_between(keys, times) for keys in (expressions, views))
    frames = [Frame(time, _lit(rig, person, weights, pose, light, behind, generator))
              for time, weights, pose in zip(times.tolist(), expression, view, strict=True)]
    return RiggedFilm(frames, torch.from_numpy(expression), torch.from_numpy(view[:, :3]).rad2deg(),
                      int((times >= moving).sum()))


def _between(keys: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Rows (T, D) that pass smoothly through one of `keys` each second, and stay at the last."""
    before = np.minimum(times.astype(int), len(keys) - 1)
    part = (times - before).clip(0, 1)[:, None]
    after = np.minimum(before + 1, len(keys) - 1)
    return (keys[before] + (part * part * (3 - 2 * part)) * (keys[after] - keys[before])).astype(np.float32)


def _lit(rig: Rig, person: Person, expression: np.ndarray, view: np.ndarray, light: Light, behind: Tensor,
         generator: torch.Generator) -> np.ndarray:
    """One frame (SIZE, SIZE, 3) uint8 with sensor noise."""
    render = rig.render(person, expression, view, SIZE)
    behind = F.interpolate(behind, (SIZE, SIZE), mode="bilinear")
    image = lit_render(render.albedo, render.normal, render.mask, light, behind)
    return to_uint8((image + 0.01 * torch.randn(image.shape, generator=generator)).clamp(0, 1)[0])


def errors(model: LatentFace, films: list[tuple[RiggedFilm, Track]]) -> dict[str, dict[str, float]]:
    """Figures of expression and pose."""
    result: dict[str, dict[str, float]] = {}
    found = {"track": [(track.frames.expression, track.frames.view.rotation.rad2deg()) for _, track in films],
             "frames": [_single(model, film, track) for film, track in films]}
    for column, tracks in found.items():
        squares, jitter, pose = [], [], []
        for (film, track), (expression, rotation) in zip(films, tracks, strict=True):
            times = torch.tensor([frame.time for frame in film.frames], dtype=torch.float64)
            shown = torch.isin(times, track.frames.time)
            truth, still = film.expression[shown], film.rotation[shown]
            error, spread = expression - truth, truth - truth.mean(0)
            squares.append((error.square().sum(), (error - error.mean(0)).square().sum(), spread.square().sum()))
            pose.append((rotation - still).abs().mean())
            jitter.append(rotation[-film.resting:].diff(dim=0).abs().mean())
        whole, change, spread = torch.tensor(squares).sum(0)
        values = (1 - whole / spread, 1 - change / spread, torch.stack(pose).mean(), torch.stack(jitter).mean())
        for key, value in zip(list(ROWS)[:4], values, strict=True):
            result.setdefault(key, {})[column] = value.item()
    return result


def _single(model: LatentFace, film: RiggedFilm, track: Track) -> tuple[Tensor, Tensor]:
    """Expression weights and pose in degrees of the track's frames, each found as a photo is."""
    times = set(track.frames.time.tolist())
    faces = [model.find_faces(frame.pixels, quick=True)[0] for frame in film.frames if frame.time in times]
    factors = model.analyze(faces, fine=False)
    rotation = torch.cat([face.crop.rotation_to_photo(factors.view.rotation[index:index + 1])
                          for index, face in enumerate(faces)])
    basis = model.require_basis()
    return basis.predict(model.split(factors.codes).expression), rotation.rad2deg()


def identities(model: LatentFace, people: int) -> dict[str, dict[str, float]]:
    """Share of people whose identity from N renders is nearest to that from N others of theirs."""
    diffusion = model.diffusion
    if diffusion is None:
        raise ConfigError("The model has no diffusion weights, and so no identities: use the bundled weights.")
    rng, generator, rig = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED), Rig.load(split="heldout")
    most, rows = max(COUNTS), {(count, half): [] for count in COUNTS for half in range(2)}
    for _ in range(people):
        person = rig.sample_person(rng)
        images = [render_image(rig.render(person, rig.sample_expression(rng), rig.sample_view(rng),
                                          model.config.image_size), random_light(1, generator), generator)
                  for _ in range(2 * most)]
        found = torch.from_numpy(np.stack(images)).movedim(-1, 1).float() / 255
        for count, half in rows:
            shared = model.identity(found[half * most:][:count])
            rows[count, half].append(coordinates(diffusion, shared.codes))
    ids = np.arange(people)
    halves = {key: torch.cat(value).numpy() for key, value in rows.items()}
    return {f"time.rank1.{count}": {"track": rank1(halves[count, 0], halves[count, 1], ids, ids)} for count in COUNTS}
