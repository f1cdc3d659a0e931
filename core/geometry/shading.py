"""Lambert shading with one directional light and an ambient term (paper section 3.1)."""

from __future__ import annotations

from torch import Tensor

from core.types import Light


def shade(canon_normal: Tensor, light: Light) -> Tensor:
    """ambient + diffuse · max(0, n·l).

    Convention: canonical camera frame; normals and light direction point away from the camera (core.types.Light).

    Args:
        canon_normal: (B, H, W, 3), unit length.
        light: B lights.

    Returns:
        (B, 1, H, W) shading, in [0, 2].
    """
    cosine = (canon_normal * light.direction[:, None, None]).sum(-1).clamp(min=0)
    return (light.ambient[:, None, None] + light.diffuse[:, None, None] * cosine)[:, None]


def relight(canon_albedo: Tensor, canon_normal: Tensor, light: Light) -> Tensor:
    """Shade a canonical face under a light.

    Args:
        canon_albedo: (B, 3, H, W), [0, 1].
        canon_normal: (B, H, W, 3), unit length.
        light: B lights.

    Returns:
        (B, 3, H, W) canonical image, not clamped.
    """
    return canon_albedo * shade(canon_normal, light)
