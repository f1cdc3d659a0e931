"""A photo follows a film: the track's expression, pose and light, rendered frame by frame (paper section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from core.errors import ArgumentInvalid
from core.export.provenance import watermark as mark
from core.export.turntable import write_timed_gif, write_timed_mp4
from core.export.visualize import to_uint8
from core.geometry.landmark_warp import LIPS, tps_warp
from core.model.face_model import FaceModel
from core.rendering.compositor import composite
from core.rendering.mouth_eyes import Contours
from core.rendering.reenactment import Reenactment, reenact
from core.types import CodePair, Codes, Light, TexturedFace, View
from core.video.reader import Frame, read_sound
from core.video.track import MOUTH_CENTRE, MOUTH_HALF, Track, TrackFrames, light_numbers, light_of

TEXTURE = 192
"""Side of the canonical image into which a frame's mouth is put, pixels."""
MAX_TURN = 50.0
"""Largest pitch and yaw of a driven head, degrees: a single photo supports no more."""


@dataclass(frozen=True)
class Amounts:
    """How much of the film a face follows: 0 nothing, 1 all."""

    expression: float = 1.0
    """0 … 1.5; above 1 exaggerated."""
    pose: float = 1.0
    """0 … 1."""
    light: float = 0.0
    """0 … 1."""


@dataclass(frozen=True)
class State:
    """What a film changes of one face."""

    weights: Tensor
    """(1, 57) expected weights of the expression, as in `TrackFrames`."""
    pose: Tensor
    """(1, 3) radians."""
    light: Tensor
    """(1, 4), see `core.video.track.light_numbers`."""
    closedness: list[Tensor]
    """(1, 1) of each eye, the one on the image's left first."""
    aperture: Tensor
    """(1, K) of the mouth, as part of its width."""

    @classmethod
    def of(cls, weights: Tensor, view: View, light: Light, landmarks: Tensor) -> State:
        """The state of a face with landmarks (1, 478, 2)."""
        mouth = Contours.mouth(landmarks)
        left, right = mouth.ends
        return cls(weights, view.rotation, light_numbers(light),
                   [eye.closedness for eye in Contours.eyes(landmarks)],
                   mouth.aperture / (right - left).clamp(min=1e-3))

    @classmethod
    def of_frame(cls, frame: TrackFrames) -> State:
        """The state of one frame of a track."""
        return cls.of(frame.expression, frame.view, frame.light, frame.landmarks)


class Driver:
    """One face, prepared to follow the frames of a film or of a camera.

    Args:
        model: decodes codes.
        relative: whether frames are followed from a neutral one of theirs, see `drive_face`.
        face: one face, with or without landmarks.
        amounts: how much of each.
        size: side of the renders in pixels.
    """

    def __init__(self, model: FaceModel, relative: bool, face: TexturedFace, amounts: Amounts, size: int):
        self.model, self.face, self.amounts, self.size = model, face, amounts, size
        self.basis = model.require_basis()
        self._landmarks = self.basis.landmarks[None] if face.landmarks is None else face.landmarks
        self._trust = 1.0 if relative else self.basis.photo_motion
        self._own = self.state(face.factors.codes.pair)
        displacement = self.basis.displacement  # warped onto the face once for all frames
        self._displacement = tps_warp(displacement.flatten(0, 1)[None], self.basis.landmarks,
                                      self._landmarks)[0].view_as(displacement)

    def state(self, identity: CodePair, rest: Tensor | float = 0.0) -> State:
        """The face's own state, its expression counted from an identity and from weights at rest (57,)."""
        weights = self.basis.predict(self.face.factors.codes.pair - identity) - rest
        return State.of(weights, self.face.view, self.face.light, self._landmarks)

    def render(self, frame: TrackFrames, origin: State) -> np.ndarray:
        """The face changed as one frame is from `origin`; (size, size, 3) uint8."""
        own, now, face, amounts = self._own, State.of_frame(frame), self.face, self.amounts
        step = now.weights - origin.weights
        motion = torch.einsum("bk,kcyx->bcyx", (step * self._trust * self.basis.gain).clamp(-1, 1), self._displacement)
        closing = [(after - before).clamp(0, 1)
                   for after, before in zip(now.closedness, origin.closedness, strict=True)]
        change = Reenactment(motion, motion, closing, _donor(face, frame, own, origin, now), keep_interior=True)
        codes = face.factors.codes.pair + self.basis.code_change(step * amounts.expression)
        driven = reenact(face, self.model.decode(Codes.of(codes), face.factors), change, amounts.expression)
        image = composite(driven, _view(face, now.pose - origin.pose, amounts.pose),
                          light_of(own.light + amounts.light * (now.light - origin.light)), self.size)
        return to_uint8(image[0])


