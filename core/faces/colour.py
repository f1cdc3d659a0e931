"""Colours of decoded photos: embedded profiles to sRGB, deep greys to 8 bits, transparency to white."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

from core.errors import ImageUnreadable

MAX_PROFILE_BYTES = 4 * 2**20
"""Larger profiles are ignored. Those of printing presses have up to 3 MB."""
SRGB_TOLERANCE = 2
"""A profile that changes no probed colour by more than so many of 255 levels is taken for sRGB."""
BACKGROUND = (255, 255, 255)
"""Colour behind transparent parts."""

_MIN_CONTRAST = 64
"""A profile that leaves fewer levels between black and white is damaged."""
_ALPHA_MODES = ("RGBA", "LA", "PA", "RGBa", "La")
_BITS_PER_SAMPLE, _PHOTOMETRIC = 258, 262
_STEPS = (0, 64, 128, 192, 255)


def to_srgb(image: Image.Image) -> Image.Image:
    """A decoded image of any mode as opaque sRGB.

    The embedded ICC profile is applied; one that is damaged, too large, or for other channels is ignored, and the
    channels are then taken for sRGB. A grey of more than 8 bits is divided by the range that its format declares,
    never by its own maximum: 4095 for a TIFF of 12 bits, else 65,535; floats lie in [0, 1].

    Args:
        image: decoded, of any size.

    Returns:
        mode "RGB", the same size. An image that needs no change is returned as it is.

    Raises:
        ImageUnreadable: integers or floats outside the range.
    """
    profile = image.info.get("icc_profile")
    alpha = None
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _grey_to_eight_bits(image)
    elif image.mode in _ALPHA_MODES or "transparency" in image.info:
        image, alpha = _split_alpha(image)
    rgb = _apply_profile(image, profile)
    return Image.composite(rgb, Image.new("RGB", rgb.size, BACKGROUND), alpha) if alpha else rgb


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Grey or colour, and the alpha channel."""
    if image.mode == "La":
        image = image.convert("LA")
    full = image.convert("RGBA")
    return full.convert("L" if image.mode in ("L", "LA") else "RGB"), full.getchannel("A")


def _grey_to_eight_bits(image: Image.Image) -> Image.Image:
    """Mode "L" of a grey image of 12, 16 or 32 bits, or of floats."""
    values = np.asarray(image).astype(np.float32)
    tags = getattr(image, "tag_v2", {})
    top = 1 if image.mode == "F" else 4095 if tags.get(_BITS_PER_SAMPLE) == (12,) else 65535
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= top):
        raise ImageUnreadable(f"This image has numbers outside 0 to {top}: save it again as JPEG or as a PNG of 8 or "
                              "16 bits, and try the new file.")
    if tags.get(_PHOTOMETRIC) == 0:  # 0 is white; Pillow inverts 8-bit images alone
        values = top - values
    return Image.fromarray((values * (255 / top)).round().astype(np.uint8))


def _apply_profile(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Mode "RGB" of an opaque 8-bit image."""
    if not profile or len(profile) > MAX_PROFILE_BYTES or image.mode == "LAB":
        return image if image.mode == "RGB" else image.convert("RGB")
    if image.mode not in ("L", "RGB", "CMYK"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    space = profile[16:20].decode("latin-1").strip()
    if image.mode == "L" and space == "RGB":
        image = image.convert("RGB")
    transform = _transform(profile, image.mode) if {"GRAY": "L"}.get(space, space) == image.mode else None
    if transform is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    return transform.apply(image)


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Conversion to sRGB; None where the profile is sRGB itself or damaged."""
    probe = _probe(mode)
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB"), mode, "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION)
        result = np.asarray(transform.apply(probe)).astype(int)[0]
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    black, white = result[0], result[-1]
    if white.min() - black.max() < _MIN_CONTRAST:
        return None
    unchanged = mode != "CMYK" and np.abs(result - np.asarray(probe.convert("RGB"))[0]).max() <= SRGB_TOLERANCE
    return None if unchanged else transform


def _probe(mode: str) -> Image.Image:
    """A row of colours from black to white."""
    if mode == "CMYK":
        return Image.fromarray(np.array([[(0, 0, 0, 255), (0, 0, 0, 0)]], np.uint8), "CMYK")
    channels = len(mode) if mode == "RGB" else 1
    grid = np.stack(np.meshgrid(*[_STEPS] * channels, indexing="ij"), -1).reshape(1, -1, channels).astype(np.uint8)
    return Image.fromarray(grid if channels > 1 else grid[..., 0])
