"""How well a turned head is shown from the front: renders of people whom training never sees.

    python -m training.evaluate frontalization --descriptor vladmandic-face-api-1.7.15.tgz --figures figures/

A person with an expression under a light is rendered turned by 15 to 60°, and from the front: the truth. The model gets
the turned image alone. Its answer, decoded and with the photo's detail, stands beside the turned image itself and
beside that image with its hidden half filled with the other, mirrored. Truth and answer are compared where the turned
image shows the surface and where it does not. Faces under four lights tell how much light stays in the albedo.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.errors import ConfigError
from core.export.visualize import to_uint8
from core.geometry.camera import backproject, project, sample, transform
from core.geometry.shading import shade
from core.model.weights import weights_path
from core.pipeline import LatentFace
from core.rendering.compositor import bake_texture
from core.rendering.texture_transfer import texture_from_photo
from core.types import Factors, Light, TensorDataclass, View
from training.data.renders import random_light, sensor_noise
from training.evaluate import plots
from training.evaluate.comparison import Row, show, table, write_report
from training.evaluate.descriptor import Descriptor
from training.evaluate.metrics import erode, light_in_albedo, masked_mean
from training.evaluate.renders import EROSION, NECK_DEPTH
from training.rig.rig import Rig, RigSample

YAW_BANDS = ((15, 30), (30, 45), (45, 60))
"""Degrees of |yaw|; each person is rendered once in each."""
LIGHTS = ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, 0.0))
"""Slopes dx, dy of the lights of one face: from the left, the right, above and the front."""
AMBIENT, DIFFUSE = 0.4, 0.6
SEED = 2
STEP = 3
"""Pixels of an image per pixel of the model. A render of 3 (n − 1) + 1 pixels, its border repeated, is a crop of 3 n
pixels (core.rendering.compositor): every third pixel of the one, and every mean over 3 × 3 of the other, is one of the
model's."""
HIDDEN_BEHIND = 0.003
"""Depth by which a point lies behind the visible surface when it is hidden, camera-distance units (2.4 mm)."""
PART = 16
"""Images that are analyzed and rendered at once."""

NAMES = {"decoded": "codes alone", "fine": "fine stage", "detail": "with detail",
         "nothing": "turned image", "mirror": "mirrored half"}
BANDS = {f"{low}-{high}": (low, high) for low, high in YAW_BANDS}
FIGURES = {"visible": Row("L1 where visible", 4, "low"), "hidden": Row("L1 where hidden", 4, "low"),
           "distance": Row("descriptor distance", 3, "low"), "rank1": Row("rank-1 by descriptor", 2)}
ROWS = {f"front.{key}.{band}": Row(f"yaw {band}°: {row.name}", row.digits, row.better)
        for key, row in FIGURES.items() for band in BANDS} | {
    "albedo.lights": Row("albedo: L1 between lights, one face", 4, "low"),
    "albedo.people": Row("albedo: L1 between faces, one light", 4, "neither"),
    "albedo.ratio": Row("albedo: lights as part of faces", 2, "low"),
}
OTHERS = "front.others"
"""Figure without a column: mean descriptor distance between the true frontal images of different people."""


@dataclass(eq=False)
class Turned(TensorDataclass):
    """B turned heads and what is true of them; crops of N pixels, see `STEP`."""

    image: Tensor
    """(B, 3, N, N), [0, 1]."""
    truth: Tensor
    """(B, 3, N, N) the same head from the front."""
    visible: Tensor
    """(B, N, N) bool, face of `truth` that `image` shows."""
    hidden: Tensor
    """(B, N, N) bool, face of `truth` that it does not."""
    yaw: Tensor
    """(B,) degrees."""


def run(options: Namespace) -> dict:
    """Measure, print the table, write report and sheet.

    Returns:
        What is written with --out: weights, number of people, figures.

    Raises:
        ConfigError: fewer than two people, or the file for --descriptor is another one.
    """
    if options.people < 2:
        raise ConfigError("One face alone has nobody to be compared with: --people 2 or more.")
    descriptor = Descriptor.read(options.descriptor) if options.descriptor else None
    model = LatentFace.from_pretrained(options.weights)
    heads = turned_heads(options.people, model.config.image_size)
    ways = frontalizations(model, heads)
    figures = errors(ways, heads) | (identity(descriptor, ways, heads) if descriptor else {})
    report = {"weights": Path(weights_path(options.weights)).name, "people": options.people,
              "figures": figures | albedo_under_lights(model, options.people)}
    _print(report)
    write_report(report, options)
    if options.figures:
        plots.save(options.figures, {"frontalization": plots.png(sheet(ways, heads))}, options.overwrite)
    return report


def _print(report: dict) -> None:
    figures = report["figures"]
    result = table(ROWS, figures, f"{report['weights']}, {report['people']} people", NAMES)
    if OTHERS in figures:
        result.caption = f"descriptor distance between different people's truths: {figures[OTHERS]['truth']:.3f}"
    show(result)


