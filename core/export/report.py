"""The result of an analysis as plain numbers, and warnings in sentences."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from torch import Tensor

from core.export.quality import measure, share_outside, shortfalls
from core.rendering.texture_transfer import FACE_DEPTH
from core.types import Factors, View

if TYPE_CHECKING:
    from core.faces import Face

TRAINED_YAW, TRAINED_PITCH = 45, 25
"""Degrees beyond which few training faces were turned."""
SMALL_FACE = 128
"""Side of the crop in the photo, pixels, below which the photo has little detail."""
DISAGREEMENT = 15
"""Degrees between the model's yaw and the detector's from which a warning is given."""


MOST_OUTSIDE = 0.03
"""Share of the face beyond the photo's edges from which a warning is given."""
SENTENCES = {
    "brightness": "The face is too dark: take the photo in brighter light.",
    "contrast": "The face has hardly any contrast: take the photo without haze and glare.",
    "sharpness": "The face is blurred: hold the camera still and focus on the face.",
    "uncovered": "Something seems to cover a part of the face: choose a photo that shows all of it.",
    "visibility": "The model explains this photo badly, as it does drawings, masks and hard shadows: trust it less.",
}
"""What a measure below its limit means (core.export.quality.LIMITS)."""


def report(factors: Factors, face: Face) -> dict:
    """Light, pose, confidence and warnings of one face, ready for JSON.

    Args:
        factors: of one face.
        face: what they were found in.

    Returns:
        Nested dict; angles in degrees, shifts in units of the camera distance, axes as in core.geometry.camera. `pose`
        is that of the crop, from which the face is rendered; `pose_in_photo` has the crop's turn, too. Confidence and
        error are those of `core.export.quality.Quality`.
    """
    light, view = factors.light, factors.view
    quality = measure(factors, face.full[None])
    return {
        "synthetic": True,
        "source": "LatentFace: a model's estimate from one photo.",
        "light": {"ambient": _number(light.ambient), "diffuse": _number(light.diffuse),
                  "direction": [_number(part) for part in light.direction[0]]},
        "pose": {**_pose(view), "shift_x": _number(view.translation[0, 0]), "shift_y": _number(view.translation[0, 1])},
        "pose_in_photo": pose_in_photo(factors, face),
        "pose_of_detector": face.pose and _pose(face.pose),
        "confidence": _number(quality.confidence),
        "error": _number(quality.error),
        "crop": {"x": face.crop.centre[0], "y": face.crop.centre[1], "side": face.crop.side,
                 "roll": math.degrees(face.crop.roll)},
        "warnings": warnings(factors, face),
    }


def pose_in_photo(factors: Factors, face: Face) -> dict[str, float]:
    """Pitch, yaw and roll of the head as the photo shows it, degrees: the crop's turn and the pose in the crop."""
    return _pose(replace(factors.view, rotation=face.crop.rotation_to_photo(factors.view.rotation)))


def error_map(factors: Factors) -> Tensor:
    """Absolute error of what the codes alone reconstruct, (B, 1, H, W), mean of the channels; 0 outside the face."""
    factors = factors.of_codes
    return (factors.recon_image - factors.image).abs().mean(1, keepdim=True) * factors.recon_mask


def asymmetry(factors: Factors) -> float:
    """Left-right asymmetry: mean absolute difference between the face's albedo and its mirror image, in [0, 1]."""
    face = (factors.canon_depth < FACE_DEPTH)[:, None]
    both = face & face.flip(-1)
    difference = (factors.canon_albedo - factors.canon_albedo.flip(-1)).abs().mean(1, keepdim=True) * both
    return (difference.sum() / both.sum().clamp(min=1)).item()


def warnings(factors: Factors, face: Face) -> list[str]:
    """Sentences that say why a result may be wrong; empty where nothing is suspicious."""
    pose, found = _pose(factors.view), []
    if face.landmarks is None:
        found.append("Cropped by hand: pose and shape are as good as the crop.")
    if abs(pose["yaw"]) > TRAINED_YAW or abs(pose["pitch"]) > TRAINED_PITCH:
        found.append("The head is turned farther than most training faces: the hidden side is guessed.")
    if face.pose is not None and abs(_pose(face.pose)["yaw"] - pose["yaw"]) > DISAGREEMENT:
        found.append(f"The face detector sees the head turned by {_pose(face.pose)['yaw']:+.0f}°, the model by "
                    f"{pose['yaw']:+.0f}°.")
    if face.crop.side < SMALL_FACE:
        found.append(f"The face has only {face.crop.side:.0f} pixels in the photo and is enlarged: "
                    "expect little detail.")
    if share_outside(factors, face) > MOST_OUTSIDE:
        found.append("The photo's edge cuts off part of the face: choose a photo that shows all of it.")
    lacking = shortfalls(measure(factors, face.full[None]))
    if face.crop.side < SMALL_FACE:
        lacking["sharpness"].zero_()  # an enlarged face is never sharp, and the size is named already
    found += [SENTENCES[name] for name, lacks in lacking.items() if lacks.any()]
    return found


def _pose(view: View) -> dict[str, float]:
    degrees = view.rotation[0].rad2deg().tolist()
    return {name: round(value, 4) for name, value in zip(("pitch", "yaw", "roll"), degrees, strict=True)}


def _number(value: Any) -> float:
    return round(float(value), 6)
