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

from core.display import pixels
from core.faces.detect import locate
from core.pipeline import LatentFace
from core.shading import shade
from core.types import CodePart, Codes, Factors, Light
from training.evaluate.comparison import Row
from training.evaluate.descriptor import Descriptor
from training.evaluate.london import _read
from training.evaluate.metrics import albedo_error, erode, masked_mean, side
from training.evaluate.renders import EROSION, FACE_DEPTH
from training.render_validation import photograph
from training.renders import random_light
from training.rig import EXPRESSIONS, FAR_DEPTH, Rig

PAIRS = 134
"""Pairs of rendered people."""
DONORS = 3
"""Smiles that every held-out person of the London Set gets."""
DISPLAY = 256
"""Side in pixels of the pictures that are looked at; MediaPipe's own networks see no more."""
REACHED = 0.6
"""Part of the donor's smile from which it counts as transferred."""
SHEET_PEOPLE, SHEET_SMILES, SHEET_EXPRESSIONS = 6, 2, ("laugh", "surprise", "anger", "pucker")

NAMES = {"nothing": "doing nothing", "raw": "A + B − mean of codes", "clamped": "swap, codes ≥ 0", "swap": "swap",
         "limit": "the true picture, analysed"}
ROWS = {
    "swap.depth": Row("depth, SIDE ×10⁻²", 3, "low"),
    "swap.albedo": Row("albedo, L1 up to gain", 4, "low"),
    "swap.image": Row("picture, L1", 4, "low"),
    "swap.depth_change": Row("change of depth: error as a part of it", 2, "low"),
    "swap.albedo_change": Row("change of albedo: error as a part of it", 2, "low"),
    "swap.image_change": Row("change of the picture: error as a part of it", 2, "low"),
}
TRANSFER_NAMES = {"nothing": "A's neutral photo", "decoded": "swap, decoded", "full": "swap, full resolution",
                  "limit": "A's own smiling photo"}
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
    mean = Codes.join([own.codes, other.codes]).whole.map(lambda rows: rows.mean(0, keepdim=True))
    raw = own.codes.whole + other.codes.whole - mean
    clamped = swapped.codes.whole.map(lambda rows: rows.clamp(min=0))
    ways = {"nothing": own, "raw": model.decode(_whole(raw), own), "clamped": model.decode(_whole(clamped), own),
            "swap": swapped, "limit": limit}
    return {key: {name: value[key] for name, value in
                  {name: _errors(found, own, before, after) for name, found in ways.items()}.items()} for key in ROWS}


def _whole(part: CodePart) -> Codes:
    return Codes(part.depth, part.albedo)


def _render_pairs(count: int, size: int) -> tuple[dict[str, Tensor], ...]:
    """A before; B, whose expression is wanted; A with B's expression: pictures and truths (count, …)."""
    rig, rng, generator = Rig.load(split="heldout"), np.random.default_rng(0), torch.Generator().manual_seed(0)
    rows: tuple[list, ...] = ([], [], [])
    for _ in range(count):
        (a, b), (mine, theirs), (view, other_view), (light, other_light) = (
            [draw() for _ in range(2)] for draw in (
                lambda: rig.sample_person(rng), lambda: rig.sample_expression(rng), lambda: rig.sample_view(rng),
                lambda: random_light(1, generator)))
        for part, sample, lit in zip(rows, (rig.render(a, mine, view, size), rig.render(b, theirs, other_view, size),
                                            rig.render(a, theirs, view, size)), (light, other_light, light),
                                     strict=True):
            part.append(_truth(sample, lit, generator))
    return tuple({key: torch.stack([row[key] for row in part]) for key in part[0]} for part in rows)


def _truth(sample, light: Light, generator: torch.Generator) -> dict[str, Tensor]:
    """A render as photographed, and the same without background and noise; depth, albedo and masks to compare on."""
    albedo, canon_albedo = (torch.from_numpy(maps).movedim(-1, 0).float() / 255
                            for maps in (sample.albedo, sample.canon_albedo))
    depth, mask = (torch.from_numpy(maps) for maps in (sample.canon_depth.clip(max=FAR_DEPTH), sample.mask))
    face = torch.from_numpy(sample.canon_mask) & (depth < FACE_DEPTH)
    return {"image": torch.from_numpy(photograph(sample, light, generator)).movedim(-1, 0).float() / 255,
            "clean": albedo * shade(torch.from_numpy(sample.normal)[None], light)[0], "depth": depth,
            "albedo": canon_albedo, "mask": erode(mask[None], EROSION)[0], "face": erode(face[None], EROSION)[0]}


def _errors(found: Factors, own: Factors, before: dict, after: dict) -> dict[str, float]:
    """The figures of one way of swapping: against the truth, and of the change against the true change."""
    face, mask = after["face"], after["mask"]
    maps = {"depth": (lambda factors: factors.canon_depth.clamp(max=FAR_DEPTH), "depth", face & before["face"]),
            "albedo": (lambda factors: factors.canon_albedo, "albedo", face & before["face"]),
            "image": (lambda factors: factors.recon_image, "clean", mask & before["mask"])}
    result = {"swap.depth": side(found.canon_depth.clamp(max=FAR_DEPTH), after["depth"], face),
              "swap.albedo": albedo_error(found.canon_albedo, after["albedo"], face),
              "swap.image": _l1(found.recon_image - after["clean"], mask)}
    for name, (read, key, where) in maps.items():
        true, change = after[key] - before[key], read(found) - read(own)
        result[f"swap.{name}_change"] = _l1(change - true, where) / _l1(true, where)
    return result


