"""Make the example film: a London face that talks, smiles, blinks and turns, all rendered by LatentFace itself.

    python -m scripts.example_film

The same command makes the same film, `assets/film/example.mp4`. Its head and its expressions are those of `moment`, so
that tests know what is true of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from core import LatentFace, View
from core.config import ASSETS
from core.export.visualize import to_uint8
from core.video.driving import write_film
from core.video.reader import Frame

PHOTO, FILM = ASSETS / "examples" / "136_neutral.jpg", ASSETS / "film" / "example.mp4"
SECONDS, RATE, SIZE = 5.0, 20, 256
"""Length, frames a second, side in pixels."""


def moment(time: float) -> tuple[View, dict[str, float]]:
    """Pose and expression at a time in seconds."""
    talk = _bump(time, 0.5, 2.0) * (0.5 - 0.5 * math.cos(2 * math.pi * 2 * (time - 0.5)))
    smile, blink = _bump(time, 2.0, 4.2), _bump(time, 0.2, 0.45) + _bump(time, 4.3, 4.6)
    turn = math.sin(2 * math.pi * max(0.0, time - 1) / 4) * 0.35 if time > 1 else 0.0
    expression = {"jawOpen": 0.55 * talk, "mouthFunnel": 0.25 * talk}
    for side in "LR":
        expression |= {f"mouthSmile_{side}": 1.3 * smile, f"eyeBlink_{side}": blink,
                       f"browOuterUp_{side}": 0.5 * _bump(time, 3.0, 4.0)}
    return View.of(pitch=0.06 * math.sin(1.7 * time), yaw=turn, roll=0.05 * math.sin(2.2 * time)), expression


def _bump(time: float, begin: float, end: float) -> float:
    """0 outside of a span, 1 in its middle, smooth."""
    part = (time - begin) / (end - begin)
    return math.sin(math.pi * part) ** 2 if 0 < part < 1 else 0.0


def frames(model: LatentFace) -> Iterator[Frame]:
    """The film."""
    faces = model.find_faces(PHOTO)
    face = model.texture(model.analyze(faces[:1]), faces[:1])
    for index in range(round(SECONDS * RATE)):
        view, expression = moment(index / RATE)
        yield Frame(index / RATE, to_uint8(model.render(model.reenact(face, expression), view, size=SIZE)[0]))


if __name__ == "__main__":
    write_film(frames(LatentFace.from_pretrained()), FILM, overwrite=True)
