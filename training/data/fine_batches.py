"""Batches for the fine stage: photos and renders at its resolution, each face under two lamps.

Shards of renders are mapped, not read: 12,000 of 128 px take 5 GB.
"""

from __future__ import annotations

import math
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.config import FineConfig
from core.errors import ConfigError
from core.geometry.camera import FIELD_OF_VIEW, canonical_pixels, crop_grid, crop_tangent, rotation_matrix, sample
from core.geometry.filters import upsample
from core.geometry.shading import shade
from core.model.autoencoder import MIN_SHADING, Autoencoder, autocast
from core.types import Factors, Light, TensorDataclass, View
from training.config import FineTraining
from training.data.face_pack import FacePack
from training.data.renders import (
    RenderPack,
    _canon_depth,
    _second_light,
    _shading,
    color_jitter,
    composite_accessories,
    occlude,
    random_background,
    random_light,
    sensor_noise,
    uniform,
)
from training.rig.rasterizer import LAYERS

RELIGHT = 0.5, 1.7
"""Least and most that relighting multiplies a photo's pixel with."""
HIGHLIGHT_ODDS, HIGHLIGHT = 0.6, 0.4
"""How many renders shine, and how much at most."""
UNEVEN = 0.12
"""Spread of the logarithm of light that no lamp explains: shadows, windows, lamps near by."""


@dataclass(eq=False)
class Known(TensorDataclass):
    """What is true of B renders; canonical maps as `training.data.renders.Renders` has them."""

    bare: Tensor
    """(B, 1, H, W) share of bare head in the image."""
    canon_depth: Tensor
    """(B, H, W)."""
    canon_mask: Tensor
    """(B, 1, H, W)."""
    canon_bare: Tensor
    """(B, 1, H, W)."""
    canon_albedo: Tensor
    """(B, 3, H, W), [0, 1]."""


@dataclass(eq=False)
class FineBatch(TensorDataclass):
    """4 Q images: Q photos, their Q relit copies, Q renders, the same Q renders under another lamp."""

    photo: Tensor
    """(4 Q, 3, H, W), [0, 1], crops."""
    coarse: Factors
    """Of the frozen autoencoder. A relit copy has the geometry and pose of its photo."""
    kept: Tensor
    """(4 Q, 1, H, W) 0 on canonical points of which the photo is taken away, else 1."""
    known: Known
    """Of the 2 Q renders."""


class MappedRenders:
    """Shards of renders (training.render_pack) of one size, left on disk.

    Raises:
        ConfigError: no shards, or of another size.
    """

    KEYS = tuple(key for key in RenderPack.KEYS if key not in ("depth", "expression", "person"))

    def __init__(self, folder: str | Path, size: int):
        paths = sorted(Path(folder).glob("rig_*.npz"))
        if not paths:
            raise ConfigError(f"There are no renders in {folder}: run "
                              f"`python -m training.render_pack --size {size} --out {folder}`.")
        self.shards = [map_shard(path, self.KEYS) for path in paths]
        self.first = np.cumsum([0, *(len(shard["view"]) for shard in self.shards)])
        found = self.shards[0]["mask"].shape[-1]
        if found != size:
            raise ConfigError(f"The renders in {folder} are {found} px and the fine stage wants {size}: "
                              f"run `python -m training.render_pack --size {size}`.")

    def __len__(self) -> int:
        return int(self.first[-1])

    def __getitem__(self, index: Tensor) -> dict[str, Tensor]:
        """Arrays of some renders by name, as stored."""
        places = [(int(shard), int(k - self.first[shard])) for k in index.tolist()
                  for shard in [np.searchsorted(self.first, k, "right") - 1]]
        return {key: torch.from_numpy(np.stack([self.shards[shard][key][row] for shard, row in places]))
                for key in self.KEYS}


