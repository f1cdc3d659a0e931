"""Two photos side by side, factor by factor."""

from __future__ import annotations

import numpy as np

from app.session.session import Session
from app.widgets.images import color_map, jpeg_url
from app.widgets.readout import readout
from core.export.visualize import light_ball, normal_to_color, to_uint8

SIZE = 192
"""Pixels of an image."""


def photo_pair(first: Session, second: Session) -> str:
    """HTML: a row for each photo, a column for each factor; both share every color scale."""
    found = [one.factors for one in (first, second)]
    depths = np.concatenate([one.canon_depth.flatten().cpu().numpy() for one in found])
    near, far = np.quantile(depths, (0.01, 0.9)).tolist()
    brightest = max(1.0, *(one.shading.max().item() for one in found))
    columns = {
        "Photo": [to_uint8(one.face.full) for one in (first, second)],
        "Albedo": [to_uint8(one.canon_albedo[0]) for one in found],
        "Depth": [color_map(-one.canon_depth[0], -far, -near, "viridis") for one in found],
        "Normals": [to_uint8(normal_to_color(one.canon_normal)[0]) for one in found],
        "Shading": [color_map(one.shading[0, 0], 0, brightest, "gray") for one in found],
        "Light": [to_uint8(light_ball(one.light, SIZE)[0]) for one in found],
        "Reconstruction": [to_uint8(one.recon_image[0]) for one in found]}
    cells = {name: [f'<img src="{jpeg_url(image, SIZE)}" alt="{name}">' for image in pair]
             for name, pair in columns.items()} | {"Numbers": [readout(first), readout(second)]}
    lines = [_cells("th", list(cells)), *(_cells("td", list(line)) for line in zip(*cells.values(), strict=True))]
    return f"<table>{''.join(lines)}</table>"


def _cells(tag: str, contents: list[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{content}</{tag}>" for content in contents) + "</tr>"
