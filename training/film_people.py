"""From a film to photos of one person, the layout that `training.train_diffusion --people` reads."""

from __future__ import annotations

import io
import math
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from core.errors import ConfigError
from core.faces.align import Crop, cut
from core.files import prepare_folder, write_bytes
from core.model.diffusion import SEED
from core.pipeline import LatentFace
from core.video.reader import inspect_film, read_film
from core.video.track import face_tracker

MARGIN = 1.6
"""Side of the photos as a multiple of the aligned face's: faces are searched for again in them."""
QUALITY = 92
"""JPEG quality, 1 to 95."""
RATE = 4.0
"""Photos a second."""


def prepare_film(film: Path, out: Path, size: int = 256, rate: float = RATE, quiet: bool = False,
                 overwrite: bool = False) -> int:
    """Follow the largest face of a film's first frame with one, and write it as `out/film's name/frame.jpg`.

    Args:
        film: of one person; in others, only that face is followed.
        out: folder of people; made if need be.
        size: side of the photos, pixels.
        rate: photos a second, at most.
        quiet: no progress bar.
        overwrite: also replace files that LatentFace did not write.

    Returns:
        Number of photos.

    Raises:
        ConfigError: a rate that is no positive number, no frame shows a face, or the weights hold no diffusion model.
        FilmUnreadable, FilmTooLarge: as core.video.reader.inspect_film.
        OutputExists, OutputUnwritable: see core.files.writing.
    """
    if not 0 < rate < math.inf:
        raise ConfigError(f"The rate must be a positive number of photos a second, got {rate:g}.")
    total, folder, due, count = inspect_film(film).frames, out / film.stem, 0.0, 0
    model = LatentFace.from_pretrained()
    if model.diffusion is None:
        raise ConfigError("The weights hold no diffusion model, which recognises a face: use the bundled weights.")
    tracker = face_tracker(model, model.diffusion, 1, SEED)
    for frame in tqdm(read_film(film), total=total, unit="frame", disable=quiet):
        sighting = tracker(frame)
        if sighting is None or frame.time < due:
            continue
        due = frame.time + 1 / rate - 1e-6
        crop = sighting.face.crop
        file = io.BytesIO()
        wide = Crop(crop.centre, MARGIN * crop.side, crop.roll)
        Image.fromarray(cut(frame.pixels, wide, size)).save(file, "JPEG", quality=QUALITY, subsampling=0)
        if not count:
            prepare_folder(folder)
        write_bytes(folder / f"{count:05d}.jpg", file.getvalue(), overwrite)
        count += 1
    if not count:
        raise ConfigError(f"No face was found in {film.name}: choose a film where a face is larger and well lit.")
    return count
