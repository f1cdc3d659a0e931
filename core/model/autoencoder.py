"""The 3D-aware autoencoder (paper section 3.1): one photo to depth, albedo, light, view and confidence, and back."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.config import ModelConfig
from core.geometry.camera import backproject, canonical_pixels, depth_to_normal, project, sample, transform
from core.geometry.rasterizer import rasterize_depth
from core.geometry.shading import shade
from core.model.detail_coder import DetailCoder
from core.model.networks import CodeBasis, Decoder, Encoder, EncoderDecoder, PCADecoder
from core.types import Codes, Factors, Light, View, light_direction

MIN_SIGMA = 0.02
"""Least expected error of a pixel: it bounds the likelihood."""
LIGHT_SIZE, VIEW_SIZE = 4, 5
"""Numbers that describe a light (two strengths, two slopes) and a view (three angles, two shifts)."""
GRAD_LEAK = 0.3
"""Fraction of the gradient that passes where a code is 0."""
ALBEDO_INPUT_CHANNELS = 7
"""Photo (3), photo unwarped and divided by its shading (3), shading (1); see `_albedo_input`."""
CORRECTION_INPUT_CHANNELS = 16
"""Channels of the correction encoder's input; see `_correction_input`."""
MIN_SHADING = 0.2
"""Least shading that the photo is divided by: in deeper shadow there is only noise."""
HIDDEN_BEHIND = 0.003
"""Depth by which a point lies behind the visible surface when it is hidden, camera-distance units (2.4 mm)."""


