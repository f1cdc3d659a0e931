"""The figures themselves: pure functions on arrays, one definition each.

Depths and maps are torch tensors in the conventions of core.geometry.camera; features and labels are numpy arrays.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from core.geometry.camera import depth_to_normal, rotation_matrix

ALPHAS = np.logspace(-1, 6, 15)
"""Strengths of regularization that a probe may choose from, on its training rows."""


def erode(mask: Tensor, pixels: int) -> Tensor:
    """Take `pixels` steps (to four neighbours) off the edge of masks (B, H, W); beyond the image is outside."""
    from scipy.ndimage import binary_erosion, generate_binary_structure

    cross = generate_binary_structure(2, 1)[None]
    return torch.from_numpy(binary_erosion(mask.numpy(), cross, iterations=pixels))


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """(B,) means of (B, …) values where the mask of the same shape holds; NaN where it is empty."""
    values, mask = values.flatten(1), mask.flatten(1).to(values.dtype)
    return (values * mask).sum(1) / mask.sum(1)


def sides(depth: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """Scale-invariant depth error (Eigen 2014; unsup3d section 4.1): spread of log depth − log truth.

    Args:
        depth: (B, H, W), any common scale per image.
        truth: (B, H, W).
        mask: (B, H, W) bool, where to compare.

    Returns:
        (B,), × 10⁻²; NaN where the mask is empty.
    """
    error = depth.double().log() - truth.double().log()
    variance = masked_mean(error**2, mask) - masked_mean(error, mask) ** 2
    return 100 * variance.clamp(min=0).sqrt()


def side(depth: Tensor, truth: Tensor, mask: Tensor) -> float:
    """Mean of `sides` over the images."""
    return sides(depth, truth, mask).nanmean().item()


def mads(depth: Tensor, truth: Tensor, mask: Tensor) -> Tensor:
    """(B,) mean angles in degrees between the normals of two depth maps (unsup3d section 4.1)."""
    return masked_mean(angles(depth_to_normal(depth), depth_to_normal(truth)), mask)


def mad(depth: Tensor, truth: Tensor, mask: Tensor) -> float:
    """Mean of `mads` over the images."""
    return mads(depth, truth, mask).nanmean().item()


def angles(first: Tensor, second: Tensor) -> Tensor:
    """Degrees between unit vectors (…, 3); exact near 0, where the arc cosine is not."""
    first, second = first.double(), second.double()
    return torch.rad2deg(torch.atan2(torch.linalg.cross(first, second).norm(dim=-1), (first * second).sum(-1)))


def turns(first: Tensor, second: Tensor) -> Tensor:
    """(B,) degrees of the one turn that takes each rotation (B, 3) of core.types.View to the other."""
    chord = (rotation_matrix(first.double()) - rotation_matrix(second.double())).flatten(1).norm(dim=1)
    return torch.rad2deg(2 * (chord / math.sqrt(8)).clamp(max=1).asin())


def ssim(image: Tensor, other: Tensor, mask: Tensor) -> Tensor:
    """Structural similarity (Wang 2004) with its Gaussian window of 11 pixels, σ 1.5, for the range [0, 1].

    A window counts only what of it lies in the mask: nothing is claimed of the rest of the image.

    Args:
        image, other: (B, 3, H, W), [0, 1].
        mask: (B, 1, H, W) bool.

    Returns:
        (B,) means over mask and channels; NaN where the mask is empty.
    """
    from scipy.ndimage import gaussian_filter

    x, y, inside = (maps.double().numpy() for maps in (image, other, mask))

    def local(maps: np.ndarray) -> np.ndarray:
        return gaussian_filter(maps * inside, 1.5, radius=5, mode="constant", axes=(-2, -1)) / weight

    weight = gaussian_filter(inside, 1.5, radius=5, mode="constant", axes=(-2, -1)).clip(min=1e-12)
    mean_x, mean_y = local(x), local(y)
    spread_x, spread_y = local(x * x) - mean_x**2, local(y * y) - mean_y**2
    common = local(x * y) - mean_x * mean_y
    light = (2 * mean_x * mean_y + 0.01**2) / (mean_x**2 + mean_y**2 + 0.01**2)
    texture = (2 * common + 0.03**2) / (spread_x + spread_y + 0.03**2)
    return masked_mean(torch.from_numpy(light * texture), mask.expand_as(image))


def albedo_error(albedo: Tensor, truth: Tensor, mask: Tensor) -> float:
    """L1 of albedo (B, 3, H, W) after the best gain per image (least squares): albedo and light share a scale."""
    mask = mask[:, None].expand_as(truth)
    gain = masked_mean(albedo * truth, mask) / masked_mean(albedo**2, mask).clamp(min=1e-12)
    return masked_mean((gain[:, None, None, None] * albedo - truth).abs(), mask).nanmean().item()


def light_in_albedo(albedos: Tensor, face: Tensor) -> dict[str, float]:
    """How much albedos of the same faces differ between lights.

    Args:
        albedos: (B · L, 3, H, W) of B faces under L lights each, face by face.
        face: (B, H, W) bool, where each is compared.

    Returns:
        Mean L1, up to gain: between lights of one face ("lights"), between faces under one light ("people"), and the
        former as a share of the latter ("ratio").
    """
    lit = albedos.unflatten(0, (len(face), -1)).unbind(1)
    lights = np.mean([albedo_error(one, other, face) for one in lit for other in lit if one is not other])
    both = face & face.roll(1, 0)
    people = np.mean([albedo_error(one, one.roll(1, 0), both) for one in lit])
    return {"lights": float(lights), "people": float(people), "ratio": float(lights / people)}


def correlation(first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Correlation of `first` with `second`, and the slope of its regression on `second`."""
    covariance = np.cov(first, second)
    return (float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])),
            float(covariance[0, 1] / covariance[1, 1]))


