"""Two photos side by side, factor by factor."""

from __future__ import annotations

from html import escape

import numpy as np

from app.session.session import Session
from app.widgets.images import color_map, jpeg_url
from app.widgets.readout import readout
from core.export.visualize import light_ball, normal_to_color, to_uint8

SIZE = 192
"""Pixels of an image."""


def photo_pair(first: Session, second: Session) -> str:
    """HTML: a row for each factor, the first photo's and the second's; both share every color scale."""
    found = [one.factors for one in (first, second)]
    depths = np.concatenate([one.canon_depth.flatten().cpu().numpy() for one in found])
    near, far = np.quantile(depths, (0.01, 0.9)).tolist()
    brightest = max(1.0, *(one.shading.max().item() for one in found))
    rows = {
        "Photo": [to_uint8(one.face.full) for one in (first, second)],
        "Albedo": [to_uint8(one.canon_albedo[0]) for one in found],
        "Depth, near is bright": [color_map(-one.canon_depth[0], -far, -near, "viridis") for one in found],
        "Normals": [to_uint8(normal_to_color(one.canon_normal)[0]) for one in found],
        "Shading": [color_map(one.shading[0, 0], 0, brightest, "gray") for one in found],
        "Light": [to_uint8(light_ball(one.light, SIZE)[0]) for one in found],
        "Reconstruction": [to_uint8(one.recon_image[0]) for one in found]}
    cells = {name: [f'<img src="{jpeg_url(image, SIZE)}" alt="{name}">' for image in pair]
             for name, pair in rows.items()} | {"Numbers": [readout(first), readout(second)]}
    return f"<table>{''.join(_row(name, pair) for name, pair in cells.items())}</table>"


def _row(name: str, cells: list[str]) -> str:
    return f"<tr><th>{escape(name)}</th>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
