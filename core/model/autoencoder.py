"""The 3D-aware autoencoder (paper section 3.1): one photo to depth, albedo, light, pose and confidence, and back."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import ModelConfig
from core.geometry.camera import backproject, canonical_pixels, depth_to_normal, project, sample, transform
from core.geometry.rasterizer import rasterize_depth
from core.geometry.shading import shade
from core.model.networks import CodeBasis, Decoder, Encoder, EncoderDecoder, PCADecoder
from core.types import Codes, Factors, Light, View, light_direction

MIN_SIGMA = 0.02
"""Least expected error per pixel: keeps the likelihood bounded."""
LIGHT, VIEW = 4, 5
"""Numbers in which the encoders tell light and view."""
GRAD_LEAK = 0.3
"""Part of a gradient that gets through where a code is 0."""
ALBEDO_INPUT_CHANNELS = 7
"""Maps that an albedo is told from."""
CORRECTION_INPUT_CHANNELS = 16
"""Maps in which a photo and a guess are compared."""
MIN_SHADING = 0.2
"""Least shading that an albedo is freed of: in deeper shadow there is only noise."""


class Autoencoder(nn.Module):
    """Photo → codes, light, view, confidence → canonical face → reconstruction.

    Depth, light and view are told from the photo; albedo from the photo brought to the canonical place and freed of
    its shading, where every face has its eyes and mouth in one place. That is a first guess. A further encoder sees
    the photo beside what the guess renders to, and corrects it: what one glance cannot hold shows as a difference
    (Carreira et al. 2016, iterative error feedback).
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        size, code = config.image_size, config.code_size
        self.depth_encoder = Encoder(size, config.width, code)
        self.albedo_encoder = Encoder(size, config.width, code, ALBEDO_INPUT_CHANNELS)
        self.depth_basis, self.albedo_basis = CodeBasis(code), CodeBasis(code)
        self.depth_decoder = Decoder(size, config.width, code, 1)
        self.albedo_decoder = PCADecoder(size, config.width, code, 3)
        self.light_encoder = Encoder(size, config.pose_width, LIGHT)
        self.view_encoder = Encoder(size, config.pose_width, VIEW)
        self.confidence_net = EncoderDecoder(size, config.pose_width, 2)
        self.correction_encoder = Encoder(size, config.width, 2 * code + LIGHT + VIEW, CORRECTION_INPUT_CHANNELS)
        # At first nothing is corrected, until there is something to compare with.
        nn.init.zeros_(self.correction_encoder.head.weight)
        nn.init.zeros_(self.correction_encoder.head.bias)

    def forward(self, image: Tensor) -> Factors:
        """Find the factors of aligned photos.

        Args:
            image: (B, 3, H, W) RGB in [0, 1], aligned, H = W = `config.image_size`.

        Returns:
            Factors; `confidence` is that of the image, see `forward_with_sigma` for its mirror's.
        """
        return self.forward_with_sigma(image)[0]

    def forward_with_sigma(self, image: Tensor) -> tuple[Factors, Tensor]:
        """Factors of `forward`, and the expected errors of `sigmas` that their confidence comes from."""
        codes, light, view = self.encode_raw(image)
        sigmas = self.sigmas(image)
        confidence = 1 / (1 + sigmas[:, :1])
        return self.render(image, codes, *self.decode(codes), light, view, confidence), sigmas

    @staticmethod
    def render(image: Tensor, codes: Codes, canon_depth: Tensor, canon_albedo: Tensor, light: Light, view: View,
               confidence: Tensor) -> Factors:
        """albedo × shading = canonical image → warped by depth and view = reconstruction. See `Factors` for shapes."""
        canon_normal = depth_to_normal(canon_depth)
        shading = shade(canon_normal, light)
        canon_image = canon_albedo * shading
        recon_depth, recon_mask = rasterize_depth(transform(backproject(canon_depth), view), canon_depth.shape[-1])
        recon_image = sample(canon_image, canonical_pixels(recon_depth, view))
        return Factors(image, canon_depth, canon_albedo, canon_normal, shading, canon_image, recon_depth,
                       recon_mask[:, None].to(image.dtype), recon_image, confidence, light, view, codes)

    def encode_raw(self, image: Tensor) -> tuple[Codes, Light, View]:
        """Codes (B, 256) of depth and of albedo, light and view: a guess, and its correction."""
        guess, rendered = self._initial_estimate(image)
        return self._split_heads(guess + self.correction_encoder(_correction_input(image, rendered)).float())

    def encode(self, image: Tensor) -> Codes:
        """Codes (B, 256) of depth and of albedo."""
        return self.encode_raw(image)[0]

    def _initial_estimate(self, image: Tensor) -> tuple[Tensor, Factors]:
        """What the encoders say at first sight, (B, 521): codes, light and view before their ranges; and its render,
        with confidence 0, which no picture depends on."""
        encoders = self.depth_encoder, self.light_encoder, self.view_encoder
        depth, light, view = (encoder(image * 2 - 1).float() for encoder in encoders)
        canon_depth = self.decode_depth(self._depth_code(depth))
        unlit = _albedo_input(image, canon_depth, self._light(light), self._view(view))
        guess = torch.cat([depth, self.albedo_encoder(unlit).float(), light, view], 1)
        codes, light, view = self._split_heads(guess)
        return guess, self.render(image, codes, canon_depth, self.decode_albedo(codes.albedo_code), light, view,
                                  torch.zeros_like(image[:, :1]))

    def _split_heads(self, raw: Tensor) -> tuple[Codes, Light, View]:
        """Codes, light (canonical frame) and view (radians, camera-distance units) of what the encoders say."""
        depth, albedo, light, view = raw.split([self.config.code_size] * 2 + [LIGHT, VIEW], 1)
        codes = Codes(self._depth_code(depth), self.albedo_basis(albedo))
        return codes, self._light(light), self._view(view)

    def _depth_code(self, raw: Tensor) -> Tensor:
        return self.depth_basis(_rectified(raw))

    def _light(self, raw: Tensor) -> Light:
        strength, slope = raw[:, :2].sigmoid(), raw[:, 2:].tanh() * self.config.max_light_slope
        return Light(strength[:, 0], strength[:, 1], light_direction(slope))

    def _view(self, raw: Tensor) -> View:
        raw = raw.tanh()
        return View(raw[:, :3] * math.radians(self.config.max_rotation_deg), raw[:, 3:] * self.config.max_translation)

    def decode(self, codes: Codes) -> tuple[Tensor, Tensor]:
        """Canonical depth (B, H, W), 0.9 to 1.1, and albedo (B, 3, H, W), [0, 1], from codes."""
        return self.decode_depth(codes.depth_code), self.decode_albedo(codes.albedo_code)

    def decode_depth(self, depth_code: Tensor) -> Tensor:
        """Canonical depth (B, H, W), 0.9 to 1.1, from depth codes (B, 256); what a sum of codes has below 0, where no
        encoder answers, counts as 0."""
        return self.draw_depth(_rectified(self.depth_basis.decode(depth_code)))

    def draw_depth(self, raw: Tensor) -> Tensor:
        """`decode_depth` of codes (B, 256) as the encoder gives them."""
        raw = self.depth_decoder(raw).float()[:, 0]
        level = math.atanh((self.config.mean_depth - 1) / self.config.depth_range)
        depth = 1 + self.config.depth_range * (raw - raw.mean((1, 2), keepdim=True) + level).tanh()
        columns = self.config.image_size // 32
        return F.pad(depth[..., columns:-columns], (columns, columns), value=self.config.border_depth)

    def decode_albedo(self, albedo_code: Tensor) -> Tensor:
        """Albedo (B, 3, H, W), [0, 1], from albedo codes (B, 256)."""
        return self.albedo_decoder(self.albedo_basis.decode(albedo_code)).float().sigmoid()

    def sigmas(self, image: Tensor) -> Tensor:
        """Expected absolute error per pixel (B, 2, H, W): of the reconstruction and of its mirrored twin."""
        return F.softplus(self.confidence_net(image * 2 - 1).float() - 2) + MIN_SIGMA


