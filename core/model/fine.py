"""The fine stage: what the codes cannot hold, told from the photo in the canonical frame.

The autoencoder's maps are enlarged, the photo is brought to the canonical place, and a small U-Net adds residual
albedo, depth and shading at the photo's resolution. Where the photo does not see the face, the mirrored side helps
(a detail code that is an image; compare DECA, Feng et al. 2021).

Convention: canonical maps of n pixels are those of an n-pixel camera (core.geometry.camera): the centres of their outer
pixels lie on the edge of the field of view, whatever n is. What lies in the photo's place (`image`, `recon_*`,
`confidence`) are crops, whose edge lies at `crop_tangent(coarse_size)`: the autoencoder took a crop of `coarse_size`
pixels for its camera's image, and the photo at n pixels shows the same square.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import FineConfig
from core.geometry.camera import (
    FIELD_OF_VIEW,
    backproject,
    crop_points,
    crop_tangent,
    depth_to_normal,
    inverse_transform,
    project,
    rotation_matrix,
    sample,
    transform,
)
from core.geometry.filters import smoothstep, spline_matrix, upsample
from core.geometry.rasterizer import rasterize_crop
from core.geometry.shading import shade
from core.model.autoencoder import MIN_SHADING
from core.model.networks import set_zero
from core.types import Factors, View

INPUT_CHANNELS = 20
"""Canonical maps that the U-Net sees."""
DETAIL_CHANNELS = 6
"""What it gives at full resolution: residual albedo, residual depth, how much of the photo's own and of its mirrored
detail goes over."""
DEPTH_SCALE = 0.3
"""Of the residual depth before its range: a step of the optimizer then turns normals as little as it changes albedo."""
DARKEST, BRIGHTEST = 0.02, 0.98
"""Range of albedo whose logit counts."""
HIDDEN_BEHIND = 0.003
"""Depth by which a point lies behind the visible surface when it counts as half hidden, camera-distance units."""
GRAZING = 0.1, 0.4
"""Cosines between surface and view below which the photo says nothing, and above which it counts fully."""


@dataclass(eq=False)
class CanonicalPhoto:
    """A photo of B faces in the canonical place, beside the coarse maps at its resolution."""

    depth: Tensor
    """(B, H, W) coarse canonical depth, enlarged."""
    albedo: Tensor
    """(B, 3, H, W) coarse albedo, enlarged, within `DARKEST` … `BRIGHTEST`."""
    normal: Tensor
    """(B, H, W, 3) of `depth`."""
    shading: Tensor
    """(B, 1, H, W) of `normal` under the light that was found."""
    image: Tensor
    """(B, 3, H, W) the photo where each canonical point falls in it."""
    seen: Tensor
    """(B, 1, H, W) how well it shows the point, [0, 1]."""


class FineStage(nn.Module):
    """Autoencoder's factors and the photo at `config.image_size` → factors at that resolution."""

    def __init__(self, config: FineConfig):
        super().__init__()
        self.config = config
        self.net = CanonicalUNet(config)

    def forward(self, coarse: Factors, photo: Tensor) -> Factors:
        """Factors with detail.

        Args:
            coarse: of the autoencoder, for B photos of `config.coarse_size` pixels.
            photo: (B, 3, H, W) RGB in [0, 1], the same crops at H = W = `config.image_size`.

        Returns:
            Factors at H × W, codes, light and view those of `coarse`. Untrained, their canonical depth and albedo are
            the enlarged ones of `coarse`.

        Raises:
            ValueError: the sizes are not those of the config.
        """
        size = self.config.image_size
        if tuple(photo.shape[1:]) != (3, size, size) or coarse.image.shape[-1] != self.config.coarse_size:
            raise ValueError(f"the fine stage wants photos of {size} px beside factors of {self.config.coarse_size} px,"
                             f" got {tuple(photo.shape)} and {tuple(coarse.image.shape)}")
        depth, albedo, gain = self.correct(unwarp(coarse, photo))
        return render_fine(coarse, photo, depth, albedo, gain)

    def correct(self, seen: CanonicalPhoto) -> tuple[Tensor, Tensor, Tensor]:
        """Canonical depth (B, H, W), albedo (B, 3, H, W) in [0, 1], and what the shading of that depth under the light
        is multiplied by, (B, 1, H, W): one lamp is not all the light there is."""
        coarse = seen.albedo.logit()
        unlit = (seen.image / seen.shading.clamp(min=MIN_SHADING)).clamp(DARKEST, BRIGHTEST)
        detail, shape, gain = self.net(_input_maps(seen, unlit))
        own, mirrored = ((unlit.flip(-1) if flip else unlit).logit() - coarse for flip in (False, True))
        albedo, depth, use_own, use_mirrored = detail.float().split([3, 1, 1, 1], 1)
        residual = albedo + use_own * seen.seen * own + use_mirrored * seen.seen.flip(-1) * mirrored
        # Pixels come in blocks of 2 × 2 from the U-Net: what alternates within a block is not shape.
        depth = F.avg_pool2d(F.avg_pool2d(F.pad(depth, (1, 1, 1, 1), mode="replicate"), 2, 1), 2, 1)
        shape, gain = (_spline(maps.float(), depth.shape[-1]) for maps in (shape, gain))
        depth = self.config.depth_range * (DEPTH_SCALE * (depth + shape))[:, 0].tanh()
        return seen.depth + depth, (coarse + residual).sigmoid(), gain.exp()


