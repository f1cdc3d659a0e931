"""Directions found without labels, on codes whose effects are known; regions of the face."""

import pytest
import torch

from training.fitting.regions import face_mask, region_maps, strongest_region
from training.fitting.semantics import ALBEDO, SHAPE, fit_directions, project_out, symmetric_maps

SIZE, CODE = 32, 6
TINT = slice(2, 4)


def blob(x: float, y: float) -> torch.Tensor:
    """(SIZE, SIZE) a spot and its mirror image, crop coordinates."""
    axis = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
    rows, columns = torch.meshgrid(axis, axis, indexing="ij")
    return sum((-((columns - side * x) ** 2 + (rows - y) ** 2) / 0.02).exp() for side in (-1, 1))


SPOTS = torch.stack([blob(0.4, -0.4), blob(0.4, 0.5)])
MIXED = torch.linalg.qr(torch.randn(CODE, CODE, generator=torch.Generator().manual_seed(1))).Q


def decode(rows: torch.Tensor) -> torch.Tensor:
    """Two coordinates of the depth half move depth in one spot each, two of the albedo half brightness."""
    depth, albedo = (part @ MIXED[:2].T for part in rows.chunk(2, 1))
    brightness = 0.5 + 0.05 * torch.einsum("nk,kyx->nyx", albedo, SPOTS)
    depths = 1 + 0.01 * torch.einsum("nk,kyx->nyx", depth, SPOTS)
    return symmetric_maps(depths, brightness[:, None].expand(-1, 3, -1, -1))


@pytest.fixture(scope="module")
def found():
    codes = torch.randn(400, 2 * CODE, generator=torch.Generator().manual_seed(0))
    return fit_directions(codes, torch.zeros(2 * CODE), decode, torch.ones(SIZE, SIZE), {SHAPE: 2, ALBEDO: 2}, 0, TINT,
                          CODE, joint=False)


def test_each_direction_moves_one_spot_of_one_map(found):
    assert sorted(found.kinds) == [ALBEDO, ALBEDO, SHAPE, SHAPE]
    spots = []
    for row, kind, influence in zip(found.rows, found.kinds, found.influence, strict=True):
        effect = torch.stack([part @ MIXED[:2].T for part in row.chunk(2)])
        own, other = effect if kind == SHAPE else effect.flip(0)
        assert other.abs().max() < 1e-3
        assert own.abs().min() < 0.15 * own.abs().max()
        spots.append((kind, int(own.abs().argmax())))
        assert influence.max() == 1 and (influence * SPOTS).sum((1, 2)).argmax() == own.abs().argmax()
    assert len(set(spots)) == 4


def test_directions_come_with_their_figures(found):
    assert (found.locality > 0.8).all() and (found.overlap < 0.2).all()
    assert (found.explained > 0.3).all() and (found.explained < 0.7).all()
    assert (found.ranges[:, 0] < -1.5).all() and (found.ranges[:, 1] > 1.5).all()


def test_the_same_seed_finds_the_same_directions(found):
    codes = torch.randn(400, 2 * CODE, generator=torch.Generator().manual_seed(0))
    again = fit_directions(codes, torch.zeros(2 * CODE), decode, torch.ones(SIZE, SIZE), {SHAPE: 2, ALBEDO: 2}, 0,
                           TINT, CODE, joint=False)
    assert torch.equal(found.rows, again.rows)


def test_what_pose_is_read_from_is_projected_out():
    codes = torch.randn(500, CODE, generator=torch.Generator().manual_seed(2))
    pose = codes[:, :1] * 3 + codes[:, 1:2]
    left = codes @ project_out(codes, pose)
    assert (torch.corrcoef(torch.cat([left @ torch.tensor([[3.0], [1], [0], [0], [0], [0]]), pose], 1).T)[0, 1].abs()
            < 0.1)
    assert torch.allclose(left[:, 3:], codes[:, 3:], atol=0.2)


def test_maps_are_symmetric():
    maps = symmetric_maps(torch.rand(2, SIZE, SIZE), torch.rand(2, 3, SIZE, SIZE))
    assert maps.shape == (2, 4, SIZE, SIZE) and torch.equal(maps, maps.flip(-1))


def test_regions_are_named_by_the_landmarks():
    landmarks = torch.rand(478, 2, generator=torch.Generator().manual_seed(0)) * 1.6 - 0.8
    face, regions = face_mask(landmarks, SIZE), region_maps(landmarks, SIZE)
    assert torch.equal(face, face.flip(-1)) and set(face.unique().tolist()) == {0.0, 1.0}
    assert all(strongest_region(region, regions) == name for name, region in regions.items())
