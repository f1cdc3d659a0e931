"""The losses of training alone: smoothness, and what renders and changed copies add. The others: core.model.losses."""

from __future__ import annotations

from torch import Tensor, cat, distributed, empty_like

from core.geometry.camera import depth_to_normal, sample
from core.model.losses import masked_mean
from core.types import Factors
from training.data.augment import Photos
from training.data.renders import Renders
from training.render_pack import FARTHEST
from training.rig.rig import FAR_DEPTH


def depth_curvature(depth: Tensor) -> Tensor:
    """Mean absolute second difference of depth (B, H, W): prefers smooth surfaces."""
    dxx = depth[..., 2:] - 2 * depth[..., 1:-1] + depth[..., :-2]
    dyy = depth[:, 2:] - 2 * depth[:, 1:-1] + depth[:, :-2]
    return dxx.abs().mean() + dyy.abs().mean()


def across_processes(mean: Tensor) -> Tensor:
    """Mean of a tensor over the processes that train together; gradients flow back to all of them."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return mean
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(mean) / distributed.get_world_size()


def from_all_processes(tensor: Tensor) -> Tensor:
    """Rows of a tensor of every process that trains, in one, without gradients."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return tensor
    parts = [empty_like(tensor) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return cat(parts)


def mean_head(canon_depth: Tensor, known: Tensor) -> Tensor:
    """Distance between the mean canonical depth of a batch of photos and that of all renders (hybrid regime).

    Photos say little about shape at first, and a network that tells photos from renders would flatten them alone. On
    average their heads have the shape of the rendered ones; of no single photo anything is asked.

    Args:
        canon_depth: (B, H, W) found in photos.
        known: (1, H, W) mean of renders.
    """
    found = across_processes(canon_depth.mean(0, keepdim=True))
    cosine = (depth_to_normal(found) * depth_to_normal(known)).sum(-1)
    return (found - known).abs().mean() + 0.02 * (1 - cosine).mean()


def view_distance(rotation_error: Tensor, translation_error: Tensor) -> Tensor:
    """L1 of rotation (radians) plus 3 × L1 of shift."""
    return rotation_error.abs().mean() + 3 * translation_error.abs().mean()


def supervised_losses(factors: Factors, truth: Renders) -> dict[str, Tensor]:
    """What a render's known depth, albedo, light and view ask of the factors found in it (method, hybrid regime)."""
    mask = truth.canon_mask
    # Where the neck lies is for the picture's own view to say: its canonical depth is only a bound.
    weight = 0.2 + 0.8 * mask * (truth.canon_depth[:, None] < FAR_DEPTH)
    seen = factors.recon_mask * truth.mask * (truth.depth[:, None] < FARTHEST - 1e-3)
    depth_error = (factors.canon_depth - truth.canon_depth).abs()
    cosine = (factors.canon_normal * depth_to_normal(truth.canon_depth)).sum(-1)
    light, known = factors.light, truth.light
    strength = (light.ambient - known.ambient).abs() + (light.diffuse - known.diffuse).abs()
    # The direction of a weak lamp cannot be seen: count it by the lamp's strength.
    direction = (light.direction - known.direction).abs().mean(-1) * (known.diffuse / 0.4)
    return {
        "depth": masked_mean(depth_error[:, None], weight),
        "view_depth": masked_mean((factors.recon_depth - truth.depth).abs()[:, None], seen),
        "normal": masked_mean(1 - cosine[:, None], mask),
        "albedo": masked_mean((factors.canon_albedo - truth.canon_albedo).abs(), mask * truth.canon_bare),
        "view": view_distance(factors.view.rotation - truth.view.rotation,
                              factors.view.translation - truth.view.translation),
        "light": (strength / 2 + 1.5 * direction).mean(),
    }


def consistency_losses(factors: Factors, photos: Photos) -> dict[str, Tensor]:
    """What two changed copies of a photo ask of each other: one pose, one shape but for the expression that was added
    to the second, one albedo up to tint and what that moved."""
    view = photos.original_view(factors.view)
    depth = photos.unmirror(factors.canon_depth) - photos.moves.depth
    albedo = photos.unmirror(factors.canon_albedo) / photos.tint
    half = len(depth) // 2
    albedo = cat([sample(albedo[:half], photos.moves.origin[half:]), albedo[half:]])
    return {
        "same_view": view_distance(view.rotation[:half] - view.rotation[half:],
                                   view.translation[:half] - view.translation[half:]),
        "same_depth": (depth[:half] - depth[half:]).abs().mean(),
        "same_albedo": (albedo[:half] - albedo[half:]).abs().mean(),
    }