class CanonicalUNet(nn.Module):
    """Maps (B, `INPUT_CHANNELS`, H, W) to detail (B, `DETAIL_CHANNELS`, H, W), to smooth residual depth (B, 1, H/4,
    W/4), and to the logarithm of a gain on the shading (B, 1, h, h) at the lowest resolution; all 0 at first."""

    def __init__(self, config: FineConfig):
        super().__init__()
        widths = [config.width * min(2**level, 4) for level in range(config.levels)]
        self.stem = nn.Sequential(nn.PixelUnshuffle(2), _block(4 * INPUT_CHANNELS, widths[0]),
                                  _block(widths[0], widths[0]))
        pairs = list(zip(widths, widths[1:], strict=False))
        self.down = nn.ModuleList(nn.Sequential(_block(fine, coarse, 2), _block(coarse, coarse))
                                  for fine, coarse in pairs)
        self.enter = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairs)
        self.up = nn.ModuleList(_block(fine, fine) for fine, _ in pairs)
        self.detail = nn.Sequential(_block(widths[0], widths[0]),
                                    nn.Conv2d(widths[0], 4 * DETAIL_CHANNELS, 3, 1, 1), nn.PixelShuffle(2))
        self.shape = nn.Conv2d(widths[1], 1, 3, 1, 1)
        self.light = nn.Conv2d(widths[-1], 1, 3, 1, 1)
        for last in (self.detail[-2], self.shape, self.light):
            set_zero(last)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = [self.stem(maps)]
        for down in self.down:
            features.append(down(features[-1]))
        found = features.pop()
        light = self.light(found)
        for enter, up in zip(reversed(self.enter), reversed(self.up), strict=True):
            previous = found
            found = up(features.pop() + F.interpolate(enter(found), scale_factor=2.0, mode="nearest"))
        return self.detail(found), self.shape(previous), light


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU())


def enlarge(maps: Tensor, size: int) -> Tensor:
    """Canonical maps (…, h, h) to (…, size, size) by bicubic splines, both a camera's (`align_corners`)."""
    if maps.shape[-1] == size:
        return maps
    matrix = spline_matrix(maps.shape[-1], size).to(maps)
    return matrix @ maps @ matrix.mT


def _spline(maps: Tensor, size: int) -> Tensor:
    """Maps (B, 1, h, h) to (B, 1, size, size), smooth in their slopes too; edges stay edges."""
    pixels = maps.shape[-1]
    matrix = spline_matrix(pixels, size, pixels / (pixels - 1)).to(maps)
    with torch.autocast(maps.device.type, enabled=False):
        return matrix @ maps @ matrix.mT


def unwarp(coarse: Factors, photo: Tensor) -> CanonicalPhoto:
    """Bring photos (B, 3, N, N), crops of what `coarse` was found in, to the canonical place; maps of N pixels."""
    size = photo.shape[-1]
    depth = enlarge(coarse.canon_depth, size)
    normal = depth_to_normal(depth)
    points = transform(backproject(depth), coarse.view)
    tangent = crop_tangent(coarse.image.shape[-1])
    at = points[..., :2] / points[..., 2:] / tangent
    image = F.grid_sample(photo, at, padding_mode="border", align_corners=False)
    nearest = F.grid_sample(coarse.recon_depth[:, None], at, padding_mode="border", align_corners=False)
    hidden = (points[..., 2][:, None] - nearest) / HIDDEN_BEHIND
    low, high = GRAZING
    cosine = (normal @ rotation_matrix(coarse.view.rotation)[:, None, 2, :, None])[..., 0][:, None]
    inside = (at.abs().amax(-1) < 1)[:, None].to(photo.dtype)
    seen = smoothstep(1.5 - hidden) * smoothstep((cosine - low) / (high - low)) * inside
    return CanonicalPhoto(depth, enlarge(coarse.canon_albedo, size).clamp(DARKEST, BRIGHTEST), normal,
                          shade(normal, coarse.light), image, seen)