class Autoencoder(nn.Module):
    """Photo → codes, light, view, confidence → canonical face → reconstruction.

    Depth, light and view are encoded from the photo. Albedo is encoded from the photo unwarped to the canonical frame
    and divided by its shading, where all faces have their eyes and mouth in the same place. That is the initial
    estimate. A correction encoder then compares the photo with what the estimate renders to, and adds a correction
    (iterative error feedback, Carreira et al. 2016). Where `config.detail_size` says so, the albedo code has a second
    part, for what the first leaves out of the photo (core.model.detail_coder).
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
        self.light_encoder = Encoder(size, config.pose_width, LIGHT_SIZE)
        self.view_encoder = Encoder(size, config.pose_width, VIEW_SIZE)
        self.confidence_net = EncoderDecoder(size, config.pose_width, 2)
        self.correction_encoder = Encoder(size, config.width, 2 * code + LIGHT_SIZE + VIEW_SIZE,
                                          CORRECTION_INPUT_CHANNELS)
        self.detail_coder = DetailCoder(size, config.detail_size) if config.detail_size else None
        # The correction starts at zero: at first there is nothing sensible to compare with.
        nn.init.zeros_(self.correction_encoder.head.weight)
        nn.init.zeros_(self.correction_encoder.head.bias)

    def forward(self, image: Tensor) -> Factors:
        """Find the factors of aligned photos.

        Args:
            image: (B, 3, H, W) RGB in [0, 1], aligned, H = W = `config.image_size`.

        Returns:
            Factors; `confidence` is that of the image, not of its mirrored twin.
        """
        return self.forward_with_sigma(image)[0]

    def forward_with_sigma(self, image: Tensor) -> tuple[Factors, Tensor]:
        """The forward pass: `forward`, and the expected errors (B, 2, H, W) of `sigmas`."""
        codes, light, view = self.encode_raw(image)
        canon_depth, canon_albedo = self.decode(codes)
        sigmas = self.sigmas(image)
        confidence = 1 / (1 + sigmas[:, :1])
        return self.render(image, codes, canon_depth, canon_albedo, light, view, confidence), sigmas

    @property
    def code_bases(self) -> list[CodeBasis]:
        """The bases of the depth code and of the albedo code's parts, in the order of their numbers."""
        return [self.depth_basis, self.albedo_basis, *([self.detail_coder.basis] if self.detail_coder else [])]

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
        """Codes, light and view: initial estimate plus correction, then the albedo code's second part."""
        estimate, rendered = self._initial_estimate(image)
        correction = self.correction_encoder(_correction_input(image, rendered)).float()
        codes, light, view = self._split_heads(estimate + correction)
        if self.detail_coder is not None:
            detail = self.detail_coder(*self.detail_input(image, codes, light, view))
            codes = Codes(codes.depth_code, torch.cat([codes.albedo_code, detail], 1))
        return codes, light, view

    def encode(self, image: Tensor) -> Codes:
        """Codes of aligned photos."""
        return self.encode_raw(image)[0]

    @torch.no_grad()
    def detail_input(self, image: Tensor, codes: Codes, light: Light, view: View) -> tuple[Tensor, ...]:
        """Arguments of `DetailCoder.forward` of photos (B, 3, H, W) whose codes have the first part alone."""
        canon_depth = self.decode_depth(codes.depth_code)
        shading = shade(depth_to_normal(canon_depth), light)
        points = transform(backproject(canon_depth), view)
        at, size = project(points, image.shape[-1]), image.shape[-1]
        nearest = sample(rasterize_depth(points, size)[0][:, None], at)[:, 0]
        visible = (points[..., 2] < nearest + HIDDEN_BEHIND) & ((at >= 0) & (at <= size - 1)).all(-1)
        unlit = sample(image, at) / shading.clamp(min=MIN_SHADING)
        return self._first_albedo(codes.albedo_code), unlit, visible[:, None].float(), shading

    def _initial_estimate(self, image: Tensor) -> tuple[Tensor, Factors]:
        """Initial estimate of the encoders, and its render.

        Returns:
            (B, 521) codes, light and view before their ranges are applied; and factors with confidence 0.
        """
        depth = self.depth_encoder(image * 2 - 1).float()
        light = self.light_encoder(image * 2 - 1).float()
        view = self.view_encoder(image * 2 - 1).float()
        canon_depth = self.decode_depth(self._depth_code(depth))
        albedo_input = _albedo_input(image, canon_depth, self._light(light), self._view(view))
        albedo = self.albedo_encoder(albedo_input).float()

        estimate = torch.cat([depth, albedo, light, view], 1)
        codes, light, view = self._split_heads(estimate)
        canon_albedo = self._first_albedo(codes.albedo_code)
        return estimate, self.render(image, codes, canon_depth, canon_albedo, light, view,
                                     torch.zeros_like(image[:, :1]))

    def _split_heads(self, raw: Tensor) -> tuple[Codes, Light, View]:
        """Codes, light (canonical frame) and view (radians, camera-distance units) of (B, 521) raw numbers."""
        depth, albedo, light, view = raw.split([self.config.code_size] * 2 + [LIGHT_SIZE, VIEW_SIZE], 1)
        codes = Codes(self._depth_code(depth), self.albedo_basis(albedo))
        return codes, self._light(light), self._view(view)

    def _depth_code(self, raw: Tensor) -> Tensor:
        return self.depth_basis(_rectify(raw))

    def _light(self, raw: Tensor) -> Light:
        strength, slope = raw[:, :2].sigmoid(), raw[:, 2:].tanh() * self.config.max_light_slope
        return Light(strength[:, 0], strength[:, 1], light_direction(slope))

    def _view(self, raw: Tensor) -> View:
        raw = raw.tanh()
        return View(raw[:, :3] * math.radians(self.config.max_rotation_deg), raw[:, 3:] * self.config.max_translation)

    def decode(self, codes: Codes) -> tuple[Tensor, Tensor]:
        """Canonical depth (B, H, W), 0.9 to 1.1, and albedo (B, 3, H, W), [0, 1], of codes."""
        return self.decode_depth(codes.depth_code), self.decode_albedo(codes.albedo_code)

    def decode_depth(self, depth_code: Tensor) -> Tensor:
        """Canonical depth (B, H, W), 0.9 to 1.1, of depth codes (B, 256).

        Encoders never output raw numbers below 0, but sums of codes can; they are clamped to 0.
        """
        return self.decode_raw_depth(_rectify(self.depth_basis.decode(depth_code)))

    def decode_raw_depth(self, raw: Tensor) -> Tensor:
        """`decode_depth` of raw numbers (B, 256), ≥ 0, as they are before the basis is applied."""
        raw = self.depth_decoder(raw).float()[:, 0]
        level = math.atanh((self.config.mean_depth - 1) / self.config.depth_range)
        depth = 1 + self.config.depth_range * (raw - raw.mean((1, 2), keepdim=True) + level).tanh()
        columns = self.config.image_size // 32
        return F.pad(depth[..., columns:-columns], (columns, columns), value=self.config.border_depth)

    def decode_albedo(self, albedo_code: Tensor) -> Tensor:
        """Albedo (B, 3, H, W), [0, 1], of albedo codes (B, albedo_code_size)."""
        first, detail = albedo_code.split((self.config.code_size, self.config.detail_size), 1)
        albedo = self._first_albedo(first)
        if self.detail_coder is not None:
            albedo = (albedo + self.detail_coder.decode(detail)).clamp(0, 1)
        return albedo

    def _first_albedo(self, first: Tensor) -> Tensor:
        """The albedo (B, 3, H, W), [0, 1], that the first part (B, 256) of albedo codes holds."""
        return self.albedo_decoder(self.albedo_basis.decode(first)).float().sigmoid()

    def sigmas(self, image: Tensor) -> Tensor:
        """Expected absolute error of each pixel (B, 2, H, W): of the reconstruction and of its mirrored twin."""
        return F.softplus(self.confidence_net(image * 2 - 1).float() - 2) + MIN_SIGMA


