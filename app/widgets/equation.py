"""The factors as one equation of pictures, each of which can be enlarged."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr
import numpy as np
import torch

from app.state import Session
from app.widgets.images import coloured, gradient, jpeg_url, pixels
from app.widgets.light import ball
from app.widgets.texts import read_script
from core.display import normal_colours
from core.types import Factors

TILE = 256
"""Pixels of a tile's picture."""
TEMPLATE = """<div class="equation">${value}</div><dialog class="zoom" aria-label="Enlarged picture">
<form method="dialog"><button aria-label="Close">×</button></form>
<img alt=""><h3></h3><div class="scale"></div><p></p></dialog>"""


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


def equation() -> gr.HTML:
    """The component; its value is what `draw` returns."""
    return gr.HTML(html_template=TEMPLATE, value="", elem_id="equation", apply_default_css=False,
                   js_on_load=read_script("equation"))


def draw(session: Session) -> str:
    """The HTML of the equation of the face that is shown."""
    factors = session.factors
    return (_line("main", "", _main(session)) + _line("shape", "Where the shading comes from", _shape(factors))
            + _line("check", "How far to trust it", _check(factors)))


def _main(session: Session) -> list[Tile]:
    """albedo × shading = canonical → reconstruction ≈ photo."""
    factors = session.factors
    brightest = max(1.0, factors.shading.max().item())
    return [
        Tile("albedo", "", "Albedo", "the skin’s own colour",
             "The colour of skin, lips and hair without the light that fell on them, seen from the front.",
             pixels(factors.canon_albedo[0])),
        Tile("shading", "×", "Shading", "what the light adds",
             "Ambient plus diffuse light times the cosine between surface and light: a + d · max(0, n · l).",
             coloured(factors.shading[0, 0], 0, brightest, "grey"), ("grey", "0", f"{brightest:.1f}")),
        Tile("canonical", "=", "Canonical face", "lit, and seen from the front",
             "Albedo times shading, pixel by pixel: the face as it would look straight into the camera.",
             pixels(factors.canon_image[0])),
        Tile("reconstruction", "→<small>pose</small>", "Reconstruction", "turned as in the photo",
             "The canonical face, bent along its depth and turned into the pose of the photo.",
             pixels(factors.recon_image[0])),
        Tile("photo", "≈", "Photo", "what is to be explained",
             f"The aligned photo. The model sees it at {factors.image.shape[-1]} × {factors.image.shape[-1]} pixels.",
             pixels(session.face.full)),
    ]


def _shape(factors: Factors) -> list[Tile]:
    """depth → normals · light."""
    near, far = factors.canon_depth.flatten().quantile(torch.tensor([0.01, 0.9])).tolist()
    return [
        Tile("depth", "", "Depth", "near is bright",
             "Distance from the camera in the frontal pose. The camera’s own distance is 1; it is a shape, "
             "not a measure in centimetres.",
             coloured(-factors.canon_depth[0], -far, -near, "viridis"), ("viridis", f"{far:.3f}", f"{near:.3f}")),
        Tile("normals", "→", "Normals", "where the surface faces",
             "The direction of the surface at each pixel: red is right, green is up, blue is towards the camera.",
             pixels(normal_colours(factors.canon_normal)[0])),
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
             coloured(error, 0, 0.25, "magma"), ("magma", "0", "0.25")),
        Tile("confidence", "", "Confidence", "the model’s own guess",
             "1 / (1 + expected error), by the model’s own estimate: hair, glasses and background are low.",
             coloured(confidence, 0.5, 1, "viridis"), ("viridis", "0.5", "1")),
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
    operator = f'<span class="operator" aria-hidden="true">{tile.operator}</span>' if tile.operator else ""
    return (f'<figure class="tile {tile.key}">{operator}<button type="button" title="{escape(tile.explanation)}">'
            f'<img src="{jpeg_url(tile.picture, TILE)}" alt="{tile.title}: {escape(tile.caption)}"></button>'
            f'<figcaption><b>{tile.title}</b><span>{escape(tile.caption)}</span></figcaption>'
            f'<div class="scale">{scale}</div></figure>')
