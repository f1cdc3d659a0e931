"""The factors as one equation of images, each of which can be enlarged."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from html import escape

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from app.session.session import Session
from app.widgets.assets import read_script
from app.widgets.compare import COMPARE
from app.widgets.images import color_map, gradient, jpeg_url, overlay_url
from core import Factors
from core.export.report import error_map
from core.export.visualize import CONTOURS, clay, light_ball, normal_to_color, to_uint8, viewer_normals
from core.geometry.filters import blur, upsample
from core.rendering.texture_transfer import face_region

TILE_SIZE, BALL_SIZE = 256, 96
"""Pixels."""
TEMPLATE = """<div class="equation">${value}</div>
<button type="button" class="explain">What am I seeing?</button>"""
ENLARGED = f"""{COMPARE}<div class="words"><h3></h3><output></output><div class="scale"></div><p></p>
<button type="button" class="earlier">Back</button><button type="button" class="later">Next</button>
<button type="button" class="close">Close</button></div>"""
CANONICAL, PHOTO = "canonical", "photo"
"""The two frames: a pixel shows the same place of the face in all tiles of one frame."""


@dataclass(frozen=True)
class Tile:
    """One image of the equation."""

    key: str
    operator: str
    """HTML before the tile; empty for the first of a line."""
    title: str
    caption: str
    explanation: str
    image: np.ndarray
    """(H, W, 3) uint8."""
    scale: tuple[str, str, str] | None = None
    """Name of the color scale and labels of its two ends."""
    frame: str = ""
    """CANONICAL or PHOTO; empty for a tile that belongs to neither."""
    values: Tensor | None = None
    """(C, H, W) values shown under the pointer."""


def equation() -> gr.HTML:
    """The component; `show_equation` fills it. Its property `values` holds the values under the pointer, by tile."""
    return gr.HTML(html_template=TEMPLATE, value="", values={}, elem_id="equation", apply_default_css=False,
                   js_on_load=read_script("equation"))


def enlarged() -> gr.HTML:
    """A tile of the equation over the live render, filled by equation.js."""
    return gr.HTML("", html_template=ENLARGED, elem_id="enlarged", apply_default_css=False, js_on_load=None)


def show_equation(session: Session) -> dict:
    """Update of the component: the equation of a face."""
    face = torch.from_numpy(face_region(session.factors.canon_depth[0].cpu().numpy()))
    lines = {("main", ""): _main(session, face),
             ("shape", "Where the shading comes from"): _shape(session.factors, face),
             ("check", "How reliable it is"): _check(session.factors)}
    values = {tile.key: _packed(tile.values) for tiles in lines.values() for tile in tiles if tile.values is not None}
    style = f'<style>.equation, #enlarged {{ --face: url("{_mask_url(face)}"); }}</style>'
    return gr.update(value=style + "".join(_line(*name, tiles) for name, tiles in lines.items()), values=values)


def _mask_url(face: Tensor) -> str:
    """The face (H, W) and a soft edge around it, for style.css: tiles of the canonical frame show nothing else."""
    soft = blur(upsample(face.float()[None, None], TILE_SIZE), TILE_SIZE / 40)
    return overlay_url((2.5 * soft).clamp(0, 1)[0, 0], 1)


def _packed(maps: Tensor) -> dict:
    """(C, H, W) as 16-bit integers between two ends; equation.js unpacks them."""
    low, high = maps.min().item(), maps.max().item()
    steps = ((maps - low) / max(high - low, 1e-9) * 65535).round().cpu().numpy().astype("<u2")
    return {"shape": list(maps.shape), "low": low, "high": high, "data": base64.b64encode(steps.tobytes()).decode()}


def _main(session: Session, face: Tensor) -> list[Tile]:
    """albedo × shading = canonical → reconstruction ≈ photo."""
    factors = session.factors
    brightest = max(1.0, factors.shading[0, 0][face].max().item())
    return [
        Tile("albedo", "", "Albedo", "the skin’s own color",
             "The color of skin, lips and hair without the effect of light, seen from the front.",
             to_uint8(factors.canon_albedo[0]), frame=CANONICAL, values=factors.canon_albedo[0]),
        Tile("shading", "×", "Shading", "the effect of light",
             "Ambient plus diffuse light times the cosine between surface and light: a + d · max(0, n · l).",
             color_map(factors.shading[0, 0], 0, brightest, "gray"), ("gray", "0", f"{brightest:.1f}"),
             frame=CANONICAL, values=factors.shading[0]),
        Tile("canonical", "=", "Canonical face", "lit, from the front",
             "Albedo times shading, pixel by pixel: the face as it would look straight into the camera.",
             to_uint8(factors.canon_image[0]), frame=CANONICAL, values=factors.canon_image[0]),
        Tile("reconstruction", "→<small>pose</small>", "Reconstruction", "in the photo’s pose",
             "The canonical face, displaced by its depth and turned into the pose of the photo.",
             to_uint8(factors.recon_image[0]), frame=PHOTO, values=factors.recon_image[0]),
        Tile("photo", "≈", "Photo", "the aligned input",
             _seen_at(factors),
             to_uint8(session.face.full), frame=PHOTO, values=factors.image[0]),
    ]


def _seen_at(factors: Factors) -> str:
    """A sentence on the resolutions of the model."""
    coarse, fine = (f"{one.image.shape[-1]} × {one.image.shape[-1]} pixels" for one in (factors.of_codes, factors))
    detail = f", the detail at {fine}" if factors.coarse else ""
    return f"The aligned photo. The codes are found at {coarse}{detail}."


def _shape(factors: Factors, face: Tensor) -> list[Tile]:
    """depth → normals · light."""
    near, far = factors.canon_depth[0][face].quantile(torch.tensor([0.01, 0.99])).tolist()
    return [
        Tile("depth", "", "Depth", "lines of equal depth",
             f"Distance from the camera in the frontal pose: {CONTOURS} lines from {near:.3f} at the nose to "
             f"{far:.3f}, in units of the distance between camera and head. It has no scale in centimetres.",
             to_uint8(clay(factors.canon_depth, factors.canon_normal, near, far, TILE_SIZE)[0]),
             frame=CANONICAL, values=factors.canon_depth),
        Tile("normals", "→", "Normals", "where the surface faces",
             "The direction of the surface at each pixel: red is right, green is up, blue is towards the camera.",
             to_uint8(normal_to_color(factors.canon_normal)[0]),
             frame=CANONICAL, values=viewer_normals(factors.canon_normal)[0]),
        Tile("light", "·", "Light", "on a white ball",
             "The estimated light, shown on a white ball.", to_uint8(light_ball(factors.light, BALL_SIZE)[0])),
    ]


def _check(factors: Factors) -> list[Tile]:
    """Error and confidence."""
    error, confidence = error_map(factors)[0], factors.of_codes.confidence[0]
    return [
        Tile("error", "", "Error", "against the photo",
             "Mean absolute difference between the photo and what the codes alone reconstruct, without the photo’s "
             "detail, on a scale from 0 to 1.",
             color_map(error[0], 0, 0.25, "magma"), ("magma", "0", "0.25"), frame=PHOTO, values=error),
        Tile("confidence", "", "Confidence", "the model’s estimate",
             "1 / (1 + expected error), as the model estimates it. Hair, glasses and background are low.",
             color_map(confidence[0], 0.5, 1, "viridis"), ("viridis", "0.5", "1"),
             frame=PHOTO, values=confidence),
    ]


def _line(name: str, heading: str, tiles: list[Tile]) -> str:
    """HTML of a group of tiles."""
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
            f'<img src="{jpeg_url(tile.image, TILE_SIZE)}" alt="{tile.title}: {escape(tile.caption)}"></button>'
            f'<figcaption><b>{tile.title}</b><span>{escape(tile.caption)}</span></figcaption>'
            f'<div class="scale">{scale}</div></figure>')
