"""Figures on studio photos of people with a neutral and a smiling face: identity against expression."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConfigError
from core.pipeline import LatentFace
from training.data.face_pack import decode, name_photo
from training.evaluate.metrics import pixel_pca, probe_accuracy, rank1
from training.evaluate.renders import features

DRAWS = 5
"""Random changes of each smiling photo; the figures are means over them."""
ZOOM, MOVE = 0.06, 0.04
"""Largest change of the crop's size and place, relative to its side."""
GAIN, TINT, SIDE_LIGHT = (0.6, 1.25), 0.08, 0.5


def measure(model: LatentFace, folder: Path) -> dict[str, dict[str, float]]:
    """All figures of a folder with london.csv (file, person, expression, split) and its photos in aligned512/.

    Returns:
        For each figure the values of the model and of its baseline; names end in `_heldout` where only people of
        split `heldout` count.
    """
    photos, people, smiles, heldout = read(Path(folder), 2 * model.config.image_size)
    generator = torch.Generator().manual_seed(0)
    smiling = [change(photos[smiles], generator) for _ in range(DRAWS)]
    images = [F.avg_pool2d(photos, 2), *(F.avg_pool2d(copies, 2) for copies in smiling)]
    ways = {"model": [features(model, part) for part in images],
            "baseline": pixel_pca(*images, size=model.config.image_size, components=64)}

    result: dict[str, dict[str, float]] = {}
    for name, (plain, *changed) in ways.items():
        right = probe_accuracy(plain, smiles, people)
        for suffix, counts in (("", np.ones_like(heldout)), ("_heldout", heldout)):
            neutral, smile = ~smiles & counts, counts[smiles]
            gallery, ids = plain[neutral], people[neutral]
            found = [rank1(copy[smile], gallery, people[smiles][smile], ids) for copy in changed]
            values = {"smile": float(right[counts].mean()), "changed": float(np.mean(found)),
                      "rank1": rank1(plain[smiles & counts], gallery, people[smiles][smile], ids)}
            for key, value in values.items():
                result.setdefault(f"london.{key}{suffix}", {})[name] = value
    return result


def read(folder: Path, size: int) -> tuple[Tensor, np.ndarray, np.ndarray, np.ndarray]:
    """Photos (N, 3, size, size) in [0, 1]; person, whether smiling, whether held out: (N,) each."""
    if not (folder / "london.csv").is_file():
        raise ConfigError(f"There is no london.csv in {folder}: name the folder that holds it and aligned512/.")
    with open(folder / "london.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    images = []
    for row in rows:
        with name_photo(folder / "aligned512" / row["file"]) as path:
            images.append(decode(Path(path).read_bytes(), size))
    photos = torch.from_numpy(np.stack(images)).movedim(-1, 1).float() / 255
    columns = (np.array([row[key] for row in rows]) for key in ("person", "expression", "split"))
    people, expression, split = columns
    return photos, people, expression != "neutral", split == "heldout"


def change(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Change crop, side, brightness, tint and light from the side of photos (N, 3, H, W) at random."""
    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(len(photos), 1, 1, 1, generator=generator) * (high - low) + low

    theta = torch.zeros(len(photos), 2, 3)
    scale = 1 + uniform(-ZOOM, ZOOM).flatten()
    theta[:, 0, 0] = scale * torch.where(uniform(-1, 1).flatten() < 0, -1, 1)
    theta[:, 1, 1] = scale
    theta[:, :, 2] = (torch.rand(len(photos), 2, generator=generator) * 2 - 1) * 2 * MOVE
    grid = F.affine_grid(theta, list(photos.shape), align_corners=False)
    moved = F.grid_sample(photos, grid, padding_mode="reflection", align_corners=False)
    tint = 1 + TINT * torch.randn(len(photos), 3, 1, 1, generator=generator)
    slope = 1 + uniform(-SIDE_LIGHT, SIDE_LIGHT) * torch.linspace(-1, 1, photos.shape[-1])
    return (moved * uniform(*GAIN) * tint * slope).clamp(0, 1)