def drive_face(model: FaceModel, track: Track, relative: bool, span: tuple[float, float], face: TexturedFace,
               amounts: Amounts, size: int) -> Iterator[Frame]:
    """Render one face as it follows a track.

    Args:
        model: decodes codes.
        track: of any person.
        relative: the face changes as the track changes from its neutral frame; else it takes the track's expression,
            pose and light as they are, and with them the other person's resting face.
        span: first and last time, seconds; the neutral frame may lie outside.
        face: one face, with or without landmarks.
        amounts: how much of each.
        size: side of the renders in pixels.

    Yields:
        A frame for each of the track's in the span, at its time.
    """
    driver, frames = Driver(model, relative, face, amounts, size), track.frames.to(model.device)
    origin = State.of_frame(frames[track.neutral]) if relative else driver.state(track.identity.codes, track.rest)
    for index in frames_in(track, span):
        yield Frame(frames.time[index].item(), driver.render(frames[index], origin))


def frames_in(track: Track, span: tuple[float, float]) -> list[int]:
    """Indices of the track's frames in a span (first and last time, seconds).

    Raises:
        ArgumentInvalid: there is none.
    """
    time = track.frames.time
    found = ((time >= span[0]) & (time <= span[1])).nonzero()[:, 0].tolist()
    if not found:
        raise ArgumentInvalid(f"The face is not seen from {span[0]:g} to {span[1]:g} s: choose another span.")
    return found


def _donor(face: TexturedFace, frame: TrackFrames, own: State, origin: State, now: State) -> TexturedFace:
    """The mouth of a frame, opened as far as that of the face is to open: only texture and landmarks count."""
    mouth = frame.mouth.float() / 255
    side = mouth.shape[-1]
    left, top = (round((centre - MOUTH_HALF + 1) / 2 * TEXTURE) for centre in MOUTH_CENTRE)
    texture = mouth.mean((2, 3), keepdim=True).expand(-1, -1, TEXTURE, TEXTURE).clone()
    texture[:, :, top:top + side, left:left + side] = mouth
    landmarks, contours = frame.landmarks.clone(), Contours.mouth(frame.landmarks)
    start, end = contours.ends
    aperture = (own.aperture + now.aperture - origin.aperture).clamp(min=0) * (end - start)
    landmarks[:, LIPS[1]] = torch.stack([contours.lower[..., 0], contours.upper[..., 1] + aperture], -1)
    return replace(face, texture=texture, landmarks=landmarks)


def _view(face: TexturedFace, turn: Tensor, amount: float) -> View:
    """The face's own pose, turned by a part of `turn` (1, 3), radians."""
    rotation = face.view.rotation + amount * torch.remainder(turn + math.pi, 2 * math.pi) - amount * math.pi
    limit = rotation.new_tensor([MAX_TURN, MAX_TURN, 180]).deg2rad()
    return View(rotation.clamp(-limit, limit), face.view.translation)


def write_film(frames: Iterable[Frame], path: str | Path, watermark: bool = True, overwrite: bool = False,
               sound: str | Path | None = None) -> None:
    """Write frames as MP4 or GIF, by the path's ending, marked as synthetic.

    Args:
        frames: with rising times; an MP4 is written frame by frame.
        path, overwrite: as for `core.files.writing`, which also names the errors.
        watermark: put the visible word "synthetic" into each frame.
        sound: film with the same times whose sound is copied; only for MP4.

    Raises:
        ArgumentInvalid: another ending, no frames, frames with odd sides for MP4, or sound where there is none.
    """
    images = ((frame.time, Image.fromarray(frame.pixels)) for frame in frames)
    marked = ((time, mark(image) if watermark else image) for time, image in images)
    ending = Path(path).suffix.lower()
    if ending == ".mp4":
        write_timed_mp4(marked, path, overwrite, None if sound is None else read_sound(sound))
    elif ending == ".gif" and sound is None:
        write_timed_gif(marked, path, overwrite)
    else:
        wanted = ".mp4 or .gif" if sound is None else ".mp4 for a film with sound"
        raise ArgumentInvalid(f"path must end in {wanted}, got {Path(path).name!r}.")
