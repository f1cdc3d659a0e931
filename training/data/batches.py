"""Batches of both trainings. A batch depends on seed and number alone, so that a resumed run gets the same ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from core.types import View
from training.config import AutoencoderTraining, DiffusionTraining
from training.data.augment import HeadEdit, PhotoBatch, augment, random_turn, warp_heads
from training.data.code_frames import PHOTOS, Frames
from training.data.expression_motion import AddedExpressions
from training.data.face_pack import FacePack
from training.data.renders import RenderBatch, RenderPack

FIRST_COPY_STRENGTH = 0.25
"""Strength of the augmentation of the first copy of each photo: it stays near the photo, as photos are at inference."""
EIGENFACES = 8000
"""Number of photos, and of albedos of renders, whose principal components initialize the albedo decoder."""
SEED_STRIDE = 10_000_019
"""Distance between the seeds of batch 0 of two trainings whose `seed` differs by 1."""

Teacher = Callable[[Tensor], tuple[Tensor, View]]
"""Predicts canonical depth (B, H, W) and pose of aligned images (B, 3, N, N)."""


class Batch(NamedTuple):
    """One batch of the autoencoder's training: the arguments of `Objective.forward`."""

    photos: PhotoBatch
    renders: RenderBatch | None
    seed: int

    def examples(self) -> Tensor:
        """The first six images of the photos, and of the renders where there are any."""
        return torch.cat([part.image[:6] for part in (self.photos, self.renders) if part is not None])


class HeldOut(NamedTuple):
    """Photos (B, 3, H, W) and renders that are never trained on; None where there are none."""

    photos: Tensor | None
    renders: RenderBatch | None


