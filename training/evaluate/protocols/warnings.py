"""Whether warnings on bad photos are right, and the same for every skin tone.

    python -m training.evaluate warnings --photos fairface                # share of validation photos warned
    python -m training.evaluate warnings --photos fairface --calibrate    # limits, from training photos alone

Warnings here are those of `core.export.quality.LIMITS`. Photos of a pack are cut out already, so it cannot say whether
a face is cut off, small or turned away.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from core.export.quality import GRAY, LIMITS, SIDE, Quality, face_mask, measure, shortfalls
from core.geometry.filters import blur
from core.pipeline import LatentFace
from training.data.face_pack import FacePack
from training.evaluate.comparison import Row, finish, write_report
from training.evaluate.groups import LEAST, TONES, skin_tone
from training.evaluate.photos import cheek_colors

PART = 128
"""Photos that are analysed at once."""
MOST_WARNED = 0.0025
"""Largest share of the training photos of any skin tone that may lie below a limit."""
POINTS = 256
"""Places of the face whose median colour is its skin's."""
GAIN, SIGMA, CONTRAST = 0.1, 12 / 512, 0.1
"""Of the spoilt copies: brightness, standard deviation of the blur as a part of the crop's side, and contrast."""


def _flatten(photos: Tensor) -> Tensor:
    mean = torch.einsum("bchw,c->b", photos, photos.new_tensor(GRAY))[:, None, None, None] / photos[0, 0].numel()
    return mean + CONTRAST * (photos - mean)


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "unaltered": lambda photos: photos,
    "darkened": lambda photos: GAIN * photos,
    "blurred": lambda photos: blur(photos, SIGMA * photos.shape[-1]),
    "flat": _flatten,
}
"""What is done to photos (B, 3, H, W) in [0, 1]."""
ROWS = {**{f"unaltered.{tone}": Row(f"unaltered, {tone} skin", 2, "neither") for tone in TONES},
        "unaltered": Row("unaltered, all", 2, "neither"), "darkened": Row(f"brightness × {GAIN}", 2, "neither"),
        "blurred": Row("blur of 12 px of 512", 2, "neither"), "flat": Row(f"contrast × {CONTRAST}", 2, "neither")}
NAMES = {"photos": "photos", "warned": "warned, %", **{name: f"{name}, %" for name in LIMITS},
         "confidence": "confidence, median"}


def run(options: Namespace) -> dict:
    """Measure validation photos, or set limits by training photos; print the result and write the report.

    Returns:
        What is written with --out.

    Raises:
        ConfigError: the folder is not a face pack.
    """
    model = LatentFace.from_pretrained(options.weights)
    pack = FacePack(options.photos, SIDE, "train" if options.calibrate else "val", options.limit)
    if options.calibrate:
        found, tones = look(model, pack, CHANGES["unaltered"])
        limits = calibrate(found, tones)
        print("\n".join(f"{name}: {value}" for name, value in limits.items()))
        return write_report(limits, options)
    figures: dict[str, dict[str, float]] = {}
    for change, function in CHANGES.items():
        found, _ = look(model, pack, function)
        figures[change] = shares(found)
        if change == "unaltered":
            tones = cheek_tones(options.photos, pack)
            figures |= {f"{change}.{tone}": shares(found[torch.from_numpy(tones == tone)])
                        for tone in TONES if (tones == tone).sum() >= LEAST}
    return finish(ROWS, figures, f"{len(pack)} photos", options, NAMES)


def look(model: LatentFace, pack: FacePack, change: Callable[[Tensor], Tensor]) -> tuple[Quality, np.ndarray]:
    """Measures of changed photos, and the skin tones (N,) by the median colour of the face."""
    parts, tones = [], []
    for start in tqdm(range(0, len(pack), PART), leave=False):
        photos = (change(pack[start:start + PART]) * 255).round().clamp(0, 255) / 255  # as a file holds them
        factors = model.analyze(F.adaptive_avg_pool2d(photos, model.config.image_size)).to("cpu")
        parts.append(measure(factors, photos))
        tones.append(skin_tone(_skin(factors.image, face_mask(factors))))
    return Quality.cat(parts), np.concatenate(tones)


def cheek_tones(folder: Path, pack: FacePack) -> np.ndarray:
    """Skin tones (N,) by the cheeks of validation photos, as in training.evaluate.photos; training has no landmarks."""
    with np.load(Path(folder) / "val_landmarks.npz") as arrays:
        landmarks = arrays["landmarks"][:len(pack)].astype(np.float32)
    return skin_tone(cheek_colors(pack.images, landmarks))


def _skin(images: Tensor, face: Tensor) -> np.ndarray:
    """Colours (B, POINTS, 3) uint8 of places that are spread over the face."""
    colours = (images * 255).round().byte().flatten(2)
    places = [where.flatten().nonzero()[:, 0] for where in face]
    places = [where if len(where) else torch.arange(colours.shape[-1]) for where in places]
    spread = [where[torch.linspace(0, len(where) - 1, POINTS).long()] for where in places]
    return torch.stack([pixels[:, where] for pixels, where in zip(colours, spread, strict=True)]).mT.numpy()


def calibrate(found: Quality, tones: np.ndarray) -> dict[str, float]:
    """`LIMITS` under which at most `MOST_WARNED` of the photos of each skin tone fall, and `TYPICAL_SPREAD`."""
    groups = [torch.from_numpy(tones == tone) for tone in TONES if (tones == tone).sum() >= LEAST]
    limits = {name: min(getattr(found, name)[group].quantile(MOST_WARNED).item() for group in groups)
              for name in LIMITS}
    return {name: round(value, 3) for name, value in {**limits, "typical_spread": found.spread.median().item()}.items()}


def shares(found: Quality) -> dict[str, float]:
    """Number of photos; which of them are warned, in percent, at all and by measure; and their median confidence."""
    lacking = shortfalls(found)
    warned = torch.stack(list(lacking.values())).any(0)
    percent = {name: 100 * lacks.float().mean().item() for name, lacks in {"warned": warned, **lacking}.items()}
    return {"photos": len(found), **percent, "confidence": found.confidence.median().item()}