def turned_heads(people: int, model_size: int) -> Turned:
    """One head a person and band of yaw, person by person; the same numbers make the same heads."""
    rng, generator, size = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED), _render_size(model_size)
    rig, rows = Rig.load(split="heldout"), []
    for _ in range(people):
        person, expression, light = rig.sample_person(rng), rig.sample_expression(rng), random_light(1, generator)
        behind = F.interpolate(torch.rand(1, 3, 4, 4, generator=generator), (size, size), mode="bilinear")
        for low, high in YAW_BANDS:
            yaw, view = rng.choice((-1, 1)) * rng.uniform(low, high), rig.sample_view(rng)
            view[1] = np.radians(yaw)
            render = rig.render(person, expression, view, size)
            image = lit_render(render.albedo, render.normal, render.mask, light, behind)
            truth = lit_render(render.canon_albedo, render.canon_normal, render.canon_mask, light, behind)
            face, seen = _face(render, STEP * EROSION), _seen(render)
            rows.append(Turned(_crop(sensor_noise(image, generator)), _crop(truth), F.pad(face & seen, (1,) * 4),
                               F.pad(face & ~seen, (1,) * 4), torch.tensor([yaw])))
    return Turned.cat(rows)


def _render_size(model_size: int) -> int:
    return STEP * (model_size - 1) + 1


def _crop(image: Tensor) -> Tensor:
    return F.pad(image, (1,) * 4, mode="replicate")


def lit_render(albedo: np.ndarray, normal: np.ndarray, mask: np.ndarray, light: Light, behind: Tensor) -> Tensor:
    """(1, 3, n, n) lit render before a background."""
    head = torch.from_numpy(albedo).movedim(-1, 0)[None] / 255 * shade(torch.from_numpy(normal)[None], light)
    return torch.where(torch.from_numpy(mask), head, behind).clamp(0, 1)


def _face(render: RigSample, erosion: int) -> Tensor:
    """(1, n, n) bool, the face from the front, without neck and rim."""
    return erode(torch.from_numpy(render.canon_mask & (render.canon_depth < NECK_DEPTH))[None], erosion)


def _seen(render: RigSample) -> Tensor:
    """(1, n, n) bool, points of the frontal image that the turned one shows."""
    view = View(*torch.from_numpy(render.view)[None].split((3, 2), 1))
    return seen_points(torch.from_numpy(render.canon_depth)[None], torch.from_numpy(render.depth)[None], view)


def seen_points(canon_depth: Tensor, depth: Tensor, view: View) -> Tensor:
    """(B, H, W) bool, canonical points that a view shows, of depth (B, H, W) in both frames."""
    points, size = transform(backproject(canon_depth), view), depth.shape[-1]
    at = project(points, size)
    nearest = sample(depth[:, None], at)[:, 0]
    return (points[..., 2] < nearest + HIDDEN_BEHIND) & ((at >= 0) & (at <= size - 1)).all(-1)


def _with_factors(model: LatentFace, images: Tensor) -> Iterator[tuple[Factors, Tensor]]:
    """Factors of crops (B, 3, N, N) and the crops, a few at a time."""
    size = (model.fine or model).config.image_size
    return ((model.analyze(F.interpolate(part, (size, size), mode="area")), part) for part in images.split(PART))


def frontalizations(model: LatentFace, heads: Turned) -> dict[str, Tensor]:
    """(B, 3, N, N) frontal images by the ways of `NAMES`."""
    size, decoded, fine, detail = heads.image.shape[-1], [], [], []
    for factors, part in _with_factors(model, heads.image):
        decoded.append(model.render(factors.of_codes, View.of(), size=size))
        fine.append(model.render(factors, View.of(), size=size))
        detail.append(model.render(texture_from_photo(factors, part), View.of(), size=size))
    return {"decoded": torch.cat(decoded), "fine": torch.cat(fine), "detail": torch.cat(detail),
            "nothing": heads.image, "mirror": mirrored(heads.image, heads.yaw)}


def mirrored(images: Tensor, yaw: Tensor) -> Tensor:
    """Images (B, 3, N, N) whose half on the side to which the nose points is the other half, mirrored.

    Args:
        yaw: (B,) positive turns the nose to the image's left, which hides that side.
    """
    left = torch.arange(images.shape[-1]) < images.shape[-1] // 2
    return torch.where(torch.where(yaw[:, None] > 0, left, ~left)[:, None, None], images.flip(-1), images)


def errors(ways: dict[str, Tensor], heads: Turned) -> dict[str, dict[str, float]]:
    """L1 from the truth on what was visible and on what was hidden, per band of yaw."""
    figures: dict[str, dict[str, float]] = {}
    for name, found in ways.items():
        for part, mask in (("visible", heads.visible), ("hidden", heads.hidden)):
            error = _error(found, heads.truth, mask)
            for band, chosen in _bands(heads.yaw):
                figures.setdefault(f"front.{part}.{band}", {})[name] = error[chosen].nanmean().item()
    return figures


