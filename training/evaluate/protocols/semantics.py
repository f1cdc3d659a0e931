"""Found directions beside others of the same number: PCA, the decoders' first layers, and random ones.

    python -m training.evaluate semantics --renders rig_val.npz --london london \
        --descriptor vladmandic-face-api-1.7.15.tgz

Renders of held-out people: does a direction follow one group of true factors and leave the others alone (DCI, Eastwood
and Williams 2018; gap, Chen et al. 2018)? Decoded: how local and how linear are its effects? Photos of held-out people:
does an edited expression keep the pose, and whose face is it?
"""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import ConfigError, WeightsMissing
from core.faces.detect import locate
from core.geometry.camera import depth_to_normal
from core.geometry.shading import shade
from core.model.autoencoder import Autoencoder
from core.model.expression_basis import EXPRESSION_NAMES
from core.pipeline import LatentFace
from core.rendering.texture_transfer import texture_from_photo
from core.types import CodePair, Codes, Light
from training.evaluate import london
from training.evaluate.comparison import Row, finish
from training.evaluate.descriptor import Descriptor
from training.evaluate.renders import features
from training.evaluate.swap import DISPLAY, landmarks
from training.fitting.regions import face_mask, region_maps
from training.rig.rig import FAR_DEPTH

NAMES = {"found": "found", "pca": "PCA of codes", "sefa": "decoders' first layers", "random": "random",
         "mediapipe": "found, by MediaPipe"}
ROWS = {
    "semantics.disentanglement": Row("renders: DCI disentanglement"),
    "semantics.completeness": Row("renders: DCI completeness"),
    "semantics.gap": Row("renders: gap between the two directions that know most of a factor"),
    "semantics.informativeness": Row("renders: R² of the true factors from all directions", better="neither"),
    "semantics.nuisance": Row("renders: R² of pose and light from all directions", better="low"),
    "semantics.locality": Row("decoded: part of the squared effect in a tenth of the face"),
    "semantics.linearity": Row("decoded: effect of 2 sigma explained by twice that of 1"),
    "semantics.pose": Row("photos, expression ± 2 sigma: pose moves by 2° at most, share"),
    "semantics.identity": Row("photos, expression ± 2 sigma: nearer than the median stranger, share"),
}
GROUPS = {"brows": ("brow",), "eyes": ("eye",), "cheeks and nose": ("cheek", "nose"), "jaw": ("jaw",),
          "lips": ("mouth",)}
"""Groups of expression weights, by the beginning of their names."""
PENALTY = 0.02
"""Of the lasso from which importances are taken."""
EVENLY_LIT = Light.of(0.5, 0.5, 0, 0.3)
LARGEST_TURN = 2.0
"""Degrees by which an edit may move the pose."""


def run(options: Namespace) -> dict:
    """Measure, print the table, write the report.

    Returns:
        What is written with --out.

    Raises:
        ConfigError: a file that is not there, or a descriptor without photos.
        WeightsMissing: there are no semantics beside the weights.
    """
    for path in filter(None, (options.renders, options.london, options.descriptor)):
        if not path.exists():
            raise ConfigError(f"There is no {path}.")
    if options.descriptor and not options.london:
        raise ConfigError("--descriptor looks at photos: name their folder with --london.")
    model = LatentFace.from_pretrained(options.weights)
    if model.semantic_basis is None:
        raise WeightsMissing("There is no semantics.safetensors beside these weights: make it with "
                             "`python -m training.fit_semantics`.")
    figures: dict[str, dict[str, float]] = {key: {} for key in ROWS}
    codes, truth, groups, nuisance = on_renders(model, options.renders)
    rows = torch.from_numpy(codes)
    for name, found in directions(model.autoencoder, model.semantic_basis.directions, rows).items():
        scores = (codes - codes.mean(0)) @ np.linalg.pinv(found.numpy())
        values = dci(scores, truth, groups) | effects(model, rows.mean(0), found)
        values["nuisance"] = explained(scores, nuisance)
        for key, value in values.items():
            figures[f"semantics.{key}"][name] = value
    if options.london:
        descriptor = options.descriptor and Descriptor.read(options.descriptor)
        for key, values in edited(model, options.london, options.people, descriptor).items():
            figures[f"semantics.{key}"] |= values
    title = f"{len(model.semantic_basis.directions)} directions"
    return finish(ROWS, {key: values for key, values in figures.items() if values}, title, options, NAMES)