def _rectify(raw: Tensor) -> Tensor:
    """ReLU with a leaking gradient: else a code that falls below 0 in the first steps would stay 0."""
    return raw.relu() + GRAD_LEAK * (raw - raw.detach()) * (raw <= 0)


def _albedo_input(image: Tensor, canon_depth: Tensor, light: Light, view: View) -> Tensor:
    """What the albedo is encoded from: (B, ALBEDO_INPUT_CHANNELS, H, W), about [−1, 1], without gradients.

    The image as it is; the image unwarped to the canonical frame and divided by its shading; that shading.
    """
    shading = shade(depth_to_normal(canon_depth), light)
    unlit = _unwarp_to_canonical(image, canon_depth, view) / shading.clamp(min=MIN_SHADING)
    return (torch.cat([image, unlit.clamp(max=1.5), shading], 1) * 2 - 1).detach()


def _correction_input(image: Tensor, estimate: Factors) -> Tensor:
    """An image beside its estimate: (B, CORRECTION_INPUT_CHANNELS, H, W), about [−1, 1], without gradients.

    First in the image's frame: image, reconstruction. Then in the canonical frame: unwarped image, albedo, shading.
    Then both depths, and the mask.
    """
    unwarped = _unwarp_to_canonical(image, estimate.canon_depth, estimate.view)
    colors = torch.cat([image, estimate.recon_image, unwarped, estimate.canon_albedo, estimate.shading], 1)
    depths = torch.stack([estimate.recon_depth, estimate.canon_depth], 1)
    return torch.cat([colors * 2 - 1, (depths - 1) * 10, estimate.recon_mask], 1).detach()


def _unwarp_to_canonical(image: Tensor, canon_depth: Tensor, view: View) -> Tensor:
    """An image (B, 3, H, W) sampled at each canonical point; a hidden point gets the color of the surface before it."""
    return sample(image, project(transform(backproject(canon_depth), view), image.shape[-1]))


def mirror(factors: Factors) -> tuple[Tensor, Tensor]:
    """Canonical depth and albedo flipped left-right, for the symmetry prior (paper section 3.1)."""
    return factors.canon_depth.flip(-1), factors.canon_albedo.flip(-1)


def autocast(enabled: bool, device: str = "cpu") -> torch.autocast:
    """bfloat16 for the convolutions; geometry stays in float32."""
    return torch.autocast(device, torch.bfloat16, enabled=enabled)