def _input_maps(seen: CanonicalPhoto, unlit: Tensor) -> Tensor:
    """What the U-Net sees, (B, INPUT_CHANNELS, H, W), about [−1, 1]; hidden parts of the photo are empty."""
    axis = torch.linspace(-1, 1, unlit.shape[-1], device=unlit.device).expand(len(unlit), 1, *unlit.shape[-2:])
    visible = (unlit * 2 - 1) * seen.seen
    maps = [visible, (seen.image * 2 - 1) * seen.seen, seen.seen, visible.flip(-1), seen.seen.flip(-1),
            seen.albedo * 2 - 1, (seen.depth[:, None] - 1) * 10, seen.normal.movedim(-1, 1), seen.shading * 2 - 1, axis]
    return torch.cat(maps, 1).contiguous(memory_format=torch.channels_last)


def render_fine(coarse: Factors, photo: Tensor, canon_depth: Tensor, canon_albedo: Tensor, gain: Tensor) -> Factors:
    """albedo × shading = canonical image → warped to the photo's crop, at its resolution; see `Factors` for shapes."""
    canon_normal = depth_to_normal(canon_depth)
    shading = shade(canon_normal, coarse.light) * gain
    canon_image = canon_albedo * shading
    # The albedo comes from the photo by the coarse surface: how it goes back says nothing about shape.
    pixels, recon_depth, mask = photo_pixels(canon_depth.detach(), coarse.view, coarse.image.shape[-1])
    return Factors(photo, canon_depth, canon_albedo, canon_normal, shading, canon_image, recon_depth,
                   mask[:, None].to(photo.dtype), sample(canon_image, pixels),
                   upsample(coarse.confidence, photo.shape[-1]), coarse.light, coarse.view, coarse.codes, coarse)


def move_detail(fine: Factors, after: Factors, flow: Tensor) -> Factors:
    """The factors of faces whose expression has changed, with the detail that the fine stage found before.

    Args:
        fine: B faces before.
        after: of the codes of the same faces after.
        flow: (B, 2, h, h) from each canonical point after to where it was before, crop coordinates of the photo.

    Returns:
        B faces at the resolution of `fine`. Its detail moves with the points.
    """
    before, size = fine.of_codes, fine.canon_depth.shape[-1]
    light = shade(fine.canon_normal, fine.light).clamp(min=MIN_SHADING)
    detail = torch.cat([(fine.canon_depth - enlarge(before.canon_depth, size))[:, None],
                        fine.canon_albedo.clamp(DARKEST, BRIGHTEST).logit(),
                        (fine.shading / light).clamp(min=MIN_SHADING).log()], 1)
    axis = torch.linspace(-1, 1, size, device=flow.device)
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1).expand(len(flow), -1, -1, -1)
    edge = crop_tangent(after.image.shape[-1]) / math.tan(FIELD_OF_VIEW / 2)
    step = F.grid_sample(flow, grid / edge, padding_mode="border", align_corners=False).movedim(1, -1) * edge
    moved = F.grid_sample(detail, grid + step, padding_mode="border", align_corners=True)
    depth, albedo, gain = moved.split([1, 3, 1], 1)
    change = _logit(after.canon_albedo, size) - _logit(before.canon_albedo, size)
    return render_fine(after, fine.image, enlarge(after.canon_depth, size) + depth[:, 0],
                       (albedo + change).sigmoid(), gain.exp())


def _logit(albedo: Tensor, size: int) -> Tensor:
    """Albedo (B, 3, h, h), enlarged, as unbounded numbers (B, 3, size, size)."""
    return enlarge(albedo, size).clamp(DARKEST, BRIGHTEST).logit()


def photo_pixels(canon_depth: Tensor, view: View, coarse_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each pixel of a crop the canonical pixel (x, y) that it shows, (B, N, N, 2), its depth (B, N, N), and whether
    it shows any, (B, N, N); the crop is that of a `coarse_size` image, N the side of `canon_depth` (B, N, N)."""
    size = canon_depth.shape[-1]
    tangent = torch.full_like(canon_depth[:, 0, 0], crop_tangent(coarse_size))
    depth, mask = rasterize_crop(transform(backproject(canon_depth), view), tangent, size)
    return project(inverse_transform(crop_points(depth, tangent), view), size), depth, mask
