"""The frames of the first visit: an example turns a little under a moving light."""

from __future__ import annotations

import functools
import math

from app.session.session import open_example, render_face
from app.session.settings import FRONT
from app.widgets.images import jpeg_url
from core.edits import Edits, LightSettings, Pose

FRAMES, SIZE, QUALITY = 24, 384, 80
"""Number, pixels and JPEG quality."""
TURN, REACH = 28, 55
"""Largest yaw and angle of the light, degrees."""


@functools.cache
def frames(example: int) -> list[str]:
    """Data URLs of one turn that ends where it begins: drawn once, for all visitors."""
    session = open_example(example)
    urls = []
    for number in range(FRAMES):
        angle = 2 * math.pi * number / FRAMES
        pose = Pose(TURN * math.sin(angle), FRONT.pitch, FRONT.roll)
        light = LightSettings(REACH * math.sin(angle + 1), 15, 0.45, 0.7)
        urls.append(jpeg_url(render_face(session, Edits(pose=pose, light=light), SIZE), quality=QUALITY))
    return urls
