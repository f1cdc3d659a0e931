"""What the page says in words: the read-out of numbers, and honest warnings."""

from __future__ import annotations

from html import escape

from app.session.session import Session
from app.session.settings import Lamp, Pose
from core.export.report import TRAINED_PITCH, TRAINED_YAW, mean_confidence, mean_error, warnings_of
from core.rendering.texture_transfer import FACE_DEPTH
from core.types import Factors


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
        "Confidence": f"{mean_confidence(session.factors):.0%}",
        "Error": f"{mean_error(session.factors):.3f}",
        "Asymmetry": f"{asymmetry(session.factors):.3f}",
        "Face in photo": f"{session.face.crop.side:.0f} px",
    })


def asymmetry(factors: Factors) -> float:
    """Mean absolute difference between the albedo of the face and its mirror image, 1 being from black to white."""
    face = (factors.canon_depth < FACE_DEPTH)[:, None]
    both = face & face.flip(-1)
    difference = (factors.canon_albedo - factors.canon_albedo.flip(-1)).abs().mean(1, keepdim=True) * both
    return (difference.sum() / both.sum().clamp(min=1)).item()


def warnings(session: Session) -> str:
    """HTML of short sentences on what to be careful with; empty where nothing is."""
    said = warnings_of(session.factors, session.face)
    if len(session.faces) > 1:
        said.insert(0, f"{len(session.faces)} faces were found. The marked one is shown: choose another with a click.")
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in said)


def caution(pose: Pose) -> str:
    """HTML of one sentence on a chosen pose, or nothing."""
    if abs(pose.yaw) > TRAINED_YAW or abs(pose.pitch) > TRAINED_PITCH:
        return f"<p>Beyond {TRAINED_YAW}° of yaw or {TRAINED_PITCH}° of pitch much of the face is guessed.</p>"
    return ""


def _list(rows: dict[str, str]) -> str:
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows.items()) + "</dl>"
