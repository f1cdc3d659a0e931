"""A photo that follows a camera: each frame is analyzed as it comes, and the face takes what changed since a neutral.

    live = model.live(face)
    for frame in camera:
        seen = live.follow(frame)          # None while no face is in view
        if seen:
            image = live.render(seen)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from core.model.diffusion import SEED, Diffusion
from core.model.face_model import FaceModel, inference
from core.types import TexturedFace, View
from core.video.driving import Amounts, Driver, State
from core.video.reader import Frame
from core.video.smoothing import OneEuro
from core.video.track import (
    EXPRESSION_FILTER,
    LIGHT_FILTER,
    POSE_FILTER,
    TrackFrames,
    analyze_sightings,
    face_tracker,
    light_numbers,
    light_of,
)
from core.video.tracking import Sighting


class LiveFace:
    """One photo's face and the camera that it follows; made by `LatentFace.live`.

    `follow` takes frames in the order of their times. `render` may run meanwhile, in another thread.
    """

    def __init__(self, model: FaceModel, diffusion: Diffusion, face: TexturedFace, amounts: Amounts, size: int):
        self._model, self._driver = model, inference(Driver)(model, True, face, amounts, size)
        self._tracker = face_tracker(model, diffusion, 1, SEED)
        self._filters = [OneEuro(*settings) for settings in (POSE_FILTER, LIGHT_FILTER, EXPRESSION_FILTER)]
        self._neutral: State | None = None

    def follow(self, frame: Frame) -> TrackFrames | None:
        """What the next frame shows, smoothed; None while the face is out of view.

        Expression weights are counted from the code's zero and not from the person's identity, which a camera does not
        know yet. Only their changes are used.
        """
        sighting = self._tracker(frame)
        return None if sighting is None else _analyzed(self._model, sighting, self._filters)

    def change(self, other: LiveFace) -> None:
        """Go on with another face, or with other amounts; the camera and its neutral stay."""
        self._driver = other._driver

    def set_neutral(self, seen: TrackFrames) -> None:
        """Count all changes from this frame on; by default from the first one that is rendered."""
        self._neutral = State.of_frame(seen)

    def render(self, seen: TrackFrames) -> np.ndarray:
        """The photo's face as a frame of `follow` changes it, (size, size, 3) uint8."""
        self._neutral = self._neutral or State.of_frame(seen)
        return _rendered(self._model, self._driver, seen, self._neutral)


@inference
def _analyzed(model: FaceModel, sighting: Sighting, filters: list[OneEuro]) -> TrackFrames:
    """A frame's pose, light and expression, smoothed by the frames before it."""
    seen = analyze_sightings([sighting], model)
    if sighting.start:
        for each in filters:
            each.reset()
    rows = (torch.cat([seen.view.rotation, seen.view.translation], 1), light_numbers(seen.light),
            model.require_basis().predict(seen.codes.pair))
    pose, light, expression = (torch.from_numpy(each(sighting.time, part[0].numpy()))[None].to(part)
                               for each, part in zip(filters, rows, strict=True))
    return replace(seen, view=View(pose[:, :3], pose[:, 3:]), light=light_of(light), expression=expression)


@inference
def _rendered(_model: FaceModel, driver: Driver, seen: TrackFrames, neutral: State) -> np.ndarray:
    return driver.render(seen, neutral)
