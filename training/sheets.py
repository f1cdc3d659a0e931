"""Sample sheets: for each image, a row of everything that the model predicts."""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from core.export.visualize import depth_to_gray, normal_to_color, to_uint8
from core.files import replacing
from core.geometry.shading import relight
from core.model.autoencoder import Autoencoder
from core.types import Factors, Light

COLUMNS = "image, reconstruction, depth, normals, albedo, shading, canonical image, lit from the right, confidence"


def sheet(factors: Factors) -> Image.Image:
    """A row of `COLUMNS` for each image of a batch."""
    side = Light.of(0.35, 0.75, -1.2, 0.2)
    relit = relight(factors.canon_albedo, factors.canon_normal, side)
    columns = [factors.image, factors.recon_image, depth_to_gray(factors.canon_depth),
               normal_to_color(factors.canon_normal), factors.canon_albedo, factors.shading, factors.canon_image, relit,
               factors.confidence]
    rows = torch.cat([column.expand(-1, 3, -1, -1) for column in columns], -1)
    return Image.fromarray(to_uint8(torch.cat(list(rows), 1)))


@torch.no_grad()
def save_sheet(path: Path, model: Autoencoder, images: Tensor) -> None:
    """Write the sheet of aligned images (B, 3, H, W), twice enlarged. Raises OutputUnwritable."""
    rows = sheet(model(images).to("cpu"))
    with replacing(path) as part:
        rows.resize((rows.width * 2, rows.height * 2), Image.Resampling.BICUBIC).save(part, "PNG")
