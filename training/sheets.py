"""Sample sheets: one row a picture with everything the model finds in it."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from core.export.visualize import depth_grey, normal_colours, pixels
from core.geometry.shading import relight
from core.types import Factors, Light

COLUMNS = "image, reconstruction, depth, normals, albedo, shading, canonical image, lit from the right, confidence"


def sheet(factors: Factors) -> Image.Image:
    """Rows of `COLUMNS` for each picture of a batch."""
    side = Light.of(0.35, 0.75, -1.2, 0.2)
    relit = relight(factors.canon_albedo, factors.canon_normal, side)
    columns = [factors.image, factors.recon_image, depth_grey(factors.canon_depth),
               normal_colours(factors.canon_normal), factors.canon_albedo, factors.shading, factors.canon_image, relit,
               factors.confidence]
    rows = torch.cat([column.expand(-1, 3, -1, -1) for column in columns], -1)
    return Image.fromarray(pixels(torch.cat(list(rows), 1)))


@torch.no_grad()
def save_sheet(path: Path, model, images: Tensor) -> None:
    """Write the sheet of a batch of pictures."""
    picture = sheet(model(images).to("cpu"))
    picture.resize((picture.width * 2, picture.height * 2), Image.Resampling.BICUBIC).save(path)
