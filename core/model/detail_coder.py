"""The albedo code's second part: linear numbers for what the first part leaves out of the photo.

A code that one image of each face has to pass through convolutions holds about as much as half as many principal
components do. So the rest, the photo unwarped, unlit and filled where it hides the face, minus the albedo that is known
so far, is coded linearly. Before that a small network removes what is no albedo: wrong light, hair, glasses, noise.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.model.networks import CodeBasis

INPUTS = 17
"""Residual (3), albedo (3), unlit photo (3) and its mirror (3), visibility and its mirror, shading, |x| and y."""
WIDTHS = 48, 80, 112
"""Channels at a half, a quarter and an eighth of the image's side."""
MAX_ADDED = 0.3
"""The network adds at most this to the residual."""
KEPT = 2.0
"""Logit of the share of the residual that the network keeps at first."""


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (inputs, outputs):
        layers += [nn.Conv2d(before, outputs, 3, 1, 1, bias=False), nn.GroupNorm(8, outputs), nn.SiLU()]
    return nn.Sequential(*layers)


class Cleaner(nn.Module):
    """A U-Net (Ronneberger et al. 2015) that starts as nothing but a gate: maps (B, INPUTS, H, W) to (B, 4, H, W).

    The first channel is the logit of the share of the residual that is kept, the others what is added.
    """

    def __init__(self):
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.fine, self.middle, self.coarse = _block(4 * INPUTS, fine), _block(fine, middle), _block(middle, coarse)
        self.middle_up, self.fine_up = _block(middle + coarse, middle), _block(fine + middle, fine)
        self.out = nn.Conv2d(fine, 4 * 4, 1)
        with torch.no_grad():
            for parameter, start in zip(self.out.parameters(), (0.0, KEPT), strict=True):
                parameter.zero_()[:4] = start

    def forward(self, maps: Tensor) -> Tensor:
        fine = self.fine(F.pixel_unshuffle(maps, 2))
        middle = self.middle(F.avg_pool2d(fine, 2))
        coarse = self.coarse(F.avg_pool2d(middle, 2))
        middle = self.middle_up(torch.cat([F.interpolate(coarse, scale_factor=2), middle], 1))
        fine = self.fine_up(torch.cat([F.interpolate(middle, scale_factor=2), fine], 1))
        return F.pixel_shuffle(self.out(fine), 2)


class DetailCoder(nn.Module):
    """A residual of the albedo to `numbers` numbers and back.

    Args:
        image_size: side of the maps, pixels.
        numbers: length of the code.
    """

    def __init__(self, image_size: int, numbers: int):
        super().__init__()
        self.shape, pixels = (3, image_size, image_size), 3 * image_size**2
        self.cleaner = Cleaner()
        self.encoder, self.decoder = nn.Linear(pixels, numbers), nn.Linear(numbers, pixels)
        self.basis = CodeBasis(numbers)

    @torch.no_grad()
    def set_components(self, mean: Tensor, components: Tensor) -> None:
        """Code principal components: mean (3 · H · W,), and orthonormal components (numbers, 3 · H · W)."""
        self.encoder.weight.copy_(components)
        self.encoder.bias.copy_(-components @ mean)
        self.decoder.weight.copy_(components.T)
        self.decoder.bias.copy_(mean)

    def forward(self, albedo: Tensor, unlit: Tensor, visible: Tensor, shading: Tensor) -> Tensor:
        """The code (B, numbers) of canonical maps.

        Args:
            albedo: (B, 3, H, W) known so far, [0, 1].
            unlit: (B, 3, H, W) photo unwarped and divided by its shading.
            visible: (B, 1, H, W) 1 where the photo shows the point, else 0.
            shading: (B, 1, H, W).
        """
        residual, seen = residual_of(albedo, unlit, visible), unlit.clamp(0, 1)
        axis = torch.linspace(-1, 1, self.shape[-1], device=albedo.device)
        place = torch.stack(torch.meshgrid(axis, axis.abs(), indexing="ij")).expand(len(albedo), -1, -1, -1)
        found = self.cleaner(torch.cat([2 * residual, 2 * albedo - 1, 2 * seen - 1, 2 * seen.flip(-1) - 1, visible,
                                        visible.flip(-1), shading, place], 1)).float()
        clean = residual * found[:, :1].sigmoid() + MAX_ADDED * found[:, 1:].tanh()
        return self.basis(self.encoder(clean.flatten(1)))

    def decode(self, code: Tensor) -> Tensor:
        """What to add to the albedo (B, 3, H, W), of a code (B, numbers)."""
        return self.decoder(self.basis.decode(code)).float().unflatten(1, self.shape)


def residual_of(albedo: Tensor, unlit: Tensor, visible: Tensor) -> Tensor:
    """The unlit photo minus the albedo (B, 3, H, W); hidden parts from the mirrored side where that is visible.

    Arguments as of `DetailCoder.forward`.
    """
    share = F.avg_pool2d(F.pad((1 - visible) * visible.flip(-1), (1, 1, 1, 1), mode="replicate"), 3, 1)
    return unlit.lerp(unlit.flip(-1), share).clamp(0, 1) - albedo