def directions(autoencoder: Autoencoder, found: Tensor, codes: Tensor) -> dict[str, Tensor]:
    """K directions (K, D) by each way, all scaled to one standard deviation of the codes along them.

    Args:
        autoencoder: whose decoders' first layers are factorised.
        found: (K, D).
        codes: (N, D) of the renders; their principal components are the second way.
    """
    count, size = found.shape
    generator = torch.Generator().manual_seed(0)
    centered = codes - codes.mean(0)
    halves = []
    for number, (decoder, basis, wanted) in enumerate((
            (autoencoder.depth_decoder, autoencoder.depth_basis, count - count // 2),
            (autoencoder.albedo_decoder, autoencoder.albedo_basis, count // 2))):
        first = cast(Tensor, decoder.head[0].weight)
        main = torch.linalg.svd(basis.inverse @ first.T, full_matrices=False).U[:, :wanted].T
        before = number * autoencoder.config.code_size
        halves.append(F.pad(main, (before, size - before - main.shape[1])))
    ways = {"pca": torch.linalg.svd(centered, full_matrices=False).Vh[:count], "sefa": torch.cat(halves),
            "random": torch.randn(count, size, generator=generator)}
    ways = {name: F.normalize(rows, dim=1) for name, rows in ways.items()}
    return {"found": found} | {name: rows * (centered @ rows.T).std(0)[:, None] for name, rows in ways.items()}


def on_renders(model: LatentFace, path: Path) -> tuple[np.ndarray, np.ndarray, list[str], np.ndarray]:
    """Codes (N, D); true factors (N, F), the group of each; and pose and light (N, 9).

    The factors are the expression weights that vary, in groups, and, of the canonical face, mean depth and mean
    brightness of each region.
    """
    with np.load(path) as arrays:
        images = torch.from_numpy(arrays["im"]).movedim(-1, 1).contiguous()
        depth = torch.from_numpy(arrays["cd"]).float().clamp(max=FAR_DEPTH)
        albedo = torch.from_numpy(arrays["ca"]).float().mean(-1) / 255
        weights, nuisance = arrays["ex"], np.concatenate([arrays["view"], arrays["light"]], 1)
    regions = region_maps(model.require_basis().landmarks, depth.shape[-1])
    columns, groups = [], []
    for group, starts in GROUPS.items():
        for k, name in enumerate(EXPRESSION_NAMES):
            if name.startswith(starts) and weights[:, k].std() > 1e-3:
                columns.append(weights[:, k])
                groups.append(group)
    for kind, maps in (("shape", depth), ("albedo", albedo)):
        for name, region in regions.items():
            columns.append((maps * region).sum((1, 2)).numpy())
            groups.append(f"{kind} of {name}")
    return features(model, images), np.stack(columns, 1).astype(np.float64), groups, nuisance


def dci(scores: np.ndarray, truth: np.ndarray, groups: list[str]) -> dict[str, float]:
    """Disentanglement, completeness, gap and informativeness.

    Args:
        scores: (N, K) along the directions.
        truth: (N, F) factors.
        groups: F names; a direction may follow all factors of one group.
    """
    from sklearn.linear_model import Lasso

    scores, truth = _standardized(scores), _standardized(truth)
    names = list(dict.fromkeys(groups))
    member = np.array([[group == name for name in names] for group in groups], float)
    model = Lasso(PENALTY).fit(scores, truth)
    importance = np.abs(np.atleast_2d(model.coef_)).T @ (member / member.sum(0))
    correlation = (scores.T @ truth / len(scores)) ** 2
    best = np.sort(correlation, 0)[::-1]
    gap = (best[0] - best[1]) / np.maximum(best[0], 1e-9)
    return {"disentanglement": _certainty(importance), "completeness": _certainty(importance.T),
            "gap": float(gap @ best[0] / best[0].sum()), "informativeness": explained(scores, truth)}


def _certainty(importance: np.ndarray) -> float:
    """1 − entropy of each row's shares, mean over the rows by their sums; 1: each row has one entry, 0: all alike."""
    total = importance.sum(1)
    shares = importance / np.maximum(total[:, None], 1e-12)
    entropy = -(shares * np.log(np.maximum(shares, 1e-12))).sum(1) / np.log(importance.shape[1])
    return float(((1 - entropy) * total).sum() / max(total.sum(), 1e-12))


def explained(scores: np.ndarray, truth: np.ndarray) -> float:
    """Mean R² of linear regressions from scores (N, K) to each of the truths (N, F), cross-validated."""
    from sklearn.linear_model import LinearRegression
    from sklearn.model_selection import KFold, cross_val_predict

    scores, truth = _standardized(scores), _standardized(truth)
    found = cross_val_predict(LinearRegression(), scores, truth, cv=KFold(5, shuffle=True, random_state=0))
    return float(1 - ((found - truth) ** 2).mean() / (truth**2).mean())


def _standardized(rows: np.ndarray) -> np.ndarray:
    return (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-9)


@torch.no_grad()
def effects(model: LatentFace, mean: Tensor, found: Tensor) -> dict[str, float]:
    """How local and how linear the decoded effects of directions (K, D) on the mean face (D,) are."""
    face = face_mask(model.require_basis().landmarks, model.config.image_size)

    def decode(rows: Tensor) -> Tensor:
        depth, albedo = model.autoencoder.decode(Codes.of(CodePair.of_rows(rows, model.config.code_size)))
        return albedo * shade(depth_to_normal(depth), EVENLY_LIT.expand(len(depth))) * face

    origin = decode(mean[None])
    one, two = (decode(mean + amount * found) - origin for amount in (1, 2))
    squares = two.square().sum(1).flatten(1)
    locality = squares.topk(int(face.sum() / 10), 1).values.sum(1) / squares.sum(1).clamp(min=1e-12)
    linearity = 1 - (two - 2 * one).square().sum((1, 2, 3)) / two.square().sum((1, 2, 3)).clamp(min=1e-12)
    return {"locality": locality.mean().item(), "linearity": linearity.mean().item()}


def edited(model: LatentFace, folder: Path, people: int,
           descriptor: Descriptor | None) -> dict[str, dict[str, float]]:
    """Neutral photos of held-out people whose expression is edited by ± 2 sigma, rendered and analysed again.

    Args:
        model: under test.
        folder: with london.csv and aligned512/.
        people: the first so many.
        descriptor: says whose face it is; None: only the pose is measured.

    Returns:
        Shares by figure and column, "found": this model's pose, "mediapipe": MediaPipe's.
    """
    photos, _, smiles, heldout = london.read(folder, DISPLAY)
    neutral = photos[torch.from_numpy(~smiles & heldout)]
    names = [one.name for one in model.semantics if one.unit == "sigma" and one.part == "expression"]
    gallery = descriptor(neutral) if descriptor else None
    still: dict[str, list[bool]] = {"found": [], "mediapipe": []}
    kept: list[bool] = []
    for index, photo in enumerate(neutral[:people].split(1)):
        face = texture_from_photo(model.analyze(_shrunk(photo, model)), photo, landmarks(photo))
        before = _poses(model, model.render(face, size=DISPLAY))
        for name in names:
            for amount in (-2.0, 2.0):
                after = model.render(model.edit(face, {name: amount}), size=DISPLAY)
                for way, pose in _poses(model, after).items():
                    if way in before:
                        still[way].append(bool(np.degrees(np.abs(pose - before[way])).max() <= LARGEST_TURN))
                if descriptor and gallery is not None:
                    distance = torch.cdist(descriptor(after), gallery)[0]
                    strangers = torch.cat([distance[:index], distance[index + 1:]])
                    kept.append(bool(distance[index] < strangers.median()))
    result = {"pose": {way: float(np.mean(found)) for way, found in still.items() if found}}
    return result | ({"identity": {"found": float(np.mean(kept))}} if kept else {})


def _shrunk(photos: Tensor, model: LatentFace) -> Tensor:
    size = model.config.image_size
    return torch.nn.functional.interpolate(photos, (size, size), mode="area").clamp(0, 1)


def _poses(model: LatentFace, image: Tensor) -> dict[str, np.ndarray]:
    """Pitch, yaw and roll, radians, of one image, by this model and by MediaPipe where it finds a face."""
    found = locate((image[0].clamp(0, 1) * 255).byte().movedim(0, -1).numpy())
    own = model.analyze(_shrunk(image, model)).view.rotation[0].numpy()
    return {"found": own} | ({"mediapipe": found[0].rotation} if found else {})
