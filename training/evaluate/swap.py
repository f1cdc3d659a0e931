"""Does a swap show that person with that expression?

On renders the answer is known: the rig draws the person with the other's expression. On the London Set a neutral face
gets the smile of somebody else; MediaPipe says how much of it arrives, and a recognition network that this project did
not train (training.evaluate.descriptor) whose face it still is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.export.visualize import to_uint8
from core.faces.detect import locate
from core.geometry.shading import shade
from core.model import code_ops
from core.pipeline import LatentFace
from core.rendering.texture_transfer import texture_from_photo
from core.types import CodePair, Codes, Factors, Light
from training.data.renders import random_light
from training.evaluate.comparison import Row
from training.evaluate.descriptor import Descriptor
from training.evaluate.london import read
from training.evaluate.metrics import albedo_error, erode, masked_mean, side
from training.evaluate.plots import png
from training.evaluate.renders import EROSION, NECK_DEPTH
from training.render_validation import render_image
from training.rig.rig import EXPRESSIONS, FAR_DEPTH, Rig, RigSample

PAIRS = 134
"""Pairs of rendered people."""
DONORS = 3
"""Smiles that every held-out person of the London Set gets."""
DISPLAY = 256
"""Side in pixels of the images that are looked at; MediaPipe's own networks see no more."""
PART = 6
"""Faces that are drawn at once: one at full detail takes 50 MB."""
REACHED = 0.6
"""Part of the donor's smile from which it counts as transferred."""
SHEET_PEOPLE, SHEET_SMILES, SHEET_EXPRESSIONS = 6, 2, ("laugh", "surprise", "anger", "pucker")

NAMES = {"nothing": "doing nothing", "raw": "A + B − mean of codes", "plain": "identity of A + expression of B",
         "plain_unclamped": "the same, not clamped", "swap": "swap", "swap_unclamped": "swap, not clamped",
         "limit": "the true render, analyzed"}
ROWS = {
    "swap.depth": Row("depth, SIDE ×10⁻²", 3, "low"),
    "swap.albedo": Row("albedo, L1 up to gain", 4, "low"),
    "swap.image": Row("image, L1", 4, "low"),
    "swap.depth_change": Row("change of depth: error as a part of it", 2, "low"),
    "swap.albedo_change": Row("change of albedo: error as a part of it", 2, "low"),
    "swap.image_change": Row("change of the image: error as a part of it", 2, "low"),
}
TRANSFER_NAMES = {"nothing": "A's neutral photo", "codes": "swap, codes alone", "decoded": "swap, decoded",
                  "full": "swap, full resolution", "limit": "A's own smiling photo"}
TRANSFER_ROWS = {
    "transfer.smile": Row("smile, MediaPipe's score"),
    "transfer.reached": Row(f"reaches {REACHED:.0%} of the donor's smile, share of pairs"),
    "transfer.own": Row("nearest neutral photo is A's, share of pairs"),
    "transfer.both": Row("both, share of pairs"),
}


def on_renders(model: LatentFace, pairs: int = PAIRS) -> dict[str, dict[str, float]]:
    """Error of the swap on renders of held-out people, and of what it has to beat; columns as in NAMES."""
    before, donor, after = _render_pairs(pairs, model.config.image_size)
    own, other, limit = (model.analyze(truth["image"]) for truth in (before, donor, after))
    swapped = model.swap(own, other)
    mean = CodePair.cat([own.codes.pair, other.codes.pair]).apply(lambda rows: rows.mean(0, keepdim=True))
    raw = Codes.of(own.codes.pair + other.codes.pair - mean)
    plain = code_ops.swap_parts(model.split(own.codes), model.split(other.codes))
    ways = {"nothing": own, "raw": model.decode(raw, own), "plain": model.decode(plain, own), "swap": swapped,
            "limit": limit}
    ways |= {f"{name}_unclamped": _unclamped(model, ways[name]) for name in ("plain", "swap")}
    errors = {name: _errors(found, own, before, after) for name, found in ways.items()}
    return {key: {name: values[key] for name, values in errors.items()} for key in ROWS}


def _unclamped(model: LatentFace, found: Factors) -> Factors:
    """The same codes, decoded with what their depth codes have below 0."""
    autoencoder = model.autoencoder
    depth = autoencoder.decode_raw_depth(autoencoder.depth_basis.decode(found.codes.depth_code))
    return autoencoder.render(found.image, found.codes, depth, found.canon_albedo, found.light, found.view,
                              found.confidence)


