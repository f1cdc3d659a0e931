"""The same figures by group of people: how even the model is."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.evaluate.measurement import Measurement, Rows

LEAST = 40
"""Photos without which a group, or a yaw band of it, has no figure."""
TONES = ("dark", "brown", "tan", "intermediate", "light", "very light")
TONE_LIMITS = (-30, 10, 28, 41, 55)
"""Degrees of the individual typology angle between them (Chardon 1991)."""


def skin_tone(colours: np.ndarray) -> np.ndarray:
    """Skin tone as the photo shows it, which its light changes.

    Args:
        colors: (N, K, 3) uint8 sRGB of points on the skin.

    Returns:
        (N,) names from `TONES`, by the individual typology angle atan2(L − 50, b) of the points' median color.
    """
    from PIL import Image, ImageCms

    lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    median = np.median(colours, axis=1).round().astype(np.uint8)
    pixels = np.asarray(ImageCms.applyTransform(Image.fromarray(median[None]), lab))[0]
    # Pillow keeps L as 0 … 255, a and b as signed bytes.
    angle = np.degrees(np.arctan2(pixels[:, 0] / 2.55 - 50, pixels[:, 2].view(np.int8)))
    return np.array(TONES)[np.digitize(angle, TONE_LIMITS)]


def by_group(measured: Measurement, figures: Callable[[Rows, int], dict]) -> dict[str, dict[str, dict]]:
    """Figures of every group of `LEAST` photos or more.

    Args:
        measured: with its labels.
        figures: the figures of rows; the second argument is `LEAST`.

    Returns:
        {attribute: {group: {"photos": count, "figures": figures}}}.
    """
    result: dict[str, dict[str, dict]] = {}
    for attribute, labels in measured.labels.items():
        order = TONES if attribute == "skin" else sorted(set(labels.tolist()))
        for group in order:
            member = labels == group
            if member.sum() >= LEAST:
                rows = {key: values[member] for key, values in measured.rows.items()}
                result.setdefault(attribute, {})[str(group)] = {"photos": int(member.sum()),
                                                                "figures": figures(rows, LEAST)}
    return result