def _l1(error: Tensor, mask: Tensor) -> float:
    mask = mask[:, None].expand_as(error) if error.dim() == 4 else mask
    return masked_mean(error.abs(), mask).nanmean().item()


def on_london(model: LatentFace, folder: Path, descriptor: Descriptor | None) -> dict[str, dict[str, float]]:
    """How much of a smile arrives on held-out people, and whose face it stays; columns as in TRANSFER_NAMES.

    Without a descriptor only the smile is measured. A picture in which MediaPipe finds no face does not smile.
    """
    photos, people, smiles, heldout = _read(Path(folder), DISPLAY)
    neutral, smiling = photos[~smiles & heldout], photos[smiles & heldout]
    factors = [analyze(model, part) for part in (neutral, smiling)]
    pictures: dict[str, list[Tensor]] = {name: [] for name in TRANSFER_NAMES}
    for turn in range(1, DONORS + 1):
        donor = torch.arange(len(neutral)).roll(-turn)
        swapped = model.swap(factors[0], factors[1][donor])
        pictures["nothing"].append(neutral)
        pictures["decoded"].append(model.render(swapped, size=DISPLAY))
        pictures["full"].append(model.render(swapped, size=DISPLAY, photo=neutral))
        pictures["limit"].append(smiling)
    wanted = torch.cat([smile(smiling).roll(-turn) for turn in range(1, DONORS + 1)])
    result: dict[str, dict[str, float]] = {key: {} for key in TRANSFER_ROWS}
    gallery = descriptor and descriptor(photos[~smiles])
    owner = torch.from_numpy(np.flatnonzero(heldout[~smiles])).repeat(DONORS)
    for name, shown in pictures.items():
        found = smile(torch.cat(shown))
        reached = found >= REACHED * wanted
        result["transfer.smile"][name] = found.mean().item()
        result["transfer.reached"][name] = reached.float().mean().item()
        if descriptor:
            own = torch.cdist(torch.cat([descriptor(part) for part in shown]), gallery).argmin(1) == owner
            result["transfer.own"][name] = own.float().mean().item()
            result["transfer.both"][name] = (own & reached).float().mean().item()
    return {key: values for key, values in result.items() if values}


def analyze(model: LatentFace, photos: Tensor) -> Factors:
    """Factors of aligned photos (B, 3, N, N), N a multiple of the model's size."""
    return model.analyze(F.avg_pool2d(photos, photos.shape[-1] // model.config.image_size).clamp(0, 1))


def smile(photos: Tensor) -> Tensor:
    """(B,) MediaPipe's scores of a smile, the mean of both sides; 0 where it sees no face."""
    scores = []
    for photo in photos:
        found = locate(pixels(photo))
        scores.append(np.mean([found[0].blendshapes[f"mouthSmile{one}"] for one in ("Left", "Right")]) if found else 0)
    return torch.tensor(scores, dtype=torch.float32)


def save_sheets(model: LatentFace, folder: Path, out: Path) -> None:
    """Two sheets, decoded and at full resolution: expressions across (donors on top), identities down."""
    photos, _, smiles, heldout = _read(Path(folder), DISPLAY)
    people = photos[~smiles & heldout][:SHEET_PEOPLE]
    donors = torch.cat([photos[smiles & heldout][-SHEET_SMILES:], _rendered_donors()])
    own, other = analyze(model, people), analyze(model, donors)
    out.mkdir(parents=True, exist_ok=True)
    for name, photo in (("decoded", None), ("full", people)):
        columns = [people]
        for index in range(len(donors)):
            columns.append(model.render(model.swap(own, other[index]), size=DISPLAY, photo=photo))
        head = torch.cat([torch.ones_like(people[0]), *donors], -1)
        body = torch.cat(list(torch.cat(columns, -1)), 1)
        Image.fromarray(pixels(torch.cat([head, body], 1))).save(out / f"swap_{name}.png")


def _rendered_donors() -> Tensor:
    """(4, 3, DISPLAY, DISPLAY) renders of held-out people with a strong expression each."""
    rig, rng, generator = Rig.load(split="heldout"), np.random.default_rng(1), torch.Generator().manual_seed(1)
    light, rows = Light.of(0.6, 0.4, 0, 0.3), []
    for name in SHEET_EXPRESSIONS:
        expression = rig.activations(EXPRESSIONS[name])
        sample = rig.render(rig.sample_person(rng), expression, np.zeros(5, np.float32), DISPLAY)
        rows.append(torch.from_numpy(photograph(sample, light, generator)).movedim(-1, 0).float() / 255)
    return torch.stack(rows)