def _render_pairs(count: int, size: int) -> tuple[dict[str, Tensor], ...]:
    """A before; B, whose expression is wanted; A with B's expression: images and truths (count, …)."""
    rig, rng, generator = Rig.load(split="heldout"), np.random.default_rng(0), torch.Generator().manual_seed(0)
    rows: tuple[list, ...] = ([], [], [])
    for _ in range(count):
        a, b = rig.sample_person(rng), rig.sample_person(rng)
        mine, theirs = rig.sample_expression(rng), rig.sample_expression(rng)
        view, other_view = rig.sample_view(rng), rig.sample_view(rng)
        light, other_light = random_light(1, generator), random_light(1, generator)
        renders = ((rig.render(a, mine, view, size), light), (rig.render(b, theirs, other_view, size), other_light),
                   (rig.render(a, theirs, view, size), light))
        for part, render in zip(rows, renders, strict=True):
            part.append(_truth(*render, generator))
    return tuple({key: torch.stack([row[key] for row in part]) for key in part[0]} for part in rows)


def _truth(sample: RigSample, light: Light, generator: torch.Generator) -> dict[str, Tensor]:
    """A render with and without background and noise; depth, albedo and masks to compare on."""
    depth, mask = (torch.from_numpy(maps) for maps in (sample.canon_depth.clip(max=FAR_DEPTH), sample.mask))
    face = torch.from_numpy(sample.canon_mask) & (depth < NECK_DEPTH)
    return {"image": _colors(render_image(sample, light, generator)), "clean": _lit(sample, light), "depth": depth,
            "albedo": _colors(sample.canon_albedo), "mask": erode(mask[None], EROSION)[0],
            "face": erode(face[None], EROSION)[0]}


def _lit(sample: RigSample, light: Light) -> Tensor:
    """(3, n, n) render under a light, black beside the head."""
    return (_colors(sample.albedo) * shade(torch.from_numpy(sample.normal)[None], light)[0]).clamp(max=1)


def _colors(image: np.ndarray) -> Tensor:
    """(n, n, 3) uint8 to (3, n, n) in [0, 1]."""
    return torch.from_numpy(image).movedim(-1, 0).float() / 255


def _errors(found: Factors, own: Factors, before: dict, after: dict) -> dict[str, float]:
    """The figures of one way of swapping: against the truth, and of the change against the true change."""
    face, mask = after["face"], after["mask"]
    maps = {"depth": (lambda factors: factors.canon_depth.clamp(max=FAR_DEPTH), "depth", face & before["face"]),
            "albedo": (lambda factors: factors.canon_albedo, "albedo", face & before["face"]),
            "image": (lambda factors: factors.recon_image, "clean", mask & before["mask"])}
    result = {"swap.depth": side(found.canon_depth.clamp(max=FAR_DEPTH), after["depth"], face),
              "swap.albedo": albedo_error(found.canon_albedo, after["albedo"], face),
              "swap.image": _l1(found.recon_image - after["clean"], mask)}
    for name, (pick, key, where) in maps.items():
        true, change = after[key] - before[key], pick(found) - pick(own)
        result[f"swap.{name}_change"] = _l1(change - true, where) / _l1(true, where)
    return result


def _l1(error: Tensor, mask: Tensor) -> float:
    mask = mask[:, None].expand_as(error) if error.dim() == 4 else mask
    return masked_mean(error.abs(), mask).nanmean().item()