def map_shard(path: Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Arrays of an uncompressed npz by name, mapped from the file."""
    arrays = {}
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        for key in keys:
            start = archive.getinfo(f"{key}.npy").header_offset
            file.seek(start + 26)
            # The name and an extra field, of these lengths, stand between the entry's header of 30 bytes and the array.
            file.seek(start + 30 + sum(np.frombuffer(file.read(4), "<u2").tolist()))
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            arrays[key] = np.memmap(path, dtype, "r", file.tell(), shape)
    return arrays


class FineBatches:
    """The images of each step. Step k draws from seed and k alone, so that a resumed run sees what it would have seen.

    Args:
        config: of the training.
        autoencoder: frozen.
    """

    def __init__(self, config: FineTraining, autoencoder: Autoencoder):
        size = config.model.image_size
        self.config, self.autoencoder = config, autoencoder
        self.photos = FacePack(config.photos, size, limit=config.limit or None)
        self.renders = MappedRenders(config.renders, size)

    @torch.no_grad()
    def draw(self, step: int) -> FineBatch:
        config, device, quarter = self.config, self.config.device, self.config.batch // 4
        generator = torch.Generator().manual_seed(config.seed * 10_000_019 + step)
        photos = self._photos(quarter, generator)
        stored = self.renders[torch.randint(len(self.renders), (quarter,), generator=generator)]
        lit, known = light_twice(stored, self._photos(quarter, generator), config.model, generator)
        photos, lit = photos.to(device), lit.to(device)
        found = self._coarse(photos)
        relit = relight_photos(found, photos, generator)
        others = self._coarse(torch.cat([relit, lit]))
        coarse = Factors.cat([found, same_surface(others[:quarter], found), others[quarter:]])
        kept = torch.ones(config.batch, 1, 1, config.model.image_size)
        kept[quarter:2 * quarter] = keep_half(quarter, config, generator)
        return FineBatch(torch.cat([photos, relit, lit]), coarse, kept.to(device), known.to(device))

    def _photos(self, count: int, generator: torch.Generator) -> Tensor:
        photos = self.photos[torch.randint(len(self.photos), (count,), generator=generator)]
        return torch.where(uniform(count, 0, 1, generator) < 0.5, photos.flip(-1), photos)

    def _coarse(self, photos: Tensor) -> Factors:
        small = F.interpolate(photos, [self.autoencoder.config.image_size] * 2, mode="area")
        with autocast(self.config.bf16, photos.device.type):
            return self.autoencoder(small)


def light_twice(stored: dict[str, Tensor], backgrounds: Tensor, config: FineConfig,
                generator: torch.Generator) -> tuple[Tensor, Known]:
    """Photograph Q stored renders twice under different light, before different backgrounds, by one camera.

    Returns:
        (2 Q, 3, H, W) crops in [0, 1] as the fine stage reads them, and what is true of them.
    """
    stored = {key: torch.cat([array, array]) for key, array in stored.items()}
    count = len(stored["view"])
    mask, canon_mask = (stored[key][:, None].float() for key in ("mask", "canon_mask"))
    albedo, canon_albedo = (stored[key].movedim(-1, 1).float() / 255 for key in ("albedo", "canon_albedo"))
    normal, layers = stored["normal"].float() / 127, stored["cover"].movedim(-1, 1).float() / 255
    light, second = random_light(count, generator), _second_light(count, generator)
    image = albedo * _shading(normal, light, second) * uneven_light(count, mask.shape[-1], generator)
    image = image + highlights(normal, View(stored["view"][:, :3], stored["view"][:, 3:]), light, generator)
    behind = backgrounds[torch.randint(len(backgrounds), (count,), generator=generator)]
    image = image * mask + random_background(behind, generator) * (1 - mask)
    shading = _shading(stored["cover_normal"].float() / 127, light, second)
    image = composite_accessories(image, layers, shading, generator)
    image = occlude(image, generator)
    # Side by side, so that both get one white balance and tone curve, which are the albedo's too.
    image, canon_albedo = color_jitter(torch.cat(image.chunk(2), -1), canon_albedo[:count // 2], generator)
    image = sensor_noise(as_crop(torch.cat(image.chunk(2, -1)), config.coarse_size), generator)
    bare = mask * (1 - layers[:, :LAYERS].sum(1, keepdim=True)).clamp(min=0)
    canon_bare = 1 - stored["canon_cover"][:, None].float() / 255
    return image, Known(as_crop(bare, config.coarse_size).clamp(0, 1), _canon_depth(stored["canon_depth"]), canon_mask,
                        canon_bare, torch.cat([canon_albedo, canon_albedo]))


def as_crop(images: Tensor, coarse_size: int) -> Tensor:
    """The crop, as an autoencoder of `coarse_size` pixels sees it, of a camera's images (B, C, N, N); N pixels too.

    It is a little wider than the camera's field of view (core.geometry.camera), whose border is repeated.
    """
    wider = crop_tangent(coarse_size) / math.tan(FIELD_OF_VIEW / 2)
    grid = (crop_grid(images, images.shape[-1]) * wider).expand(len(images), -1, -1, -1)
    return F.grid_sample(images, grid, mode="bicubic", padding_mode="border", align_corners=True)


def uneven_light(count: int, size: int, generator: torch.Generator) -> Tensor:
    """(count, 1, size, size) smooth factors about 1."""
    coarse = UNEVEN * torch.randn(count, 1, 4, 4, generator=generator)
    return F.interpolate(coarse, (size, size), mode="bicubic").exp()


def highlights(normal: Tensor, view: View, light: Light, generator: torch.Generator) -> Tensor:
    """(B, 1, H, W) light that skin reflects like a mirror (Blinn); normals (B, H, W, 3), canonical frame."""
    count = len(normal)
    towards = F.normalize(rotation_matrix(view.rotation)[:, 2] + light.direction, dim=-1)
    cosine = (normal * towards[:, None, None]).sum(-1).clamp(min=0)[:, None]
    strength = uniform(count, 0, HIGHLIGHT, generator) * (uniform(count, 0, 1, generator) < HIGHLIGHT_ODDS)
    return light.diffuse[:, None, None, None] * strength * cosine ** uniform(count, 8, 60, generator)


def relight_photos(coarse: Factors, photos: Tensor, generator: torch.Generator) -> Tensor:
    """Photos (B, 3, N, N) under other random lamps, by the geometry that was found in them."""
    lamp = random_light(len(photos), generator).to(photos.device)
    old, new = (shade(coarse.canon_normal, light).clamp(min=MIN_SHADING) for light in (coarse.light, lamp))
    ratio = sample(new / old, canonical_pixels(coarse.recon_depth, coarse.view))
    ratio = torch.where(coarse.recon_mask > 0.5, ratio, torch.ones_like(ratio))
    ratio = ratio / ratio.mean((1, 2, 3), keepdim=True)
    return (photos * upsample(ratio, photos.shape[-1]).clamp(*RELIGHT)).clamp(0, 1)


def same_surface(others: Factors, found: Factors) -> Factors:
    """`others` on the geometry and in the pose of `found`."""
    return replace(others, **{name: getattr(found, name) for name in ("canon_depth", "canon_normal", "recon_depth",
                                                                      "recon_mask", "view")})


def keep_half(count: int, config: FineTraining, generator: torch.Generator) -> Tensor:
    """(count, 1, 1, N) 1 on canonical columns that the photo keeps: all, or those of one side."""
    axis = torch.linspace(-1, 1, config.model.image_size)
    side = torch.where(uniform(count, -1, 1, generator) < 0, -1, 1)
    edge = uniform(count, -0.1, 0.5, generator)
    hidden = uniform(count, 0, 1, generator) < config.hidden_share
    return 1 - (hidden * ((axis * side - edge) / 0.1 + 0.5).clamp(0, 1))
