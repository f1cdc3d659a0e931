"""Losses of training alone: smoothness, known factors of renders, agreement of copies. Others: core.model.losses."""

from __future__ import annotations

from torch import Tensor, cat, distributed, empty_like, zeros

from core.geometry.camera import depth_to_normal, sample
from core.model.losses import masked_mean
from core.types import Factors
from training.data.augment import PhotoBatch
from training.data.renders import RenderBatch
from training.render_pack import FARTHEST
from training.rig.rig import FAR_DEPTH


def total(terms: dict[str, Tensor]) -> Tensor:
    """Sum of scalar terms."""
    return sum(terms.values(), zeros(()))


def depth_curvature(depth: Tensor) -> Tensor:
    """Mean absolute second difference of depth (B, H, W), a scalar: smooth surfaces cost less."""
    dxx = depth[..., 2:] - 2 * depth[..., 1:-1] + depth[..., :-2]
    dyy = depth[:, 2:] - 2 * depth[:, 1:-1] + depth[:, :-2]
    return dxx.abs().mean() + dyy.abs().mean()


def mean_across_processes(tensor: Tensor) -> Tensor:
    """Mean of a tensor over the processes of a training; gradients flow back to all of them."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return tensor
    from torch.distributed.nn.functional import all_reduce

    return all_reduce(tensor) / distributed.get_world_size()


def gather_from_processes(tensor: Tensor) -> Tensor:
    """The rows of a tensor of every process of a training, concatenated, without gradients."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return tensor
    parts = [empty_like(tensor) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return cat(parts)


def mean_shape(canon_depth: Tensor, known: Tensor) -> Tensor:
    """Distance between the mean canonical shape of a batch of photos and that of all renders (hybrid training).

    Photos hardly constrain shape at first: a network that can distinguish photos from renders would flatten the faces
    of photos alone. Their mean must be the mean of the renders; no single face is constrained.

    Args:
        canon_depth: (B, H, W) canonical depth of photos.
        known: (1, H, W) mean canonical depth of renders.

    Returns:
        Scalar: L1 of depth + 0.02 × (1 − cosine of the normals).
    """
    mean = mean_across_processes(canon_depth.mean(0, keepdim=True))
    cosine = (depth_to_normal(mean) * depth_to_normal(known)).sum(-1)
    return (mean - known).abs().mean() + 0.02 * (1 - cosine).mean()


def view_distance(rotation_error: Tensor, translation_error: Tensor) -> Tensor:
    """Mean L1 of rotation (radians) plus 3 × mean L1 of translation (camera-distance units), a scalar."""
    return rotation_error.abs().mean() + 3 * translation_error.abs().mean()


def supervised_losses(factors: Factors, truth: RenderBatch) -> dict[str, Tensor]:
    """Errors of the factors of renders, whose depth, albedo, light and view are known (hybrid training).

    Args:
        factors: predicted for B renders.
        truth: the renders.

    Returns:
        Scalars, by the names of `training.config.LossWeights`.
    """
    mask = truth.canon_mask
    # The neck's canonical depth is only an upper bound: the depth in the input view decides where the neck lies.
    weight = 0.2 + 0.8 * mask * (truth.canon_depth[:, None] < FAR_DEPTH)
    visible = factors.recon_mask * truth.mask * (truth.depth[:, None] < FARTHEST - 1e-3)
    depth_error = (factors.canon_depth - truth.canon_depth).abs()
    cosine = (factors.canon_normal * depth_to_normal(truth.canon_depth)).sum(-1)
    light, known = factors.light, truth.light
    strength = (light.ambient - known.ambient).abs() + (light.diffuse - known.diffuse).abs()
    # The direction of a weak light is hard to see: its error counts in proportion to the light's strength.
    direction = (light.direction - known.direction).abs().mean(-1) * (known.diffuse / 0.4)
    return {
        "depth": masked_mean(depth_error[:, None], weight),
        "view_depth": masked_mean((factors.recon_depth - truth.depth).abs()[:, None], visible),
        "normal": masked_mean(1 - cosine[:, None], mask),
        "albedo": masked_mean((factors.canon_albedo - truth.canon_albedo).abs(), mask * truth.canon_bare),
        "view": view_distance(factors.view.rotation - truth.view.rotation,
                              factors.view.translation - truth.view.translation),
        "light": (strength / 2 + 1.5 * direction).mean(),
    }


def consistency_losses(factors: Factors, photos: PhotoBatch) -> dict[str, Tensor]:
    """Disagreement of two augmented copies of a photo in pose, canonical depth and albedo.

    Known changes are undone first: mirroring, turns, tint, and the expression that was added to the second copy.

    Args:
        factors: predicted for B copies; the second half shows the photos of the first half.
        photos: the copies.

    Returns:
        Scalars, by the names of `training.config.LossWeights`.
    """
    view = photos.original_view(factors.view)
    depth = photos.unmirror(factors.canon_depth) - photos.edit.depth
    albedo = photos.unmirror(factors.canon_albedo) / photos.tint
    half = len(depth) // 2
    albedo = cat([sample(albedo[:half], photos.edit.origin[half:]), albedo[half:]])
    return {
        "same_view": view_distance(view.rotation[:half] - view.rotation[half:],
                                   view.translation[:half] - view.translation[half:]),
        "same_depth": (depth[:half] - depth[half:]).abs().mean(),
        "same_albedo": (albedo[:half] - albedo[half:]).abs().mean(),
    }
