"""A photo follows a film: the track's expression, pose and light, rendered frame by frame (paper section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from core.errors import ArgumentInvalid
from core.export.provenance import watermark as mark
from core.export.turntable import write_timed_gif, write_timed_mp4
from core.export.visualize import to_uint8
from core.geometry.landmark_warp import LIPS, tps_warp
from core.model.expression_basis import ExpressionBasis
from core.model.face_model import FaceModel
from core.rendering.compositor import composite
from core.rendering.mouth_eyes import Contours
from core.rendering.reenactment import Reenactment, reenact
from core.types import Codes, Light, TexturedFace, View, light_direction
from core.video.reader import Frame
from core.video.track import MOUTH_CENTRE, MOUTH_HALF, Track, TrackFrames

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
class _State:
    """What a film changes of one face."""

    weights: Tensor
    """(1, 57) expected weights of the expression, as in `TrackFrames`."""
    pose: Tensor
    """(1, 3) radians."""
    light: Tensor
    """(1, 4) ambient, diffuse, slope of the direction."""
    closedness: list[Tensor]
    """(1, 1) of each eye, the one on the image's left first."""
    aperture: Tensor
    """(1, K) of the mouth, as part of its width."""

    @classmethod
    def of(cls, weights: Tensor, view: View, light: Light, landmarks: Tensor) -> _State:
        """The state of a face with landmarks (1, 478, 2)."""
        slope = light.direction[:, :2] / light.direction[:, 2:]
        mouth = Contours.mouth(landmarks)
        left, right = mouth.ends
        return cls(weights, view.rotation, torch.cat([light.ambient[:, None], light.diffuse[:, None], slope], 1),
                   [eye.closedness for eye in Contours.eyes(landmarks)],
                   mouth.aperture / (right - left).clamp(min=1e-3))

    @classmethod
    def of_frame(cls, frame: TrackFrames) -> _State:
        """The state of one frame of a track."""
        return cls.of(frame.expression, frame.view, frame.light, frame.landmarks)


def drive_face(model: FaceModel, basis: ExpressionBasis, face: TexturedFace, track: Track, relative: bool,
               amounts: Amounts, size: int) -> Iterator[Frame]:
    """Render one face as it follows a track.

    Args:
        model: decodes codes.
        basis: of the same model.
        face: one face, with or without landmarks.
        track: of any person.
        relative: the face changes as the track changes from its neutral frame; else it takes the track's expression,
            pose and light as they are, and with them the other person's resting face.
        amounts: how much of each.
        size: side of the renders in pixels.

    Yields:
        A frame for each of the track's, at its time.
    """
    frames = track.frames.to(model.device)
    landmarks = basis.landmarks[None] if face.landmarks is None else face.landmarks
    weights = basis.predict(face.factors.codes.pair - track.identity.codes)
    own = _State.of(weights, face.view, face.light, landmarks)
    origin = _State.of_frame(frames[track.neutral]) if relative else own
    displacement = basis.displacement  # warped onto the face once for all frames
    displacement = tps_warp(displacement.flatten(0, 1)[None], basis.landmarks, landmarks)[0].view_as(displacement)
    trust = 1.0 if relative else basis.photo_motion
    for frame in frames:
        now = _State.of_frame(frame)
        step = now.weights - origin.weights
        motion = torch.einsum("bk,kcyx->bcyx", (step * trust * basis.gain).clamp(-1, 1), displacement)
        closing = [(after - before).clamp(0, 1)
                   for after, before in zip(now.closedness, origin.closedness, strict=True)]
        change = Reenactment(motion, motion, closing, _donor(face, frame, own, origin, now), keep_interior=True)
        codes = face.factors.codes.pair + basis.code_change(step * amounts.expression)
        driven = reenact(face, model.decode(Codes.of(codes), face.factors), change, amounts.expression)
        image = composite(driven, _view(face, now.pose - origin.pose, amounts.pose),
                          _light(own.light + amounts.light * (now.light - origin.light)), size)
        yield Frame(frame.time.item(), to_uint8(image[0]))


def _donor(face: TexturedFace, frame: TrackFrames, own: _State, origin: _State, now: _State) -> TexturedFace:
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


def _light(numbers: Tensor) -> Light:
    """A light of the numbers of `_State.light`."""
    return Light(numbers[:, 0].clamp(0, 1), numbers[:, 1].clamp(0, 1), light_direction(numbers[:, 2:]))


def write_film(frames: Iterable[Frame], path: str | Path, watermark: bool = True, overwrite: bool = False) -> None:
    """Write frames as MP4 or GIF, by the path's ending, marked as synthetic.

    Args:
        frames: with rising times; an MP4 is written frame by frame.
        path, overwrite: as for `core.files.writing`, which also names the errors.
        watermark: put the visible word "synthetic" into each frame.

    Raises:
        ArgumentInvalid: another ending, no frames, or frames with odd sides for MP4.
    """
    kinds = {".mp4": write_timed_mp4, ".gif": write_timed_gif}
    write = kinds.get(Path(path).suffix.lower())
    if write is None:
        raise ArgumentInvalid(f"path must end in .mp4 or .gif, got {Path(path).name!r}.")
    images = ((frame.time, Image.fromarray(frame.pixels)) for frame in frames)
    write(((time, mark(image) if watermark else image) for time, image in images), path, overwrite)
