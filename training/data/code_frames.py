"""Codes of several pictures of each of many people: what the representation diffusion model learns from.

Three sources, mixed: rendered people (training.render_pack), folders `person/frame.jpg`, and single photos, whose
changed copies are a weak sequence: they say what light, crop and side do and, given expressions of the rig, what these
do.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from core.errors import ConfigError, FaceNotFound
from core.model.autoencoder import Autoencoder, autocast
from core.types import TensorDataclass
from training.config import DiffusionTraining
from training.data.augment import augment, find_heads, random_turn, warp_heads
from training.data.expression_motion import AddedExpressions, mirrored_expression
from training.data.face_pack import FacePack
from training.data.renders import EXPRESSIONS, RenderPack, photograph, read_shard

CHUNK = 250
"""Pictures made and encoded at once."""
BACKGROUNDS = 1500
"""Photos of which parts stand behind rendered heads."""
RENDERED, PEOPLE, PHOTOS = range(3)
"""Sources."""
PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(eq=False)
class Frames(TensorDataclass):
    """Pictures, or their codes, with whose they are."""

    data: Tensor
    """(N, 3, H, W) pictures in [0, 1], or (N, 2, code) depth and albedo codes."""
    person: Tensor
    """(N,) equal for frames of one person."""
    take: Tensor
    """(N,) equal for copies of one picture."""
    source: Tensor
    """(N,) RENDERED, PEOPLE or PHOTOS."""
    expression: Tensor
    """(N, 57) the rig's expression weights; of photos those that the copy was given; NaN where nothing is known."""


def encode_all(autoencoder: Autoencoder, config: DiffusionTraining) -> Frames:
    """Codes of all frames of all sources, float16, one person after the other.

    Raises:
        ConfigError: a source is not there, or is empty.
    """
    generator, size = torch.Generator().manual_seed(config.seed), autoencoder.config.image_size
    photos = FacePack(config.photos, size=2 * size, limit=config.photo_limit or None).images
    behind = F.avg_pool2d(photos[:BACKGROUNDS].float() / 255, 2)
    expressions = AddedExpressions(size) if config.renders else None
    sources = [photo_frames(photos, config.copies, generator, autoencoder, expressions)]
    if config.renders:
        sources.append(rendered_frames(config.renders, config.render_limit, config.lights, behind, generator))
    if config.people:
        sources.append(people_frames(config.people, size, config.copies, generator))
    parts, people, takes = [], 0, 0
    for source in sources:
        found = Frames.cat([encode(autoencoder, frames) for frames in source])
        found.person, found.take = found.person + people, found.take + takes
        people, takes = int(found.person.max()) + 1, int(found.take.max()) + 1
        parts.append(found)
    frames = Frames.cat(parts)
    return frames[frames.person.argsort(stable=True)]


def person_means(rows: Tensor, person: Tensor) -> Tensor:
    """(P, D) mean row of each person, of rows (N, D) of people (N,) numbered from 0 without gaps."""
    count = person.bincount()[:, None]
    return torch.zeros(len(count), rows.shape[1]).index_add(0, person, rows) / count


@torch.inference_mode()
def encode(autoencoder: Autoencoder, frames: Frames) -> Frames:
    """Codes in place of pictures."""
    with autocast(True):
        codes = autoencoder.encode(frames.data.contiguous(memory_format=torch.channels_last))
    return replace(frames, data=torch.stack([codes.depth_code, codes.albedo_code], 1).half())


def rendered_frames(folder: str, limit: int, lights: int, behind: Tensor,
                    generator: torch.Generator) -> Iterator[Frames]:
    """Renders of a pack, shard by shard, each in several lights, before several photos, mirrored or not."""
    paths, seen = sorted(Path(folder).glob("rig_*.npz")), 0
    if not paths:
        raise ConfigError(f"There are no renders in {folder}: run `python -m training.render_pack --out {folder}`.")
    for path in tqdm(paths, desc="renders", leave=False):
        stored = read_shard(path, RenderPack.KEYS)
        for start in range(0, len(stored["view"]), CHUNK):
            part = {key: array[start : start + CHUNK] for key, array in stored.items()}
            person, take = part["person"].long(), torch.arange(len(part["view"])) + seen
            for _ in range(lights):
                image = photograph(part, behind, generator).image
                flip = torch.rand(len(image), 1, generator=generator) < 0.5
                expression = part["expression"].float()
                yield Frames(torch.where(flip[..., None, None], image.flip(-1), image), person, take,
                             torch.full_like(take, RENDERED),
                             torch.where(flip, mirrored_expression(expression), expression))
            seen += len(take)
            if limit and seen >= limit:
                return


def photo_frames(photos: Tensor, copies: int, generator: torch.Generator, autoencoder: Autoencoder,
                 expressions: AddedExpressions | None) -> Iterator[Frames]:
    """Changed copies of single photos (N, 3, 2H, 2W) uint8, turned and given `expressions` if there are any."""
    for start in tqdm(range(0, len(photos), CHUNK), desc="photos", leave=False):
        part = photos[start : start + CHUNK].float() / 255
        number, size = torch.arange(len(part)) + start, part.shape[-1] // 2
        depth, view = find_heads(autoencoder, part, bf16=True)
        for _ in range(copies):
            image, moves = part, None
            if expressions:
                image, moves = warp_heads(part, depth, view, random_turn(view, generator),
                                          *expressions.draw(len(part), generator))
            copy = augment(image, size, generator, moves)
            given = copy.unmirror_expression(copy.moves.expression) if expressions else _unknown(len(part))
            yield Frames(copy.image, number, number, torch.full_like(number, PHOTOS), given)


def _unknown(count: int) -> Tensor:
    return torch.full((count, EXPRESSIONS), torch.nan)


def people_frames(folder: str, size: int, copies: int, generator: torch.Generator) -> Iterator[Frames]:
    """Changed copies of the photos of folders `person/frame.jpg`; photos without a face are left out."""
    from core.faces import find_faces

    paths = [path for path in sorted(Path(folder).glob("*/*")) if path.suffix.lower() in PICTURES]
    names, take = sorted({path.parent.name for path in paths}), -1
    for take, path in enumerate(tqdm(paths, desc="people", leave=False)):
        try:
            full = find_faces(path, size)[0].full
        except FaceNotFound:
            continue
        photo = F.interpolate(full[None], size=(2 * size, 2 * size), mode="area").expand(copies, -1, -1, -1)
        person = torch.full((copies,), names.index(path.parent.name))
        yield Frames(augment(photo, size, generator).image, person, torch.full_like(person, take),
                     torch.full_like(person, PEOPLE), _unknown(copies))
    if take < 0:
        raise ConfigError(f"There are no photos in {folder}: it must hold a folder of pictures for each person.")
