"""Directions in the codes found without labels (Zheng et al., arXiv 2103.16605, on this model's codes and decoder).

One part of the codes at a time, identity or expression: decode many codes, decompose the decoded maps into sparse,
hence localised, components, and regress the codes linearly on how strong each component is in each face. What a linear
regression reads pose and light from is projected out of the codes before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from core.geometry.filters import blur
from core.types import CodePair

SHAPE, ALBEDO = "shape", "albedo"
CHANNELS = {SHAPE: slice(0, 1), ALBEDO: slice(1, 4)}
"""Channels of `symmetric_maps` that are decomposed together."""
ALBEDO_AXES = ((0.3, 0.59, 0.11), (0.7, -0.59, -0.11), (0.3, 0.2, -0.5))
"""Brightness, redness and yellowness of an RGB albedo."""
GRID = 32
"""Side of the maps that are decomposed; influence is measured on the decoder's own."""
SPARSITY = 0.3
"""Weight of the L1 norm of a component, as part of the norm of a pixel of variance 1 over all faces: larger is more
local."""
ROUNDS = 15
"""Passes of the decomposition over the pixels. scikit-learn's own rules stop after two, before components part."""
RIDGE = 0.1
"""Of the regressions, as part of the inputs' mean variance."""
MAX_SCALE = 4.0
"""Largest factor by which a direction is lengthened so that one sigma of it is one sigma of its component."""


@dataclass
class Directions:
    """K directions of one part of the codes, best first."""

    rows: Tensor
    """(K, D) change of both codes, depth first, by one standard deviation of the component."""
    influence: Tensor
    """(K, H, W) in [0, 1]: how much the decoded maps change."""
    ranges: Tensor
    """(K, 2) the 1st and 99th percentile of the data along the direction, sigma."""
    explained: Tensor
    """(K,) share of the variance of its maps that the component explains."""
    locality: Tensor
    """(K,) share of the squared influence in the tenth of the face where it is strongest."""
    overlap: Tensor
    """(K,) largest absolute cosine of its change of the decoded maps with that of another direction."""
    kinds: list[str]
    """SHAPE or ALBEDO: the maps that the component was found in."""


@dataclass
class Decomposition:
    """Sparse components of maps of one kind, and how strong each is in a map, in standard deviations."""

    model: Any
    """MiniBatchSparsePCA of scikit-learn."""
    face: Tensor
    """(H, W) 1 on the face."""
    spread: Tensor | float = 1.0

    def strengths(self, maps: Tensor) -> Tensor:
        """(N, K) strengths in maps (N, C, H, W) about the mean map."""
        found = torch.from_numpy(self.model.transform(_half(maps, self.face).double().numpy())).float()
        return found / self.spread


def project_out(codes: Tensor, nuisance: Tensor) -> Tensor:
    """Projection (D, D) of changes of codes that leaves out what the nuisances are linearly read from.

    Args:
        codes: (N, D).
        nuisance: (N, E) pose and light of the same faces.
    """
    readers = regression(codes - codes.mean(0), (nuisance - nuisance.mean(0)) / nuisance.std(0).clamp(min=1e-6))
    basis = torch.linalg.qr(readers).Q
    return torch.eye(codes.shape[1]) - basis @ basis.T


def regression(inputs: Tensor, outputs: Tensor) -> Tensor:
    """(D, E) coefficients of the ridge regression outputs (N, E) ≈ inputs (N, D) @ coefficients."""
    gram = inputs.T @ inputs
    return torch.linalg.solve(gram + RIDGE * gram.diagonal().mean() * torch.eye(len(gram)), inputs.T @ outputs)


def symmetric_maps(depth: Tensor, albedo: Tensor) -> Tensor:
    """Maps (N, 4, H, W) to decompose: depth, then three axes of albedo, each the mean of the map and its mirror."""
    axes = torch.einsum("kc,nchw->nkhw", albedo.new_tensor(ALBEDO_AXES), albedo)
    maps = torch.cat([depth[:, None], axes], 1)
    return (maps + maps.flip(-1)) / 2


