"""Renders for training. Each use of a stored render draws a new light, background, noise and colors.

The shards (training.render_pack) hold faces without light, so that each use of a render gives another image.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from core.errors import ConfigError
from core.geometry.shading import shade
from core.types import Light, TensorDataclass, View, light_direction
from training.render_pack import decode_depth
from training.rig.rasterizer import LAYERS
from training.rig.rig import FAR_DEPTH

EXPRESSION_COUNT = 57
"""Number of expression weights of the rig."""
STRONG_TINT_ODDS, GREY_ODDS = 0.2, 0.04
"""Shares of renders with a strong tint, and without color."""
SHADOW = 9
"""Side of the window, in pixels, over which hair and cloth darken the skin beside them."""


@dataclass(eq=False)
class RenderBatch(TensorDataclass):
    """A batch of lit renders with their true factors."""

    image: Tensor
    """(B, 3, H, W), [0, 1]."""
    mask: Tensor
    """(B, 1, H, W) share of each pixel that shows the bare head: 0 where accessories cover it."""
    depth: Tensor
    """(B, H, W) in the input view; 1.1 where it is that far or unknown (`render_pack.FARTHEST`)."""
    canon_depth: Tensor
    """(B, H, W) canonical depth, at most `FAR_DEPTH`: neck and background lie on one plane behind the face."""
    canon_mask: Tensor
    """(B, 1, H, W) 1 on the head, canonical frame."""
    canon_bare: Tensor
    """(B, 1, H, W) share of each pixel that no accessory covers, canonical frame."""
    canon_albedo: Tensor
    """(B, 3, H, W), [0, 1]."""
    light: Light
    view: View
    expression: Tensor
    """(B, 57) expression weights of the rig, [0, 1]."""
    person: Tensor
    """(B,) person numbers."""


class RenderPack:
    """Shards of renders without light, in memory as stored (109 kB per render of 64 px), one person after the other.

    Args:
        folder: that `python -m training.render_pack` wrote.
        size: side of the model's images, pixels.
        split: beginning of the shards' names.
        held_out: renders that are not drawn in training but validate it: those of the last people, as many as reach
            this number, which may not exceed an eighth of all renders.

    Raises:
        ConfigError: no shards, or shards of another size.
    """

    KEYS = ("canon_depth", "canon_mask", "canon_albedo", "canon_cover", "depth", "mask", "albedo", "normal", "cover",
            "cover_normal", "view", "expression", "person")

    def __init__(self, folder: str | Path, size: int, split: str = "rig", held_out: int = 0):
        paths = sorted(Path(folder).glob(f"{split}_*.npz"))
        if not paths:
            raise ConfigError(f"There are no renders in {folder}: run `python -m training.render_pack --out {folder}`.")
        shards = [read_shard(path, self.KEYS) for path in tqdm(paths, desc="renders", leave=False)]
        self.arrays = {key: torch.cat([shard[key] for shard in shards]) for key in self.KEYS}
        found = self.arrays["mask"].shape[-1]
        if found != size:
            raise ConfigError(f"The renders in {folder} are {found} px and the model wants {size}: "
                              f"run `python -m training.render_pack --size {size}`.")
        person, held_out = self.arrays["person"], min(held_out, len(self) // 8)
        self.trained = len(self)
        """Number of renders that are drawn in training: the first ones."""
        if held_out:
            self.trained = int((person == person[-held_out]).nonzero()[0])

    def __len__(self) -> int:
        return len(self.arrays["view"])

    def mean_depth(self) -> Tensor:
        """(1, H, W) mean canonical depth of up to 2,000 training renders."""
        return _canon_depth(self.arrays["canon_depth"][: min(2000, self.trained)]).mean(0, keepdim=True)

    def albedos(self, count: int) -> Tensor:
        """(N, 3, H, W) canonical albedos in [0, 1] of N ≤ count training renders, evenly spaced in the pack."""
        albedos = self.arrays["canon_albedo"][: self.trained]
        return albedos[:: -(-len(albedos) // count)].movedim(-1, 1).float() / 255

    def draw(self, count: int, backgrounds: Tensor, generator: torch.Generator) -> RenderBatch:
        """Random training renders, lit, in pairs: the second half shows the people of the first half again.

        Args:
            count: B, even.
            backgrounds: (N, 3, H, W) images in [0, 1] to put behind the heads.
            generator: source of all randomness.

        Returns:
            B renders.
        """
        index = torch.randint(self.trained, (count // 2,), generator=generator)
        index = torch.cat([index, self._same_person(index, generator)])
        return self._composite(index, backgrounds, generator)

    def held_out(self, count: int, backgrounds: Tensor, generator: torch.Generator) -> RenderBatch | None:
        """The first B ≤ count held-out renders, lit as by `draw`; None where there are none."""
        index = torch.arange(self.trained, min(self.trained + count, len(self)))
        return self._composite(index, backgrounds, generator) if len(index) else None

    def _composite(self, index: Tensor, backgrounds: Tensor, generator: torch.Generator) -> RenderBatch:
        return shade_and_composite({key: array[index] for key, array in self.arrays.items()}, backgrounds, generator)

    def _same_person(self, index: Tensor, generator: torch.Generator) -> Tensor:
        """(N,) another render of the same person for each of `index` (N,); the same one where there is no other."""
        _, group, renders = self.arrays["person"].unique_consecutive(return_inverse=True, return_counts=True)
        first, renders = (renders.cumsum(0) - renders)[group[index]], renders[group[index]]
        step = 1 + (torch.rand(len(index), generator=generator) * (renders - 1)).long()
        return first + (index - first + step) % renders


def shade_and_composite(stored: dict[str, Tensor], backgrounds: Tensor, generator: torch.Generator) -> RenderBatch:
    """Light B stored renders and put them, with their accessories, in front of backgrounds.

    Args:
        stored: arrays of `RenderPack.KEYS`, B rows each.
        backgrounds: (N, 3, H, W) images in [0, 1] to choose from.
        generator: source of light, background, colors and noise.

    Returns:
        B renders.
    """
    count = len(stored["view"])
    depth, canon_depth = _depth(stored["depth"]), _canon_depth(stored["canon_depth"])
    mask, canon_mask = (stored[key][:, None].float() for key in ("mask", "canon_mask"))
    albedo, canon_albedo = (stored[key].movedim(-1, 1).float() / 255 for key in ("albedo", "canon_albedo"))
    normal = stored["normal"].float() / 127

    light = random_light(count, generator)
    second = _second_light(count, generator)
    image = albedo * _shading(normal, light, second)
    behind = backgrounds[torch.randint(len(backgrounds), (count,), generator=generator)]
    image = image * mask + random_background(behind, generator) * (1 - mask)
    layers = stored["cover"].movedim(-1, 1).float() / 255
    cover_shading = _shading(stored["cover_normal"].float() / 127, light, second)
    image = composite_accessories(image, layers, cover_shading, generator)
    image = occlude(image, generator)
    image, canon_albedo = color_jitter(image, canon_albedo, generator)
    view = View(stored["view"][:, :3], stored["view"][:, 3:])
    bare = mask * (1 - layers[:, :LAYERS].sum(1, keepdim=True)).clamp(min=0)
    canon_bare = 1 - stored["canon_cover"][:, None].float() / 255
    return RenderBatch(sensor_noise(image, generator), bare, depth, canon_depth, canon_mask, canon_bare, canon_albedo,
                       light, view, stored["expression"].float(), stored["person"].long())


def _depth(stored: Tensor) -> Tensor:
    return torch.from_numpy(decode_depth(stored.numpy()))


def _canon_depth(stored: Tensor) -> Tensor:
    """Canonical depth of `RenderBatch`, of depth as stored."""
    return _depth(stored).clamp(max=FAR_DEPTH)


def read_shard(path: Path, keys: tuple[str, ...]) -> dict[str, Tensor]:
    """Arrays of one shard by name, as stored."""
    with np.load(path) as shard:
        return {key: torch.from_numpy(shard[key]) for key in keys}


def uniform(count: int, low: float, high: float, generator: torch.Generator, channels: int = 1) -> Tensor:
    """(count, channels, 1, 1) uniform numbers."""
    return torch.rand(count, channels, 1, 1, generator=generator) * (high - low) + low


def random_light(count: int, generator: torch.Generator) -> Light:
    """Random lights (B = count): ambient .25 to .9, diffuse .05 to .75, directions scattered about the optical axis."""
    draw = torch.rand(2, count, generator=generator)
    slope = torch.randn(count, 2, generator=generator) * 0.65
    return Light(0.25 + 0.65 * draw[0], 0.05 + 0.7 * draw[1], light_direction(slope))


def _second_light(count: int, generator: torch.Generator) -> tuple[Light, Tensor]:
    """A weak tinted light on half of the renders, which is not part of their true factors; strength (B, 3, 1, 1)."""
    direction = F.normalize(torch.randn(count, 3, generator=generator), dim=-1)
    strength = uniform(count, 0, 0.25, generator, 3) * (uniform(count, 0, 1, generator) < 0.5)
    return Light(torch.zeros(count), torch.ones(count), direction), strength


def _shading(normal: Tensor, light: Light, second: tuple[Light, Tensor]) -> Tensor:
    """Lambert shading (B, 3, H, W) by both lights."""
    other, strength = second
    return shade(normal, light) + strength * shade(normal, other)


def _hair_color(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """(count, 3, 1, 1) random colors from black over brown to blond and grey; light ones are rarer."""
    warmth = torch.tensor([1, 0.78, 0.58])[:, None, None] ** uniform(count, 0, 1.2, generator)
    return uniform(count, low, high, generator) ** 2 * warmth * uniform(count, 0.85, 1.15, generator, 3)


def composite_accessories(image: Tensor, layers: Tensor, shading: Tensor, generator: torch.Generator) -> Tensor:
    """Put accessories in front of rendered heads, with a soft shadow beside them.

    Args:
        image: (B, 3, H, W) lit, bare heads, [0, 1].
        layers: (B, LAYERS + 1, H, W) coverage by hair, cloth, frames and lenses, and their grain, [0, 1].
        shading: (B, 3, H, W) of the accessories.
        generator: source of their colors.

    Returns:
        (B, 3, H, W).
    """
    count = len(image)
    hair, cloth, frame, lens = (layers[:, k : k + 1] for k in range(LAYERS))
    near = F.avg_pool2d(hair + cloth, SHADOW, 1, SHADOW // 2)
    image = image * (1 - uniform(count, 0, 0.7, generator) * near)
    strands = 1 + 2 * uniform(count, 0, 0.8, generator) * (layers[:, LAYERS:] - 0.5)
    colours = {"hair": _hair_color(count, 0.1, 0.9, generator) * strands, "cloth": uniform(count, 0, 1, generator, 3),
               "frame": _hair_color(count, 0.02, 0.7, generator), "lens": _hair_color(count, 0, 0.5, generator)}
    through = uniform(count, 0, 0.4, generator)
    for name, share in {"lens": lens * (1 - through), "frame": frame, "cloth": cloth, "hair": hair}.items():
        image = image * (1 - share) + colours[name] * shading * share
    return image


def random_background(photos: Tensor, generator: torch.Generator) -> Tensor:
    """(B, 3, H, W) magnified parts of photos (B, 3, H, W), or soft blotches of color."""
    count, _, size, _ = photos.shape
    zoom = 0.25 + 0.5 * torch.rand(count, generator=generator)
    shift = (torch.rand(count, 2, generator=generator) * 2 - 1) * (1 - zoom[:, None])
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = zoom, zoom, shift
    grid = F.affine_grid(theta, list(photos.shape), align_corners=False)
    magnified = F.grid_sample(photos, grid, align_corners=False)
    blotches = F.interpolate(torch.rand(count, 3, 4, 4, generator=generator), (size, size), mode="bilinear")
    return torch.where(uniform(count, 0, 1, generator) < 0.6, magnified, blotches)


def occlude(image: Tensor, generator: torch.Generator, chance: float = 0.15) -> Tensor:
    """Cover some images (B, 3, H, W) with up to two soft ellipses of one color; `chance` is that of each."""
    count, _, size, _ = image.shape
    axis = torch.linspace(-1, 1, size)
    y, x = axis[:, None], axis[None, :]
    for _ in range(2):
        centre_x, centre_y = uniform(count, -1, 1, generator), uniform(count, -1, 1, generator)
        radius_x, radius_y = uniform(count, 0.08, 0.45, generator), uniform(count, 0.08, 0.45, generator)
        inside = 1 - ((x - centre_x) / radius_x) ** 2 - ((y - centre_y) / radius_y) ** 2
        alpha = torch.sigmoid(inside * 10) * (uniform(count, 0, 1, generator) < chance)
        image = image * (1 - alpha) + uniform(count, 0, 1, generator, 3) * alpha
    return image


def color_jitter(image: Tensor, albedo: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Change white balance and tone curve, and remove the colors of a few: the same in image and true albedo.

    Args:
        image: (B, 3, H, W), [0, 1].
        albedo: (B, 3, H, W), [0, 1].
        generator: source of the changes.

    Returns:
        Image and albedo, changed.
    """
    count = len(image)
    spread = torch.where(uniform(count, 0, 1, generator) < STRONG_TINT_ODDS, 0.2, 0.05)
    tint = (1 + spread * torch.randn(count, 3, 1, 1, generator=generator)).clamp(min=0.3)
    grey = (uniform(count, 0, 1, generator) < GREY_ODDS).float()
    gamma = uniform(count, 0.8, 1.25, generator)
    image, albedo = ((maps * tint).clamp(1e-4, 1) ** gamma for maps in (image, albedo))
    image, albedo = (maps + grey * (maps.mean(1, keepdim=True) - maps) for maps in (image, albedo))
    return image, albedo


def sensor_noise(image: Tensor, generator: torch.Generator) -> Tensor:
    """Blur a quarter of the images (B, 3, H, W), add noise to all, and clamp to [0, 1]."""
    count = len(image)
    blurred = F.avg_pool2d(F.pad(image, (1, 1, 1, 1), mode="replicate"), 3, 1)
    image = torch.where(uniform(count, 0, 1, generator) < 0.25, blurred, image)
    noise = torch.randn(image.shape, generator=generator) * uniform(count, 0, 0.02, generator)
    return (image + noise).clamp(0, 1)