class Batches:
    """Photos in pairs of augmented copies, and renders in pairs of one person."""

    def __init__(self, config: AutoencoderTraining):
        self.config, self.size = config, config.model.image_size
        # Twice the model's size: rotating and then shrinking keeps the detail.
        self.pack = FacePack(config.photos, size=2 * self.size, limit=config.limit or None)
        self.trained = len(self.pack) - min(config.held_out, len(self.pack) // 8)
        self.render_pack = expressions = None
        if config.renders:
            self.render_pack = RenderPack(config.renders, self.size, held_out=config.held_out)
            expressions = AddedExpressions(self.size)
        self.expressions = expressions

    def draw(self, number: int, teacher: Teacher) -> Batch:
        """Batch `number`, on the training's device.

        In the second copy of each photo the head is turned and, beside renders, given another expression, on the
        surface that `teacher` predicts. So both changes are known; nothing else in photos says how large a turn or a
        smile is.
        """
        device, seed = self.config.device, self.config.seed * SEED_STRIDE + number
        generator = torch.Generator().manual_seed(seed)
        photos = self._pairs((self.config.batch - self.config.rendered) // 2, teacher, generator)
        renders = None
        if self.render_pack and self.config.rendered:
            behind = augment(self._photos(self.config.rendered // 2, generator), self.size, generator).image
            renders = self.render_pack.draw(self.config.rendered, behind, generator).to(device)
        return Batch(photos.to(device), renders, seed)

    def _pairs(self, count: int, teacher: Teacher, generator: torch.Generator) -> PhotoBatch:
        """Two augmented copies of each of `count` photos."""
        device = self.config.device
        images = self._photos(count, generator).to(device)
        depth, view = teacher(images)
        turn = random_turn(view, generator)
        unchanged = HeadEdit.none(count, self.size)
        expression, motion = unchanged.expression, torch.zeros(count, 3, self.size, self.size)
        if self.expressions:
            expression, motion = self.expressions.draw(count, generator)
        warped, edit = warp_heads(images, depth, view, turn.to(device), expression.to(device), motion.to(device))
        strength = torch.ones(2 * count)
        strength[:count] = FIRST_COPY_STRENGTH
        return augment(torch.cat([images, warped]).cpu(), self.size, generator,
                       HeadEdit.cat([unchanged, edit.to("cpu")]), strength)

    def _photos(self, count: int, generator: torch.Generator) -> Tensor:
        """Random training photos (count, 3, N, N)."""
        return self.pack[torch.randint(self.trained, (count,), generator=generator)]

    def faces(self) -> Tensor:
        """(N, 3, H, W) training photos without augmentation, and albedos of renders."""
        photos = self.photos()
        return photos if self.render_pack is None else torch.cat([photos, self.render_pack.albedos(EIGENFACES)])

    def photos(self) -> Tensor:
        """(N, 3, H, W) training photos without augmentation, the first of them."""
        return self._shrink(self.pack[: min(EIGENFACES, self.trained)])

    def held_out(self) -> HeldOut:
        """At most `config.held_out` photos and as many renders, the same at every call, on the training's device."""
        photos = renders = None
        if self.trained < len(self.pack):
            photos = self._shrink(self.pack[self.trained :])
            if self.render_pack:
                generator = torch.Generator().manual_seed(0)
                renders = self.render_pack.held_out(self.config.held_out, photos, generator)
        device = self.config.device
        return HeldOut(None if photos is None else photos.to(device), renders and renders.to(device))

    def _shrink(self, photos: Tensor) -> Tensor:
        return F.interpolate(photos, (self.size, self.size), mode="area")


class CodeBatch(NamedTuple):
    """One batch of the diffusion model's training: the last arguments of `denoising_loss`."""

    codes: Tensor
    """(B, codes) depth and albedo codes in one row."""
    targets: Tensor
    """(B, codes) time-invariant codes."""
    noise: Tensor
    """(B, 2, identity) standard normal."""
    timesteps: Tensor
    """(B,)."""


class CodeBatches:
    """Codes with their time-invariant codes."""

    def __init__(self, frames: Frames, config: DiffusionTraining):
        self.config = config
        self.codes, self.targets = frames.data.float(), time_invariant(frames)
        held_out = held_out_people(frames.person, config.held_out)
        self.trained_rows, self.held_out_rows = torch.where(~held_out)[0], torch.where(held_out)[0]
        single = frames.source[self.trained_rows] == PHOTOS
        share = config.photos_share if single.any() and not single.all() else float(single.all())
        singles = round(config.batch * share)
        self.parts = [(self.trained_rows[rows], count)
                      for rows, count in ((~single, config.batch - singles), (single, singles)) if count]

    def draw(self, step: int) -> CodeBatch:
        """Batch of a step."""
        generator = torch.Generator().manual_seed(self.config.seed * SEED_STRIDE + step)
        rows = torch.cat([rows[torch.randint(len(rows), (count,), generator=generator)] for rows, count in self.parts])
        return self._batch(rows, generator)

    def held_out(self) -> CodeBatch | None:
        """All codes of the people who are never trained on, the same at every call; None where there are none."""
        if not len(self.held_out_rows):
            return None
        return self._batch(self.held_out_rows, torch.Generator().manual_seed(0))

    def _batch(self, rows: Tensor, generator: torch.Generator) -> CodeBatch:
        config = self.config.model
        timesteps = torch.randint(config.num_train_timesteps, (len(rows),), generator=generator)
        noise = torch.randn(len(rows), 2, config.identity_size, generator=generator)
        return CodeBatch(self.codes[rows], self.targets[rows], noise, timesteps)


def held_out_people(person: Tensor, count: int) -> Tensor:
    """Mask (N,) of frames of people that are kept for validation: about `count`, evenly spaced, at most an eighth.

    Args:
        person: (N,) person numbers of frames.
        count: number of people; 0: none.
    """
    people = person.unique()
    if not count:
        return torch.zeros_like(person, dtype=torch.bool)
    stride = max(8, len(people) // count)
    return torch.isin(person, people[stride - 1 :: stride])


def time_invariant(frames: Frames) -> Tensor:
    """Time-invariant codes of each frame (N, codes): mean code of the person's other photos (paper section 3.2).

    The frame's own photo is left out: its expression, which is to be removed, would be part of the mean. A copy of a
    single photo has the other copies instead.
    """
    codes = frames.data.float()

    def sums(groups: Tensor) -> tuple[Tensor, Tensor]:
        """Sum of the codes of each frame's group (N, codes), and the group's size (N, 1)."""
        _, groups = groups.unique(return_inverse=True)
        total = torch.zeros(int(groups.max()) + 1, *codes.shape[1:]).index_add(0, groups, codes)
        return total[groups], groups.bincount()[groups][:, None]

    (person, frames_of_person), (photo, copies) = sums(frames.person), sums(frames.photo_id)
    single = frames_of_person == copies
    others = frames_of_person - torch.where(single, 1, copies)
    return (person - torch.where(single, codes, photo)) / others.clamp(min=1)