def fit_directions(codes: Tensor, mean: Tensor, decode: Callable[[Tensor], Tensor], face: Tensor,
                   counts: dict[str, int], seed: int, tint: slice, depth_size: int, joint: bool) -> Directions:
    """Find the directions of one part of the codes.

    Args:
        codes: (N, D) changes of the codes about `mean`, without pose and light.
        mean: (D,) code of the mean face.
        decode: (N, D) codes to `symmetric_maps`.
        face: (H, W) 1 on the face, 0 beside it, symmetric.
        counts: number of components by kind of map.
        seed: of the decomposition.
        tint: channels of the maps whose mean over the face is left out: light's colour rather than the face's own.
        depth_size: length of the depth code, which comes first in the codes.
        joint: whether a component changes both codes; else shape the depth code and albedo the albedo code alone.
    """
    maps = decode(mean + codes)
    center = maps.mean(0)

    def about_mean(found: Tensor) -> Tensor:
        change = (found - center) * face
        change[:, tint] -= change[:, tint].sum((2, 3), keepdim=True) / face.sum() * face
        return change

    maps = about_mean(maps)
    spread = maps.square().mean((0, 2, 3), keepdim=True).sqrt().clamp(min=1e-4)
    maps = maps / spread
    fitted = {kind: decompose(maps[:, CHANNELS[kind]], face, count, seed) for kind, count in counts.items()}
    strengths = torch.cat([one.strengths(maps[:, CHANNELS[kind]]) for kind, one in fitted.items()], 1)
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    rows = regression(strengths, codes)
    if not joint:
        shaped = torch.tensor([kind == SHAPE for kind in kinds])[:, None]
        pair = CodePair.of_rows(rows, depth_size)
        rows = CodePair(pair.depth * shaped, pair.albedo * ~shaped).rows
    steps = [about_mean(decode(mean + sign * rows)) / spread for sign in (-1, 1)]
    change = (steps[1] - steps[0]) / 2
    own = torch.cat([one.strengths(change[:, CHANNELS[kind]]) for kind, one in fitted.items()], 1).diagonal()
    length = (1 / own.clamp(min=1 / MAX_SCALE)).clamp(max=MAX_SCALE)
    return _ranked(rows * length[:, None], strengths, change, maps, kinds, face)


def decompose(maps: Tensor, face: Tensor, count: int, seed: int) -> Decomposition:
    """`count` sparse components of maps (N, C, H, W) on a face (H, W)."""
    from sklearn.decomposition import MiniBatchSparsePCA

    alpha = SPARSITY * len(maps) ** 0.5
    model = MiniBatchSparsePCA(
        count, alpha=alpha,  # pyright: ignore[reportArgumentType]  # typed as int
        max_no_improvement=None,  # pyright: ignore[reportArgumentType]  # typed as int
        batch_size=64, max_iter=ROUNDS, tol=0, random_state=seed)
    model.fit(_half(maps, face).double().numpy())
    found = Decomposition(model, face)
    found.spread = found.strengths(maps).std(0).clamp(min=1e-6)
    return found


def _half(maps: Tensor, face: Tensor) -> Tensor:
    """Pixels (N, P) of the face's left half of symmetric maps (N, C, H, W), at `GRID`."""
    half = F.interpolate(maps, (GRID, GRID), mode="area")[..., : GRID // 2]
    inside = F.interpolate(face[None, None], (GRID, GRID), mode="area")[0, 0, :, : GRID // 2] > 0.5
    return half[:, :, inside].flatten(1)


def _ranked(rows: Tensor, strengths: Tensor, change: Tensor, maps: Tensor, kinds: list[str],
            face: Tensor) -> Directions:
    """The directions with their figures, by explained share × locality × what they do not share with others."""
    squares = torch.stack([one[CHANNELS[kind]].square().mean(0) for one, kind in zip(change, kinds, strict=True)])
    flat = squares.flatten(1)
    locality = flat.topk(int(face.sum() / 10), 1).values.sum(1) / flat.sum(1).clamp(min=1e-12)
    explained = torch.stack([_explained(strengths[:, k], maps[:, CHANNELS[kind]]) for k, kind in enumerate(kinds)])
    unit = F.normalize(change.flatten(1), dim=1)
    overlap = ((unit @ unit.T).abs() - torch.eye(len(unit))).amax(1).clamp(0, 1)
    influence = blur(squares[:, None].sqrt(), 1)[:, 0]
    influence = influence / influence.amax((1, 2), keepdim=True).clamp(min=1e-9)
    ranges = torch.stack([strengths.quantile(0.01, 0), strengths.quantile(0.99, 0)], 1)
    order = (explained * locality * (1 - overlap)).argsort(descending=True, stable=True)
    return Directions(rows[order], influence[order], ranges[order], explained[order], locality[order], overlap[order],
                      [kinds[k] for k in order.tolist()])


def _explained(strength: Tensor, maps: Tensor) -> Tensor:
    """Share of the variance of maps (N, C, H, W) that a strength (N,) of variance 1 explains linearly."""
    flat = maps.flatten(1)
    return (strength @ flat).square().sum() / len(flat) / flat.square().sum()
