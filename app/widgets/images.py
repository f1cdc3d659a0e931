"""Images for the page: color scales and data URLs."""

from __future__ import annotations

import base64
import io
from datetime import datetime

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from core.export.provenance import watermark

SCALES = {
    "gray": [(0, 0, 0), (255, 255, 255)],
    # Nine samples each of matplotlib's perceptually uniform maps (CC0).
    "viridis": [(68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129),
                (92, 200, 99), (170, 220, 50), (253, 231, 37)],
    "magma": [(0, 0, 4), (28, 16, 68), (79, 18, 123), (129, 37, 129), (181, 54, 122), (229, 80, 100),
              (251, 135, 97), (254, 194, 135), (252, 253, 191)],
}
"""Colors at even steps from the low to the high end."""
OVERLAY, OPACITY = (45, 212, 191), 0.75
"""Color and largest opacity of a layer over a face."""
EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="
"""Data URL of a transparent image."""
SYNTHETIC = "Synthetic: rendered by LatentFace from one photo."
"""Metadata of every image."""


def color_map(values: Tensor, low: float, high: float, scale: str) -> np.ndarray:
    """(H, W) values to (H, W, 3) uint8, on a color scale from low to high."""
    stops = np.array(SCALES[scale], float)
    position = np.clip((values.detach().float().cpu().numpy() - low) / max(high - low, 1e-9), 0, 1)
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(position, at, stops[:, k]) for k in range(3)], -1).round().astype(np.uint8)


def gradient(scale: str) -> str:
    """The scale as a CSS gradient, the low end on the left."""
    return f"linear-gradient(to right, {', '.join('rgb({}, {}, {})'.format(*stop) for stop in SCALES[scale])})"


def jpeg_url(array: np.ndarray, side: int | None = None, quality: int = 90) -> str:
    """(H, W, 3) uint8 as a small data URL, resized so that its longer side has `side` pixels.

    Small maps are upsampled here with a cubic filter; a browser's bilinear filter would show the grid.
    """
    image = Image.fromarray(array)
    factor = (side or max(image.size)) / max(image.size)
    if factor != 1:
        image = image.resize([max(1, round(length * factor)) for length in image.size], Image.Resampling.BICUBIC,
                             reducing_gap=3.0)
    return _url(image, "jpeg", quality=quality, subsampling=0, comment=SYNTHETIC)


def png_url(array: np.ndarray, mark: bool = False) -> str:
    """(H, W, 3 or 4) uint8 as a lossless data URL with a date in its metadata; `mark` adds the visible watermark."""
    metadata = PngInfo()
    metadata.add_text("Software", "LatentFace")
    metadata.add_text("Description", SYNTHETIC)
    metadata.add_text("Creation Time", datetime.now().astimezone().isoformat())
    image = Image.fromarray(array)
    return _url(watermark(image) if mark else image, "png", compress_level=1, pnginfo=metadata)


def overlay_url(strength: Tensor, opacity: float = OPACITY) -> str:
    """(H, W) values in [0, 1] as a data URL of a colored layer, opaque where they are high."""
    alpha = (strength.clamp(0, 1) * opacity * 255).round().byte().cpu().numpy()
    color = np.broadcast_to(np.array(OVERLAY, np.uint8), (*alpha.shape, 3))
    return png_url(np.concatenate([color, alpha[..., None]], -1))


def _url(image: Image.Image, kind: str, **options) -> str:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return data_url(file.getvalue(), kind)


def data_url(content: bytes, kind: str) -> str:
    """An image file of a kind, such as "jpeg", as a data URL."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
