"""What the page says in words: the read-out of numbers, and honest warnings."""

from __future__ import annotations

import math
from html import escape

from app.state import Session
from app.widgets.controls import Lamp, Pose

TRAINED_YAW, TRAINED_PITCH = 45, 25
"""Degrees beyond which few training faces were turned."""
LOW_CONFIDENCE, HIGH_ERROR = 0.855, 0.125
"""Means over the face that 2 % of held-out photos fall below and exceed."""
SMALL_FACE = 128
"""Pixels of the crop's side in the photo below which its own detail is thin."""
DISAGREEMENT = 15
"""Degrees between the model's yaw and the detector's that are worth a word."""


def readout(session: Session) -> str:
    """HTML of pose, light and confidence in numbers."""
    pose, lamp = Pose.of(session.factors.view), Lamp.of(session.factors.light)
    return _list({
        "Yaw": f"{pose.yaw:+.0f}°",
        "Pitch": f"{pose.pitch:+.0f}°",
        "Roll": f"{pose.roll:+.0f}°",
        "Light from": f"{abs(lamp.across):.0f}° {'right' if lamp.across > 0 else 'left'}, "
                      f"{abs(lamp.above):.0f}° {'above' if lamp.above >= 0 else 'below'}",
        "Ambient": f"{lamp.ambient:.2f}",
        "Diffuse": f"{lamp.diffuse:.2f}",
        "Confidence": f"{mean_confidence(session):.0%}",
        "Error": f"{mean_error(session):.3f}",
        "Face in photo": f"{session.face.crop.side:.0f} px",
    })


def warnings(session: Session) -> str:
    """HTML of short sentences on what to be careful with; empty where nothing is."""
    pose, face = Pose.of(session.factors.view), session.face
    said = []
    if len(session.faces) > 1:
        said.append(f"{len(session.faces)} faces were found. The marked one is shown: choose another with a click.")
    if face.landmarks is None:
        said.append("Cropped by hand: pose and shape are as good as the crop.")
    if abs(pose.yaw) > TRAINED_YAW or abs(pose.pitch) > TRAINED_PITCH:
        said.append("The head is turned farther than most training faces: the hidden side is guessed.")
    if face.pose is not None:
        detected = math.degrees(face.pose.rotation[0, 1].item())
        if abs(detected - pose.yaw) > DISAGREEMENT:
            said.append(f"The face detector sees the head turned by {detected:+.0f}°, the model by {pose.yaw:+.0f}°.")
    if face.crop.side < SMALL_FACE:
        said.append(f"The face has only {face.crop.side:.0f} pixels in the photo: expect little detail.")
    if mean_confidence(session) < LOW_CONFIDENCE or mean_error(session) > HIGH_ERROR:
        said.append("The model explains this picture badly, as drawings, masks and hard shadows: trust it less.")
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in said)


def caution(pose: Pose) -> str:
    """HTML of one sentence on a chosen pose, or nothing."""
    if abs(pose.yaw) > TRAINED_YAW or abs(pose.pitch) > TRAINED_PITCH:
        return f"<p>Beyond {TRAINED_YAW}° of yaw or {TRAINED_PITCH}° of pitch much of the face is guessed.</p>"
    return ""


def mean_confidence(session: Session) -> float:
    """Mean of the confidence where the face is."""
    factors = session.factors
    return ((factors.confidence * factors.recon_mask).sum() / factors.recon_mask.sum().clamp(min=1)).item()


def mean_error(session: Session) -> float:
    """Mean absolute error of the reconstruction where the face is."""
    factors = session.factors
    error = (factors.recon_image - factors.image).abs().mean(1, keepdim=True) * factors.recon_mask
    return (error.sum() / factors.recon_mask.sum().clamp(min=1)).item()


def _list(rows: dict[str, str]) -> str:
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows.items()) + "</dl>"