def explained_variance(values: np.ndarray, truth: np.ndarray, where: np.ndarray) -> float:
    """Part of the variance of `truth` within each row that one scale for all rows and an offset per row explain.

    Args:
        values, truth: (B, N).
        where: (B, N) bool.
    """
    def centred(array: np.ndarray) -> np.ndarray:
        return np.where(where, array - np.average(array, axis=1, weights=where)[:, None], 0)

    kept = where.any(1)
    values, truth, where = values[kept].astype(float), truth[kept].astype(float), where[kept]
    values, truth = centred(values), centred(truth)
    product, power = (values * truth).sum(), (values**2).sum()
    if product <= 0:
        return 0.0
    return float(product**2 / power / (truth**2).sum())


def hits(queries: np.ndarray, gallery: np.ndarray, query_ids: np.ndarray, gallery_ids: np.ndarray,
         same: bool = False) -> np.ndarray:
    """(N,) whether a query's most similar (cosine) gallery entry is the same person; `same`: never the query itself."""
    def unit(rows: np.ndarray) -> np.ndarray:
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)

    similarity = unit(queries) @ unit(gallery).T
    if same:
        np.fill_diagonal(similarity, -np.inf)
    return gallery_ids[similarity.argmax(1)] == query_ids


def rank1(queries: np.ndarray, gallery: np.ndarray, query_ids: np.ndarray, gallery_ids: np.ndarray,
          same: bool = False) -> float:
    """Share of `hits`."""
    return float(hits(queries, gallery, query_ids, gallery_ids, same).mean())


def probe(train: np.ndarray, train_targets: np.ndarray, test: np.ndarray) -> np.ndarray:
    """(M, T) prediction of a ridge regression on standardised features, its strength chosen on the training rows.

    Args:
        train, test: (N, F) and (M, F) features.
        train_targets: (N, T).
    """
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), RidgeCV(ALPHAS)).fit(train, train_targets).predict(test)


def probe_r2(train: np.ndarray, train_targets: np.ndarray, test: np.ndarray, test_targets: np.ndarray,
             average: str = "uniform_average") -> float:
    """R² of a `probe` on test_targets (M, T); `average` over the targets as in sklearn.metrics.r2_score."""
    from sklearn.metrics import r2_score

    return float(r2_score(test_targets, probe(train, train_targets, test), multioutput=average))


def probe_accuracy(features: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(N,) whether each row is classified right by a linear probe trained on the other groups' rows."""
    from sklearn.linear_model import RidgeClassifierCV
    from sklearn.model_selection import GroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), RidgeClassifierCV(ALPHAS))
    return cross_val_predict(classifier, features, labels, groups=groups, cv=GroupKFold(10)) == labels


def pixel_pca(train: Tensor, *others: Tensor, size: int, components: int, fit_on: int = 8000) -> list[np.ndarray]:
    """Features that need no model: principal components of the pixels, fitted on the first images of `train`.

    Args:
        train, others: (N, 3, H, W) float, or uint8 read as [0, 255].
        size: side to which images are shrunk first.
        components: how many, at most.
        fit_on: images to fit on.

    Returns:
        Features (N, components) of `train` and of each of `others`.
    """
    from sklearn.decomposition import PCA

    def pixels(images: Tensor) -> np.ndarray:
        scale = 255 if images.dtype == torch.uint8 else 1
        parts = (torch.nn.functional.adaptive_avg_pool2d(part.float() / scale, size).flatten(1)
                 for part in images.split(512))
        return torch.cat(list(parts)).numpy()

    flat = pixels(train)
    components = min(components, *flat[:fit_on].shape)
    pca = PCA(components, svd_solver="randomized", random_state=0).set_params(iterated_power=3).fit(flat[:fit_on])
    return [pca.transform(part) for part in (flat, *map(pixels, others))]


def landmark_hull(landmarks: np.ndarray, size: int, crop_size: int = 128) -> Tensor:
    """(B, 1, size, size) bool, the convex hulls of landmarks (B, N, 2 or 3) in pixels of crops of `crop_size`."""
    from scipy.spatial import ConvexHull

    masks = []
    # The crop's edges are pixel edges at every size (core.faces.align); integers are pixel centres.
    for points in (landmarks[..., :2] + 0.5) * (size / crop_size) - 0.5:
        image = Image.new("1", (size, size))
        ImageDraw.Draw(image).polygon([tuple(point) for point in points[ConvexHull(points).vertices]], fill=1)
        masks.append(np.array(image))
    return torch.from_numpy(np.stack(masks))[:, None]
