"""A face over time: pose, light and expression of each frame, and one identity for all (paper section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.faces.detect import Face
from core.geometry.camera import FIELD_OF_VIEW, crop_grid, transform
from core.geometry.filters import spline_matrix
from core.model.diffusion import Diffusion
from core.model.expression_basis import EXPRESSION_NAMES
from core.model.face_model import FaceModel
from core.model.shared_identity import SharedIdentity, coordinates, shared_identity
from core.rendering.compositor import canonical_coordinates
from core.rendering.mouth_eyes import Contours
from core.rendering.texture_transfer import landmarks_in_canonical, photo_tangent
from core.types import Codes, Factors, Light, TensorDataclass, View, light_direction
from core.video.reader import Frame
from core.video.smoothing import OneEuro
from core.video.tracking import FaceTracker, Sighting, follow

BATCH = 16
"""Frames that pass through the networks at once."""
FULL_SIZE = 256
"""Side of the aligned frames that mouths are cut out of, pixels."""
MOUTH_SIZE = 96
"""Side of the images of the mouth, pixels."""
MOUTH_CENTRE, MOUTH_HALF = (0.0, 0.4375), 0.5
"""The square around the mouth, canonical frame, crop coordinates."""
RETURNS = 0.6
"""Largest distance in identity coordinates of a face that returns from the mean of those that were followed."""
POSE_FILTER = 1.0, 20.0
"""Cutoff and beta of the filter of pose; speeds are radians a second."""
LIGHT_FILTER = 0.5, 1.0
EXPRESSION_FILTER = 2.0, 4.0
"""The same of expression weights; speeds are weights a second."""


REST = 0.1
"""Part of the frames whose weight of an expression is below that of the face at rest. The regression knows how weights
change and not where their zero is: each person's face at rest looks to it like some expression."""
NEUTRAL_TURN = 2.0
"""What a radian of pitch or yaw counts, as weights of expressions, where the neutral frame is chosen."""


@dataclass(eq=False)
class TrackFrames(TensorDataclass):
    """What changes from frame to frame, for the T frames that show the face."""

    time: Tensor
    """(T,) float64, seconds since the film's first frame."""
    view: View
    """Pose in the film, smoothed: radians; roll is that of the film's frame, the shift that in the crop."""
    light: Light
    """Smoothed."""
    expression: Tensor
    """(T, 57) expected weights of EXPRESSION_NAMES, smoothed, counted from `Track.rest`: 0 is at rest, 1 full strength.
    What a frame hardly shows, such as the gaze, stays near 0."""
    confidence: Tensor
    """(T,) mean confidence on the face, (0, 1]."""
    crop: Tensor
    """(T, 4) centre (x, y) and side, pixels of the film's frames, and roll, radians."""
    landmarks: Tensor
    """(T, 478, 2) canonical frame, crop coordinates."""
    mouth: Tensor
    """(T, 3, 96, 96) uint8, the mouth in the canonical frame: the square of `MOUTH_CENTRE` and `MOUTH_HALF`."""
    start: Tensor
    """(T,) bool: nothing connects the frame with the one before."""
    codes: Codes
    """Of each frame."""


@dataclass(frozen=True)
class Track:
    """One face over a film: what changes, and what does not."""

    frames: TrackFrames
    identity: SharedIdentity
    """What all frames share; its distances are those of the frames."""
    rest: Tensor
    """(57,) expected weights of the face at rest, counted from the identity: of each the least tenth over time."""
    neutral: int
    """Index of the frame whose expression is nearest to rest: the driver's own resting face."""

    @property
    def disagreeing(self) -> list[float]:
        """Times, seconds, of the frames that seem to show somebody else, or the person badly."""
        return self.frames.time[~self.identity.agrees].tolist()


def track_face(frames: Iterable[Frame], model: FaceModel, diffusion: Diffusion, number: int, seed: int) -> Track:
    """Follow a face through a film and analyze it in every frame.

    Args:
        frames: with rising times; decoded one by one.
        model: finds the factors.
        diffusion: of this model, with an expression basis.
        number: of the face in the first frame that shows any, 1 is the largest.
        seed: of the identity's noise.

    Raises:
        FaceNotFound: no frame shows a face, or the first has none of this number.
    """
    sightings = follow(frames, face_tracker(model, diffusion, number, seed))
    parts = []
    while batch := list(islice(sightings, BATCH)):
        parts.append(analyze_sightings(batch, model))
    found = TrackFrames.cat(parts)
    identity = shared_identity(diffusion, found.codes, seed)
    weights = diffusion.expression_basis.predict(found.codes.pair - identity.codes)
    found = _smoothed(replace(found, expression=weights))
    rest = found.expression.quantile(REST, 0)
    found = replace(found, expression=(found.expression - rest).clamp(min=0))
    return Track(found, identity, rest, _neutral(found))


def face_tracker(model: FaceModel, diffusion: Diffusion, number: int, seed: int) -> FaceTracker:
    """What follows a face that returns by its identity; arguments as of `track_face`."""
    def describe(face: Face) -> np.ndarray:
        return coordinates(diffusion, diffusion.identity(model.encode([face]), seed))[0].cpu().numpy()

    return FaceTracker(describe, RETURNS, number, model.config.image_size, FULL_SIZE)


