"""The factors as one equation of pictures, each of which can be enlarged."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from app.session.session import Session
from app.widgets.compare import COMPARE
from app.widgets.images import coloured, gradient, jpeg_url, pixels
from app.widgets.light import ball
from app.widgets.texts import read_script
from core.export.visualize import normal_colours, viewer_normals
from core.types import Factors

TILE = 256
"""Pixels of a tile's picture."""
TEMPLATE = f"""<div class="equation">${{value}}</div><dialog class="zoom" aria-label="Enlarged picture">
<form method="dialog"><button aria-label="Close">×</button></form>{COMPARE}
<h3></h3><output></output><div class="scale"></div><p></p></dialog>"""
CANONICAL, PHOTO = "canonical", "photo"
"""The two frames of pixels: what lies at one place in one tile lies there in every tile of its frame."""


@dataclass(frozen=True)
class Tile:
    """One picture of the equation."""

    key: str
    operator: str
    """HTML of what stands before it; empty for the first of a line."""
    title: str
    caption: str
    explanation: str
    picture: np.ndarray
    """(H, W, 3) uint8."""
    scale: tuple[str, str, str] | None = None
    """Name of the colour scale and the words at its two ends."""
    frame: str = ""
    """Which pixels it shows; empty where none can be compared."""
    numbers: Tensor | None = None
    """(C, H, W) what is read out under the pointer."""


def equation() -> gr.HTML:
    """The component; `draw` fills it. Its `numbers` are what is read out under the pointer, by the name of a tile."""
    return gr.HTML(html_template=TEMPLATE, value="", numbers={}, elem_id="equation", apply_default_css=False,
                   js_on_load=read_script("equation"))


def draw(session: Session) -> dict:
    """The update that shows the equation of a face."""
    lines = {("main", ""): _main(session), ("shape", "Where the shading comes from"): _shape(session.factors),
             ("check", "How far to trust it"): _check(session.factors)}
    numbers = {tile.key: _packed(tile.numbers) for tiles in lines.values() for tile in tiles if tile.frame}
    return gr.update(value="".join(_line(*name, tiles) for name, tiles in lines.items()), numbers=numbers)


def _packed(maps: Tensor) -> dict:
    """(C, H, W) as 16-bit numbers between two ends, as JavaScript unpacks them."""
    low, high = maps.min().item(), maps.max().item()
    steps = ((maps - low) / max(high - low, 1e-9) * 65535).round().cpu().numpy().astype("<u2")
    return {"shape": list(maps.shape), "low": low, "high": high, "data": base64.b64encode(steps.tobytes()).decode()}


def _main(session: Session) -> list[Tile]:
    """albedo × shading = canonical → reconstruction ≈ photo."""
    factors = session.factors
    brightest = max(1.0, factors.shading.max().item())
    return [
        Tile("albedo", "", "Albedo", "the skin’s own colour",
             "The colour of skin, lips and hair without the light that fell on them, seen from the front.",
             pixels(factors.canon_albedo[0]), frame=CANONICAL, numbers=factors.canon_albedo[0]),
        Tile("shading", "×", "Shading", "what the light adds",
             "Ambient plus diffuse light times the cosine between surface and light: a + d · max(0, n · l).",
             coloured(factors.shading[0, 0], 0, brightest, "grey"), ("grey", "0", f"{brightest:.1f}"),
             frame=CANONICAL, numbers=factors.shading[0]),
        Tile("canonical", "=", "Canonical face", "lit, and seen from the front",
             "Albedo times shading, pixel by pixel: the face as it would look straight into the camera.",
             pixels(factors.canon_image[0]), frame=CANONICAL, numbers=factors.canon_image[0]),
        Tile("reconstruction", "→<small>pose</small>", "Reconstruction", "turned as in the photo",
             "The canonical face, bent along its depth and turned into the pose of the photo.",
             pixels(factors.recon_image[0]), frame=PHOTO, numbers=factors.recon_image[0]),
        Tile("photo", "≈", "Photo", "what is to be explained",
             f"The aligned photo. The model sees it at {factors.image.shape[-1]} × {factors.image.shape[-1]} pixels.",
             pixels(session.face.full), frame=PHOTO, numbers=factors.image[0]),
    ]


def _shape(factors: Factors) -> list[Tile]:
    """depth → normals · light."""
    near, far = factors.canon_depth.flatten().quantile(torch.tensor([0.01, 0.9])).tolist()
    return [
        Tile("depth", "", "Depth", "near is bright",
             "Distance from the camera in the frontal pose. The camera’s own distance is 1; it is a shape, "
             "not a measure in centimetres.",
             coloured(-factors.canon_depth[0], -far, -near, "viridis"), ("viridis", f"{far:.3f}", f"{near:.3f}"),
             frame=CANONICAL, numbers=factors.canon_depth),
        Tile("normals", "→", "Normals", "where the surface faces",
             "The direction of the surface at each pixel: red is right, green is up, blue is towards the camera.",
             pixels(normal_colours(factors.canon_normal)[0]),
             frame=CANONICAL, numbers=viewer_normals(factors.canon_normal)[0]),
        Tile("light", "·", "Light", "on a white ball",
             "The estimated light, as a white ball would show it.", ball(factors.light)),
    ]


def _check(factors: Factors) -> list[Tile]:
    """Error and confidence."""
    error = ((factors.recon_image - factors.image).abs().mean(1) * factors.recon_mask[:, 0])[0]
    confidence = factors.confidence[0, 0]
    return [
        Tile("error", "", "Error", "against the photo",
             "Mean absolute difference of the colours, 1 being from black to white.",
             coloured(error, 0, 0.25, "magma"), ("magma", "0", "0.25"), frame=PHOTO, numbers=error[None]),
        Tile("confidence", "", "Confidence", "the model’s own guess",
             "1 / (1 + expected error), by the model’s own estimate: hair, glasses and background are low.",
             coloured(confidence, 0.5, 1, "viridis"), ("viridis", "0.5", "1"),
             frame=PHOTO, numbers=factors.confidence[0]),
    ]


def _line(name: str, heading: str, tiles: list[Tile]) -> str:
    """HTML of tiles that belong together."""
    return f'<section class="{name}">{heading and f"<h4>{heading}</h4>"}{"".join(map(_figure, tiles))}</section>'


def _figure(tile: Tile) -> str:
    """HTML of one tile and its operator."""
    scale = ""
    if tile.scale:
        name, low, high = tile.scale
        scale = f'<i style="background:{gradient(name)}"></i><span>{low}</span><span>{high}</span>'
    frame = f' data-frame="{tile.frame}"' if tile.frame else ""
    operator = f'<span class="operator" aria-hidden="true">{tile.operator}</span>' if tile.operator else ""
    return (f'<figure class="tile {tile.key}" data-key="{tile.key}"{frame}>{operator}'
            f'<button type="button" title="{escape(tile.explanation)}">'
            f'<img src="{jpeg_url(tile.picture, TILE)}" alt="{tile.title}: {escape(tile.caption)}"></button>'
            f'<figcaption><b>{tile.title}</b><span>{escape(tile.caption)}</span></figcaption>'
            f'<div class="scale">{scale}</div></figure>')