def on_london(model: LatentFace, folder: Path, descriptor: Descriptor | None) -> dict[str, dict[str, float]]:
    """How much of a smile arrives on held-out people, and whose face it stays; columns as in TRANSFER_NAMES.

    Without a descriptor only the smile is measured. A photo in which MediaPipe finds no face does not smile.
    """
    photos, _, smiles, heldout = read(Path(folder), DISPLAY)
    own, other = _neutral_and_smiling(photos, smiles, heldout)
    gallery = descriptor(photos[torch.from_numpy(~smiles)]) if descriptor else None
    owner, images = torch.from_numpy(np.flatnonzero(heldout[~smiles])), {"nothing": [own], "limit": [other]}
    for turn in range(1, DONORS + 1):
        for name, swapped in swaps(model, own, other.roll(-turn, 0)).items():
            images.setdefault(name, []).append(swapped)
    wanted = [REACHED * smile(other).roll(-turn) for turn in range(1, DONORS + 1)]

    result: dict[str, dict[str, float]] = {key: {} for key in TRANSFER_ROWS}
    for name, parts in images.items():
        # What does not depend on the donor is looked at once.
        found = [smile(part) for part in parts] * (DONORS // len(parts))
        reached = torch.cat(found) >= torch.cat(wanted)
        result["transfer.smile"][name] = torch.cat(found).mean().item()
        result["transfer.reached"][name] = reached.float().mean().item()
        if descriptor and gallery is not None:
            nearest = [torch.cdist(descriptor(part), gallery).argmin(1) for part in parts] * (DONORS // len(parts))
            kept = torch.cat([found == owner for found in nearest])
            result["transfer.own"][name] = kept.float().mean().item()
            result["transfer.both"][name] = (kept & reached).float().mean().item()
    return {key: values for key, values in result.items() if values}


def _neutral_and_smiling(photos: Tensor, smiles: np.ndarray, heldout: np.ndarray) -> tuple[Tensor, Tensor]:
    """Photos of the held-out people, in the same order: neutral and smiling ones."""
    return photos[torch.from_numpy(~smiles & heldout)], photos[torch.from_numpy(smiles & heldout)]


def swaps(model: LatentFace, own: Tensor, other: Tensor) -> dict[str, Tensor]:
    """Faces with the expressions of others, (B, 3, N, N) aligned photos each.

    Decoded from the codes alone, with the fine stage's detail, and at full resolution.
    """
    codes, decoded, full = [], [], []
    size = (model.fine or model).config.image_size
    for photos in zip(own.split(PART), other.split(PART), strict=True):
        mine, theirs = (model.analyze(_shrunk(part, size)) for part in photos)
        codes.append(model.render(model.swap(mine.of_codes, theirs), size=DISPLAY))
        decoded.append(model.render(model.swap(mine, theirs), size=DISPLAY))
        face, donor = (texture_from_photo(factors, part, landmarks(part)) for factors, part in
                       zip((mine, theirs), photos, strict=True))
        full.append(model.render(model.reenact(face, donor), size=DISPLAY))
    return {"codes": torch.cat(codes), "decoded": torch.cat(decoded), "full": torch.cat(full)}


def _shrunk(photos: Tensor, size: int) -> Tensor:
    return F.avg_pool2d(photos, photos.shape[-1] // size).clamp(0, 1)


def landmarks(photos: Tensor) -> Tensor | None:
    """(B, 478, 3) MediaPipe's, in the photos' pixels; None where it misses a face."""
    found = [locate(to_uint8(photo)) for photo in photos]
    return torch.from_numpy(np.stack([one[0].landmarks for one in found])).float() if all(found) else None


def smile(photos: Tensor) -> Tensor:
    """(B,) MediaPipe's scores of a smile, the mean of both sides; 0 where it sees no face."""
    scores = []
    for photo in photos:
        found = locate(to_uint8(photo))
        scores.append(np.mean([found[0].blendshapes[f"mouthSmile{one}"] for one in ("Left", "Right")]) if found else 0)
    return torch.tensor(scores, dtype=torch.float32)


def sheets(model: LatentFace, folder: Path) -> dict[str, bytes]:
    """Two sheets as PNG, decoded and at full resolution: expressions across (donors on top), identities down."""
    photos, _, smiles, heldout = read(Path(folder), DISPLAY)
    neutral, smiling = _neutral_and_smiling(photos, smiles, heldout)
    people, donors = neutral[:SHEET_PEOPLE], torch.cat([smiling[-SHEET_SMILES:], _rendered_donors()])
    found = swaps(model, people.repeat_interleave(len(donors), 0), donors.repeat(len(people), 1, 1, 1))
    result = {}
    for name, images in found.items():
        rows = [torch.cat([torch.ones_like(people[0]), *donors], -1)]
        rows += [torch.cat([person, *row], -1) for person, row in zip(people, images.split(len(donors)), strict=True)]
        result[f"swap_{name}"] = png(Image.fromarray(to_uint8(torch.cat(rows, 1))))
    return result


def _rendered_donors() -> Tensor:
    """(4, 3, DISPLAY, DISPLAY) renders of held-out people with a strong expression each, before light grey."""
    rig, rng, light = Rig.load(split="heldout"), np.random.default_rng(1), Light.of(0.6, 0.4, 0, 0.3)
    rows = []
    for name in SHEET_EXPRESSIONS:
        expression = rig.activations(EXPRESSIONS[name])
        sample = rig.render(rig.sample_person(rng), expression, np.zeros(5, np.float32), DISPLAY)
        rows.append(torch.where(torch.from_numpy(sample.mask), _lit(sample, light), 0.85))
    return torch.stack(rows)
