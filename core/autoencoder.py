"""The 3D-aware autoencoder (paper section 3.1): one photo to depth, albedo, light, pose and confidence, and back."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import ModelConfig
from core.geometry import backproject, canonical_pixels, depth_to_normal, sample, transform
from core.networks import CodeBasis, Decoder, Encoder, EncoderDecoder
from core.rasterizer import rasterize_depth
from core.shading import shade
from core.types import Codes, Factors, Light, View, light_direction

MIN_SIGMA = 0.02
"""Least expected error per pixel: keeps the likelihood bounded."""


class Autoencoder(nn.Module):
    """Photo → codes, light, view, confidence → canonical face → reconstruction."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.config = config
        size, code = config.image_size, config.code_size
        self.depth_encoder = Encoder(size, config.width, code)
        self.albedo_encoder = Encoder(size, config.width, code)
        self.depth_basis, self.albedo_basis = CodeBasis(code), CodeBasis(code)
        self.depth_decoder = Decoder(size, config.width, code, 1)
        self.albedo_decoder = Decoder(size, config.width, code, 3)
        self.light_encoder = Encoder(size, config.pose_width, 4)
        self.view_encoder = Encoder(size, config.pose_width, 5)
        self.confidence_net = EncoderDecoder(size, config.pose_width, 2)

    def forward(self, image: Tensor) -> Factors:
        """Find the factors of aligned photos.

        Args:
            image: (B, 3, H, W) RGB in [0, 1], aligned, H = W = `config.image_size`.

        Returns:
            Factors; `confidence` is that of the image, see `explain` for its mirror's.
        """
        return self.explain(image)[0]

    def explain(self, image: Tensor) -> tuple[Factors, Tensor]:
        """Factors of `forward`, and the expected errors of `sigmas` that their confidence comes from."""
        codes = self.encode(image)
        canon_depth, canon_albedo = self.decode(codes)
        light, view = self.light(image), self.view(image)
        sigmas = self.sigmas(image)
        confidence = 1 / (1 + sigmas[:, :1])
        return self.render(image, codes, canon_depth, canon_albedo, light, view, confidence), sigmas

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

    def encode(self, image: Tensor) -> Codes:
        """Codes (B, 256) of depth and of albedo."""
        image = image * 2 - 1
        return Codes(self.depth_basis(self.depth_encoder(image).relu()),
                     self.albedo_basis(self.albedo_encoder(image).relu()))

    def decode(self, codes: Codes) -> tuple[Tensor, Tensor]:
        """Canonical depth (B, H, W), 0.9 to 1.1, and albedo (B, 3, H, W), [0, 1], from codes."""
        # No encoder gives a negative number; arithmetic of codes may.
        raw = self.albedo_basis.back(codes.albedo_code).relu()
        return self.decode_depth(codes.depth_code), self.albedo_decoder(raw).float().sigmoid()

    def decode_depth(self, depth_code: Tensor) -> Tensor:
        """Canonical depth (B, H, W), 0.9 to 1.1, from depth codes (B, 256)."""
        raw = self.depth_decoder(self.depth_basis.back(depth_code).relu()).float()[:, 0]
        level = math.atanh((self.config.mean_depth - 1) / self.config.depth_range)
        depth = 1 + self.config.depth_range * (raw - raw.mean((1, 2), keepdim=True) + level).tanh()
        columns = self.config.image_size // 32
        return F.pad(depth[..., columns:-columns], (columns, columns), value=self.config.border_depth)

    def light(self, image: Tensor) -> Light:
        """Ambient and diffuse strength and direction of the light, canonical frame."""
        raw = self.light_encoder(image * 2 - 1).float()
        strength, slope = raw[:, :2].sigmoid(), raw[:, 2:].tanh() * self.config.max_light_slope
        return Light(strength[:, 0], strength[:, 1], light_direction(slope))

    def view(self, image: Tensor) -> View:
        """Pose of the face in the photo, radians and camera-distance units."""
        raw = self.view_encoder(image * 2 - 1).float().tanh()
        return View(raw[:, :3] * math.radians(self.config.max_rotation_deg), raw[:, 3:] * self.config.max_translation)

    def sigmas(self, image: Tensor) -> Tensor:
        """Expected absolute error per pixel (B, 2, H, W): of the reconstruction and of its mirrored twin."""
        return F.softplus(self.confidence_net(image * 2 - 1).float() - 2) + MIN_SIGMA


def mirror(factors: Factors) -> tuple[Tensor, Tensor]:
    """Canonical depth and albedo flipped left-right: the symmetry prior's second hypothesis (paper section 3.1)."""
    return factors.canon_depth.flip(-1), factors.canon_albedo.flip(-1)


def autocast(enabled: bool, device: str = "cpu") -> torch.autocast:
    """bfloat16 for the convolutions; geometry stays in float32."""
    return torch.autocast(device, torch.bfloat16, enabled=enabled)