def analyze_sightings(batch: Sequence[Sighting], model: FaceModel) -> TrackFrames:
    """The frames of a batch; their expression is not known before the identity, and is 0."""
    faces = [sighting.face for sighting in batch]
    factors = model.analyze(faces, fine=False)
    crops = [face.crop for face in faces]
    rotation = torch.cat([crop.rotation_to_photo(factors.view.rotation[index:index + 1].cpu())
                          for index, crop in enumerate(crops)])
    landmarks, mouth = _in_canonical(factors, faces)
    return TrackFrames(
        torch.tensor([sighting.time for sighting in batch], dtype=torch.float64),
        View(rotation, factors.view.translation.cpu()), factors.light.to("cpu"),
        torch.zeros(len(batch), len(EXPRESSION_NAMES)), _mean_confidence(factors).cpu(),
        torch.tensor([[*crop.centre, crop.side, crop.roll] for crop in crops]),
        landmarks.cpu(), mouth.cpu(), torch.tensor([sighting.start for sighting in batch]), factors.codes.to("cpu"))


def _mean_confidence(factors: Factors) -> Tensor:
    mask = factors.recon_mask
    return (factors.confidence * mask).sum((1, 2, 3)) / mask.sum((1, 2, 3)).clamp(min=1)


def _in_canonical(factors: Factors, faces: Sequence[Face]) -> tuple[Tensor, Tensor]:
    """Landmarks and images of the mouth of `TrackFrames`."""
    size, edge = factors.canon_depth.shape[-1], photo_tangent(factors)
    matrix = spline_matrix(size, size, edge / math.tan(FIELD_OF_VIEW / 2)).to(factors.canon_depth)
    depth, tangent = matrix @ factors.canon_depth @ matrix.mT, torch.full_like(factors.light.ambient, edge)
    full = torch.stack([face.full for face in faces]).to(depth)
    shown, _, _ = canonical_coordinates(depth, tangent, factors.view, size)
    landmarks = torch.stack([torch.as_tensor(face.landmarks) for face in faces]).to(depth)
    places = crop_grid(depth, MOUTH_SIZE).expand(len(faces), -1, -1, -1) * MOUTH_HALF + depth.new_tensor(MOUTH_CENTRE)
    near = F.grid_sample(depth[:, None], places, padding_mode="border", align_corners=False)[:, 0, ..., None]
    moved = transform(torch.cat([places * edge * near, near], -1), factors.view)
    seen = F.grid_sample(full, moved[..., :2] / moved[..., 2:] / edge, padding_mode="border", align_corners=False)
    return landmarks_in_canonical(landmarks, FULL_SIZE, shown), (seen * 255).round().byte()


def _smoothed(frames: TrackFrames) -> TrackFrames:
    """Pose, light and expression smoothed over time, from each start anew."""
    light = light_numbers(frames.light)
    pose = torch.cat([frames.view.rotation, frames.view.translation], 1)
    pose, light, expression = (
        _filtered(rows, frames, *settings) for rows, settings in
        ((pose, POSE_FILTER), (light, LIGHT_FILTER), (frames.expression, EXPRESSION_FILTER)))
    return replace(frames, view=View(pose[:, :3], pose[:, 3:]), light=light_of(light), expression=expression)


def light_numbers(light: Light) -> Tensor:
    """(T, 4) ambient, diffuse and the slope of the direction: numbers that can be added and smoothed."""
    return torch.cat([light.ambient[:, None], light.diffuse[:, None], light.direction[:, :2] / light.direction[:, 2:]],
                     1)


def light_of(numbers: Tensor) -> Light:
    """The light of `light_numbers`."""
    return Light(numbers[:, 0].clamp(0, 1), numbers[:, 1].clamp(0, 1), light_direction(numbers[:, 2:]))


def _filtered(rows: Tensor, frames: TrackFrames, cutoff: float, beta: float) -> Tensor:
    """Rows (T, D) filtered over the frames' times, forwards and backwards, so that nothing lags."""
    part, times, result = frames.start.cumsum(0).numpy(), frames.time.tolist(), np.empty(rows.shape)
    for number in np.unique(part):
        chosen = np.flatnonzero(part == number)
        forwards, backwards = OneEuro(cutoff, beta), OneEuro(cutoff, beta)
        result[chosen] = [forwards(times[index], rows[index].numpy()) / 2 for index in chosen]
        result[chosen[::-1]] += [backwards(-times[index], rows[index].numpy()) / 2 for index in chosen[::-1]]
    return torch.from_numpy(result).to(rows)


def _neutral(frames: TrackFrames) -> int:
    """The frame with the weakest expression, the mouth closed and the eyes open, that looks most straight ahead."""
    eyes = torch.cat([eye.closedness for eye in Contours.eyes(frames.landmarks)], 1).sum(1)
    turn = NEUTRAL_TURN * frames.view.rotation[:, :2].norm(dim=1)
    strength = frames.expression.sum(1) + Contours.mouth(frames.landmarks).openness[:, 0] + eyes + turn
    return int(strength.argmin())
