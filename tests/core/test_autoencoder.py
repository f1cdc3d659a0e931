"""The autoencoder's shapes, ranges and symmetry."""

import pytest
import torch

from core.autoencoder import Autoencoder, mirror
from core.config import ModelConfig
from core.types import Light, View


@pytest.fixture(scope="module", params=[32, 64, 128])
def model(request):
    torch.manual_seed(0)
    return Autoencoder(ModelConfig(image_size=request.param, width=8, pose_width=8)).eval().requires_grad_(False)


def test_shapes_and_ranges(model):
    size = model.config.image_size
    factors = model(torch.rand(2, 3, size, size))
    assert factors.canon_depth.shape == factors.recon_depth.shape == (2, size, size)
    assert factors.canon_normal.shape == (2, size, size, 3)
    assert factors.recon_image.shape == factors.canon_image.shape == factors.canon_albedo.shape == (2, 3, size, size)
    assert factors.confidence.shape == factors.shading.shape == factors.recon_mask.shape == (2, 1, size, size)
    assert factors.codes.depth_code.shape == factors.codes.albedo_code.shape == (2, 256)
    assert factors.canon_depth.min() >= 0.9 and factors.canon_depth.max() <= 1.1
    assert factors.canon_albedo.min() >= 0 and factors.canon_albedo.max() <= 1
    assert factors.confidence.min() > 0 and factors.confidence.max() <= 1
    assert factors.codes.depth_code.min() >= 0
    assert torch.allclose(factors.light.direction.norm(dim=-1), torch.ones(2))
    assert (factors.light.direction[:, 2] > 0).all()
    assert factors.view.rotation.abs().max() <= torch.pi / 3 and factors.view.translation.abs().max() <= 0.1


def test_border_columns_are_tied_down(model):
    depth, _ = model.decode(model.encode(torch.rand(1, 3, *[model.config.image_size] * 2)))
    columns = model.config.image_size // 32
    for border in (depth[..., :columns], depth[..., -columns:]):
        assert torch.all(border == model.config.border_depth)


def test_frontal_view_leaves_the_canonical_image(model):
    size = model.config.image_size
    found = model(torch.rand(1, 3, size, size))
    factors = model.render(found.image, found.codes, found.canon_depth, found.canon_albedo,
                           Light.of(0.5, 0.5, 0.3, 0.2), View.of(), found.confidence)
    assert torch.allclose(factors.recon_image, factors.canon_image, atol=1e-3)
    assert factors.recon_mask.min() == 1


def test_mirrored_factors_give_the_mirrored_picture(model):
    """Mirroring depth, albedo, light and pose together mirrors the picture: geometry has no preferred side."""
    size = model.config.image_size
    found = model(torch.rand(1, 3, size, size))
    found.canon_depth = found.canon_depth + 0.03 * torch.linspace(0, 1, size)
    args = (found.image, found.codes)
    one = model.render(*args, found.canon_depth, found.canon_albedo, Light.of(0.4, 0.6, 0.5, 0.1),
                       View.of(0.1, 0.2, 0.05, 0.01, 0.0), found.confidence)
    two = model.render(*args, *mirror(found), Light.of(0.4, 0.6, -0.5, 0.1),
                       View.of(0.1, -0.2, -0.05, -0.01, 0.0), found.confidence)
    both = one.recon_mask.bool() & two.recon_mask.flip(-1).bool()
    assert both.float().mean() > 0.7
    difference = (one.recon_image - two.recon_image.flip(-1)).abs() * both
    # Grid cells are split along one diagonal, which mirroring turns round: not exact where a cell bends.
    assert difference.mean() < 2e-3
