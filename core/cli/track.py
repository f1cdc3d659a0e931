"""python -m core track: a face over a film, as tables; and what the verbs share that read films."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from core.cli.faces import load_model
from core.files import prepare_folder

if TYPE_CHECKING:
    from core.pipeline import LatentFace
    from core.video.reader import Film
    from core.video.track import Track


@dataclass(frozen=True, kw_only=True)
class Follow:
    """Write pose, light and expression of a face over a film as CSV and Parquet, its one identity, and a summary."""

    film: tyro.conf.Positional[Path]
    """film of at most two minutes: MP4, MOV, WebM, …"""
    out: Path
    """folder for the results"""
    face: int = 1
    """which face of the first frame that shows any, 1 is the largest"""
    weights: str | None = None
    """weights: a file, a folder, or the name of a model on the Hub; the bundled ones by default"""
    overwrite: bool = False
    """also replace files that LatentFace did not write"""
    json: bool = False
    """print the summary as one line of JSON"""

    def run(self) -> int:
        """Do the work; returns the exit code."""
        from core.video.reader import inspect_film
        from core.video.track_file import TRACK_FILES, write_track

        film = inspect_film(self.film)
        prepare_folder(self.out, TRACK_FILES, self.overwrite)
        model = load_model(self.weights, None)
        found = write_track(follow_film(model, self.film, film, self.face), self.out, self.film.name,
                            model.fingerprint, self.overwrite)
        if self.json:
            print(json.dumps(found))
            return 0
        print(f"{found['frames']} of {film.frames} frames show the face: {self.out}")
        if other := found["disagreeing_s"]:
            print(f"  {len(other)} of them may show somebody else, the first at {other[0]:.1f} s.")
        return 0


def follow_film(model: LatentFace, path: Path, film: Film, face: int) -> Track:
    """The track of one face, with a progress bar over the film's frames."""
    from tqdm import tqdm

    from core.video.reader import read_film

    with tqdm(read_film(path), total=film.frames, unit="frame", desc="track", disable=None) as frames:
        return model.track(frames, face)