def _rectified(raw: Tensor) -> Tensor:
    """ReLU whose gradient leaks: in the first steps all of a code may fall below 0, where it would stay for ever."""
    return raw.relu() + GRAD_LEAK * (raw - raw.detach()) * (raw <= 0)


def _albedo_input(image: Tensor, canon_depth: Tensor, light: Light, view: View) -> Tensor:
    """What an albedo is told from, (B, ALBEDO_INPUT_CHANNELS, H, W), about [−1, 1], without gradients: an image as it is; the same
    brought to the canonical place and freed of its shading; and that shading."""
    shading = shade(depth_to_normal(canon_depth), light)
    unlit = _unwarp_to_canonical(image, canon_depth, view) / shading.clamp(min=MIN_SHADING)
    return (torch.cat([image, unlit.clamp(max=1.5), shading], 1) * 2 - 1).detach()


def _correction_input(image: Tensor, guess: Factors) -> Tensor:
    """An image and what a guess makes of it, (B, CORRECTION_INPUT_CHANNELS, H, W), about [−1, 1], without gradients: both in the
    image's place, then both in the canonical place."""
    brought_back = _unwarp_to_canonical(image, guess.canon_depth, guess.view)
    pictures = torch.cat([image, guess.recon_image, brought_back, guess.canon_albedo, guess.shading], 1)
    depths = torch.stack([guess.recon_depth, guess.canon_depth], 1)
    return torch.cat([pictures * 2 - 1, (depths - 1) * 10, guess.recon_mask], 1).detach()


def _unwarp_to_canonical(image: Tensor, canon_depth: Tensor, view: View) -> Tensor:
    """An image (B, 3, H, W) in the canonical place, by depth and view; what it does not see holds what covers it."""
    return sample(image, project(transform(backproject(canon_depth), view), image.shape[-1]))


def mirror(factors: Factors) -> tuple[Tensor, Tensor]:
    """Canonical depth and albedo flipped left-right: the symmetry prior's second hypothesis (paper section 3.1)."""
    return factors.canon_depth.flip(-1), factors.canon_albedo.flip(-1)


def autocast(enabled: bool, device: str = "cpu") -> torch.autocast:
    """bfloat16 for the convolutions; geometry stays in float32."""
    return torch.autocast(device, torch.bfloat16, enabled=enabled)
