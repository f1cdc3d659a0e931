"""The readout of numbers, and warnings."""

from __future__ import annotations

from html import escape

from app.session.session import Session
from core.edits import LightSettings, Pose
from core.export import report
from core.export.quality import measure


def readout(session: Session) -> str:
    """HTML of the pose in the photo, light and confidence in numbers."""
    light = LightSettings.of(session.factors.light)
    pose = report.pose_in_photo(session.factors, session.face)
    quality = measure(session.factors, session.face.full[None])
    rows = {
        "Yaw": _angle(pose["yaw"], "left", "right"),
        "Pitch": _angle(pose["pitch"], "down", "up"),
        "Roll": _angle(pose["roll"], "right", "left"),
        "Light from": f"{_angle(light.across, 'right', 'left')}, {_angle(light.above, 'above', 'below')}",
        "Ambient": f"{light.ambient:.2f}",
        "Diffuse": f"{light.diffuse:.2f}",
        "Confidence": f"{quality.confidence.item():.0%}",
        "Error": f"{(quality.error * quality.spread).item():.3f}",  # mean over the face of the tile of this name
        "Asymmetry": f"{report.asymmetry(session.factors):.3f}",
        "Face in photo": f"{session.face.crop.side:.0f} px",
    }
    return "<dl>" + "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows.items()) + "</dl>"


def _angle(degrees: float, positive: str, negative: str) -> str:
    """An angle with the word for its sign, in the image's directions as on the sliders."""
    return f"{abs(degrees):.0f}° {positive if degrees > 0 else negative}" if round(degrees) else "0°"


def warnings(session: Session) -> str:
    """HTML of warnings on the photo and its analysis; empty where there are none."""
    sentences = report.warnings(session.factors, session.face)
    if len(session.faces) > 1:
        sentences.insert(0, f"{len(session.faces)} faces were found. The marked one is shown; click another to "
                            "choose it.")
    return "".join(f"<p>{escape(sentence)}</p>" for sentence in sentences)


def pose_warning(pose: Pose) -> str:
    """HTML of a warning on a chosen pose, or nothing."""
    if abs(pose.yaw) > report.TRAINED_YAW or abs(pose.pitch) > report.TRAINED_PITCH:
        return (f"<p>Beyond {report.TRAINED_YAW}° of yaw or {report.TRAINED_PITCH}° of pitch, much of the face is "
                "guessed.</p>")
    return ""
