"""Codes of several images of each of many people: the training data of the representation diffusion model.

Three sources, mixed: rendered people (training.render_pack), folders `person/photo.jpg`, and single photos. Augmented
copies of a single photo stand in for several photos of a person: they differ in light, crop and mirroring, and, where
the rig's expressions are added, in expression.
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
from training.data.renders import EXPRESSION_COUNT, RenderPack, read_shard, shade_and_composite

CHUNK = 250
"""Images made and encoded at once."""
BACKGROUNDS = 1500
"""Photos whose parts are backgrounds of renders."""
RENDERED, PEOPLE, PHOTOS = range(3)
"""Sources of frames."""
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(eq=False)
class Frames(TensorDataclass):
    """Images of people, or the codes of the images."""

    data: Tensor
    """(N, 3, H, W) images in [0, 1], or (N, codes) depth and albedo codes in one row."""
    person: Tensor
    """(N,) person numbers; each single photo counts as a person."""
    photo_id: Tensor
    """(N,) equal for copies of one photo or render."""
    source: Tensor
    """(N,) RENDERED, PEOPLE or PHOTOS."""
    expression: Tensor
    """(N, 57) the rig's expression weights: of renders all, of copies of photos those that were added; NaN: unknown."""


def encode_all(autoencoder: Autoencoder, config: DiffusionTraining) -> Frames:
    """Codes of all frames of all sources, float16, sorted by person.

    Raises:
        ConfigError: a source is missing or empty.
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
    parts, people, photo_ids = [], 0, 0
    for source in sources:
        encoded = Frames.cat([encode(autoencoder, frames) for frames in source])
        encoded.person, encoded.photo_id = encoded.person + people, encoded.photo_id + photo_ids
        people, photo_ids = int(encoded.person.max()) + 1, int(encoded.photo_id.max()) + 1
        parts.append(encoded)
    frames = Frames.cat(parts)
    return frames[frames.person.argsort(stable=True)]


def person_means(rows: Tensor, person: Tensor) -> Tensor:
    """Mean row (P, D) of each of P people, of rows (N, D) and their people (N,), numbered from 0 without gaps."""
    count = person.bincount()[:, None]
    return torch.zeros(len(count), rows.shape[1]).index_add(0, person, rows) / count


@torch.inference_mode()
def encode(autoencoder: Autoencoder, frames: Frames) -> Frames:
    """The frames with codes, float16, in place of images."""
    with autocast(True):
        codes = autoencoder.encode(frames.data.contiguous(memory_format=torch.channels_last))
    return replace(frames, data=codes.pair.rows.half())


def rendered_frames(folder: str, limit: int, lights: int, behind: Tensor,
                    generator: torch.Generator) -> Iterator[Frames]:
    """Renders of a pack, in chunks: each in several lights and before several backgrounds, half of them mirrored.

    Args:
        folder: of the pack.
        limit: number of renders to use, rounded up to chunks; 0: all.
        lights: copies of each render, each with its own light and background.
        behind: (N, 3, H, W) backgrounds, [0, 1].
        generator: source of all randomness.

    Raises:
        ConfigError: no renders in the folder.
    """
    paths, done = sorted(Path(folder).glob("rig_*.npz")), 0
    if not paths:
        raise ConfigError(f"There are no renders in {folder}: run `python -m training.render_pack --out {folder}`.")
    for path in tqdm(paths, desc="renders", leave=False):
        stored = read_shard(path, RenderPack.KEYS)
        for start in range(0, len(stored["view"]), CHUNK):
            part = {key: array[start : start + CHUNK] for key, array in stored.items()}
            person, photo_id = part["person"].long(), torch.arange(len(part["view"])) + done
            for _ in range(lights):
                image = shade_and_composite(part, behind, generator).image
                flip = torch.rand(len(image), 1, generator=generator) < 0.5
                expression = part["expression"].float()
                yield Frames(torch.where(flip[..., None, None], image.flip(-1), image), person, photo_id,
                             torch.full_like(photo_id, RENDERED),
                             torch.where(flip, mirrored_expression(expression), expression))
            done += len(photo_id)
            if limit and done >= limit:
                return


def photo_frames(photos: Tensor, copies: int, generator: torch.Generator, autoencoder: Autoencoder,
                 expressions: AddedExpressions | None) -> Iterator[Frames]:
    """Augmented copies of single photos, in chunks.

    Args:
        photos: (N, 3, 2H, 2W) uint8.
        copies: of each photo.
        generator: source of all randomness.
        autoencoder: predicts depth and pose of the heads, which are turned.
        expressions: to add; None: heads are neither turned nor given an expression.
    """
    for start in tqdm(range(0, len(photos), CHUNK), desc="photos", leave=False):
        part = photos[start : start + CHUNK].float() / 255
        number, size = torch.arange(len(part)) + start, part.shape[-1] // 2
        depth, view = find_heads(autoencoder, part, bf16=True)
        for _ in range(copies):
            image, edit = part, None
            if expressions:
                image, edit = warp_heads(part, depth, view, random_turn(view, generator),
                                         *expressions.draw(len(part), generator))
            copy = augment(image, size, generator, edit)
            added = copy.unmirror_expression(copy.edit.expression) if expressions else _unknown(len(part))
            yield Frames(copy.image, number, number, torch.full_like(number, PHOTOS), added)


def _unknown(count: int) -> Tensor:
    return torch.full((count, EXPRESSION_COUNT), torch.nan)


def people_frames(folder: str, size: int, copies: int, generator: torch.Generator) -> Iterator[Frames]:
    """Augmented copies of the photos `person/photo.jpg` of a folder, photo by photo; those without a face are skipped.

    Args:
        folder: with one folder for each person.
        size: side of the copies, pixels.
        copies: of each photo.
        generator: source of all randomness.

    Raises:
        ConfigError: no photos in the folder.
    """
    from core.faces import find_faces

    paths = [path for path in sorted(Path(folder).glob("*/*")) if path.suffix.lower() in PHOTO_SUFFIXES]
    if not paths:
        raise ConfigError(f"There are no photos in {folder}: it must hold a folder of photos for each person.")
    names = sorted({path.parent.name for path in paths})
    for photo_id, path in enumerate(tqdm(paths, desc="people", leave=False)):
        try:
            full = find_faces(path, size)[0].full
        except FaceNotFound:
            continue
        photo = F.interpolate(full[None], size=(2 * size, 2 * size), mode="area").expand(copies, -1, -1, -1)
        person = torch.full((copies,), names.index(path.parent.name))
        yield Frames(augment(photo, size, generator).image, person, torch.full_like(person, photo_id),
                     torch.full_like(person, PEOPLE), _unknown(copies))
