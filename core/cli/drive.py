"""python -m core drive: a photo's face follows a film."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from core.cli.faces import load_model
from core.cli.track import follow_film
from core.errors import ArgumentInvalid
from core.export.provenance import CONSENT
from core.files import prepare_folder

if TYPE_CHECKING:
    from core.pipeline import LatentFace
    from core.types import TexturedFace
    from core.video.reader import Frame
    from core.video.track import Track


@dataclass(frozen=True, kw_only=True)
class Drive:
    """Write a film in which a photo's face follows another film: its expression, pose and, if wanted, light."""

    photo: tyro.conf.Positional[Path]
    """photo of the face"""
    film: tyro.conf.Positional[Path]
    """film of at most two minutes that the face follows"""
    out: Path
    """film to write: .mp4 or .gif; .glb: the photo's head, which moves as the film's face does"""
    face: int = 1
    """which face of the photo, 1 is the largest"""
    film_face: int = 1
    """which face of the first frame that shows any"""
    expression: float = 1.0
    """how much of the expression, 0 to 1.5"""
    pose: float = 1.0
    """how much of the turning, 0 to 1"""
    light: float = 0.0
    """how much of the light, 0 to 1"""
    absolute: bool = False
    """take the film's expression, pose and light as they are, not only how they change from its neutral frame"""
    begin: float = 0.0
    """where to begin in the film, seconds"""
    end: float = math.inf
    """where to end, seconds"""
    size: int = 256
    """side of the film, 16 to 2048 pixels, even for MP4"""
    sound: bool = False
    """copy the film's sound (MP4)"""
    stamp: bool = True
    """no visible watermark; the metadata says that the film is synthetic all the same"""
    weights: str | None = None
    """weights: a file, a folder, or the name of a model on the Hub; the bundled ones by default"""
    overwrite: bool = False
    """also replace a file that LatentFace did not write"""
    json: bool = False
    """print one line of JSON"""

    def run(self) -> int:
        """Do the work; returns the exit code."""
        from core.arguments import check_face
        from core.video.reader import inspect_film

        self._check()
        film = inspect_film(self.film)
        if self.sound and not film.sound:
            raise ArgumentInvalid(f"{self.film.name} has no sound: leave --sound out.")
        prepare_folder(self.out.parent, [self.out.name], self.overwrite)
        print(CONSENT, file=sys.stderr)
        model = load_model(self.weights, None)
        faces = model.find_faces(self.photo)
        chosen = faces[check_face(self.face, len(faces)) - 1]
        face = model.texture(model.analyze([chosen]), [chosen])
        self._write(model, face, follow_film(model, self.film, film, self.film_face))
        print(json.dumps({"photo": self.photo.name, "film": self.film.name, "out": str(self.out)}) if self.json
              else f"The face of {self.photo.name} follows {self.film.name}: {self.out}")
        return 0

    def _check(self) -> None:
        """Refuse what cannot be written before anything is loaded."""
        from core.arguments import check_number, check_size, check_strength

        check_strength("expression", self.expression)
        check_number("pose", self.pose, 0, 1)
        check_number("light", self.light, 0, 1)
        check_number("end", self.end, check_number("begin", self.begin, 0, math.inf), math.inf)
        ending = self.out.suffix.lower()
        if ending not in ((".mp4",) if self.sound else (".mp4", ".gif", ".glb")):
            raise ArgumentInvalid(f"--out must end in .mp4{'' if self.sound else ' or .gif, or .glb for a head'}, "
                                  f"got {self.out.name!r}.")
        if ending == ".glb" and self.absolute:
            raise ArgumentInvalid("A head follows changes from the film's neutral frame: leave --absolute out.")
        if check_size(self.size) % 2 and ending == ".mp4":
            raise ArgumentInvalid(f"size must be even for MP4, got {self.size}.")

    def _write(self, model: LatentFace, face: TexturedFace, track: Track) -> None:
        from core.video.driving import frames_in, write_film

        span = self.begin, self.end
        if self.out.suffix.lower() == ".glb":
            self._write_head(model, face, track)
            return
        count = len(frames_in(track, span))
        driven = model.drive(face, track, not self.absolute, self.expression, self.pose, self.light, self.size, span)
        write_film(_counted(driven, count), self.out, self.stamp, self.overwrite, self.film if self.sound else None)


    def _write_head(self, model: LatentFace, face: TexturedFace, track: Track) -> None:
        import numpy as np

        from core.export.gltf import write_glb
        from core.video.driving import frames_in
        from core.video.head_animation import head_animation

        head = model.head(face)
        rest, gain = np.array(list(head.expression.values())), model.require_basis().gain.cpu().numpy()
        animation = head_animation(track, frames_in(track, (self.begin, self.end)), rest, gain * self.expression,
                                   self.pose)
        write_glb(head.mesh(), self.out, self.overwrite, animation)


def _counted(frames: Iterator[Frame], count: int) -> Iterator[Frame]:
    """The frames, with a progress bar."""
    from tqdm import tqdm

    return iter(tqdm(frames, total=count, unit="frame", desc="drive", disable=None))