def _error(found: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """(B,) mean L1 of images within masks (B, N, N)."""
    return masked_mean((found - truth).abs().mean(1), mask)


def _bands(yaw: Tensor) -> Iterator[tuple[str, Tensor]]:
    return ((name, (yaw.abs() >= low) & (yaw.abs() < high)) for name, (low, high) in BANDS.items())


def identity(descriptor: Descriptor, ways: dict[str, Tensor], heads: Turned) -> dict[str, dict[str, float]]:
    """Distance to the person's true frontal image, and how often no other person's is nearer, per band of yaw.

    The true image has the turned one's light, expression and background: these flatter every way alike.
    """
    def describe(images: Tensor) -> Tensor:
        return torch.cat([descriptor(part) for part in images.split(PART)])

    truths = describe(heads.truth[::len(YAW_BANDS)])
    person = torch.arange(len(heads.yaw)) // len(YAW_BANDS)
    figures: dict[str, dict[str, float]] = {}
    for name, found in ways.items():
        distance = torch.cdist(describe(found), truths)
        own, nearest = distance.gather(1, person[:, None])[:, 0], distance.argmin(1) == person
        for band, chosen in _bands(heads.yaw):
            figures.setdefault(f"front.distance.{band}", {})[name] = own[chosen].mean().item()
            figures.setdefault(f"front.rank1.{band}", {})[name] = nearest[chosen].float().mean().item()
    return figures | {OTHERS: {"truth": torch.pdist(truths).mean().item()}}


def albedo_under_lights(model: LatentFace, people: int) -> dict[str, dict[str, float]]:
    """How much the albedo of a frontal face changes with the light, beside how much it differs between faces.

    All differences are L1 up to gain. The albedo is decoded, or the evenly lit texture that carries the photo's detail
    (core.rendering.compositor.bake_texture), or, for comparison, the image itself.
    """
    images, face = faces_under_lights(people, _render_size(model.config.image_size), STEP * EROSION)
    images, face = _crop(images), face[:, ::STEP, ::STEP]
    decoded, detail = [], []
    for factors, part in _with_factors(model, images):
        decoded.append(factors.of_codes.canon_albedo)
        texture = bake_texture(texture_from_photo(factors, part), _render_size(model.config.image_size))[1]
        detail.append(F.avg_pool2d(texture, STEP, padding=1, count_include_pad=False))
    ways = {"decoded": torch.cat(decoded), "detail": torch.cat(detail), "nothing": F.avg_pool2d(images, STEP)}
    figures: dict[str, dict[str, float]] = {}
    for name, maps in ways.items():
        for key, value in light_in_albedo(maps, face).items():
            figures.setdefault(f"albedo.{key}", {})[name] = value
    return figures


def faces_under_lights(people: int, size: int, erosion: int) -> tuple[Tensor, Tensor]:
    """Images (people · `LIGHTS`, 3, size, size) of frontal faces, and their faces (people, size, size) without a rim.

    Light and background are the only difference between the images of one person.
    """
    rng, generator = np.random.default_rng(SEED), torch.Generator().manual_seed(SEED)
    rig, images, faces = Rig.load(split="heldout"), [], []
    for _ in range(people):
        render = rig.render(rig.sample_person(rng), rig.sample_expression(rng), np.zeros(5, np.float32), size)
        behind = F.interpolate(torch.rand(1, 3, 4, 4, generator=generator), (size, size), mode="bilinear")
        for slope in LIGHTS:
            light = Light.of(AMBIENT, DIFFUSE, *slope)
            images.append(sensor_noise(lit_render(render.albedo, render.normal, render.mask, light, behind), generator))
        faces.append(_face(render, erosion))
    return torch.cat(images), torch.cat(faces)


def sheet(ways: dict[str, Tensor], heads: Turned) -> Image.Image:
    """Best, middle and worst case of each band by the error of the image with detail.

    Columns: turned image, mirrored half, fine stage, with detail, truth, truth with its hidden parts in red.
    """
    error = _error(ways["detail"], heads.truth, heads.visible | heads.hidden)
    red = torch.tensor([1.0, 0.2, 0.2])[:, None, None]
    marked = torch.where(heads.hidden[:, None], 0.5 * heads.truth + 0.5 * red, heads.truth)
    columns = torch.cat([ways["nothing"], ways["mirror"], ways["fine"], ways["detail"], heads.truth, marked], -1)
    rows = []
    for _, chosen in _bands(heads.yaw):
        order = chosen.nonzero()[:, 0][error[chosen].argsort()]
        rows += [columns[order[place]] for place in (0, len(order) // 2, -1)]
    return Image.fromarray(to_uint8(torch.cat(rows, 1)))
