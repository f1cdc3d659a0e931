"""The autoencoder's shapes, ranges and symmetry."""

from dataclasses import replace

import pytest
import torch

from core.config import ModelConfig
from core.model.autoencoder import CORRECTION_INPUT_CHANNELS, Autoencoder, _correction_input, mirror
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


def test_detail_changes_the_albedo_alone():
    """Beside the second part of the albedo code, everything is as it is without it."""
    torch.manual_seed(0)
    plain = Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8)).eval().requires_grad_(False)
    model = Autoencoder(replace(plain.config, detail_size=12)).eval().requires_grad_(False)
    model.load_state_dict(plain.state_dict(), strict=False)
    image = torch.rand(2, 3, 32, 32)
    before, after = plain(image), model(image)
    assert after.codes.albedo_code.shape == (2, model.config.albedo_code_size) == (2, 268)
    assert torch.equal(after.codes.albedo_code[:, :256], before.codes.albedo_code)
    for name in ("canon_depth", "shading", "recon_depth", "confidence"):
        assert torch.equal(getattr(after, name), getattr(before, name))
    assert not torch.equal(after.canon_albedo, before.canon_albedo)
    assert after.canon_albedo.min() >= 0 and after.canon_albedo.max() <= 1


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
    """Mirroring depth, albedo, light and pose together mirrors the image: geometry has no preferred side."""
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
    assert difference.mean() < 3e-3


def test_a_guess_that_explains_the_photo_shows_no_difference(model):
    """What the correction is found from: in the photo's place and in the canonical one, both images agree."""
    size = model.config.image_size
    found = model(torch.rand(1, 3, size, size))
    view = View.of(0.1, 0.3, 0.05, 0.01, 0.0)
    y, x = torch.meshgrid(*[torch.linspace(0, 1, size)] * 2, indexing="ij")
    guess = model.render(found.image, found.codes, 1.02 + 0.02 * (y[None] - 0.5).square(), x.expand(1, 3, -1, -1),
                         Light.of(0.4, 0.6, 0.5, 0.1), view, found.confidence)
    compared = _correction_input(guess.recon_image, guess)
    assert compared.shape == (1, CORRECTION_INPUT_CHANNELS, size, size)
    image, recon, brought_back, albedo = (compared[:, k : k + 3] / 2 + 0.5 for k in (0, 3, 6, 9))
    assert torch.allclose(image, recon)
    middle = slice(size // 4, -size // 4)  # what the photo sees
    difference = (brought_back - albedo * (compared[:, 12:13] / 2 + 0.5)).abs()
    assert difference[..., middle, middle].mean() < 0.01


def test_a_new_correction_changes_nothing_and_learns(model):
    image = torch.rand(2, 3, *[model.config.image_size] * 2)
    _, _, view = model.encode_raw(image)
    torch.testing.assert_close(view.rotation, model._split_heads(model._initial_estimate(image)[0])[2].rotation)
    model.requires_grad_(True)
    model.encode_raw(image)[2].rotation.sum().backward()
    for network in (model.view_encoder, model.correction_encoder):
        assert network.head.weight.grad.abs().max() > 0
    assert model.depth_decoder.head[0].weight.grad is None  # the guess is looked at, not taught by what it is asked
    model.zero_grad()
    model.requires_grad_(False)


def test_a_depth_code_that_fell_to_0_can_rise_again():
    torch.manual_seed(0)
    model = Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8))
    with torch.no_grad():
        model.depth_encoder.head.bias.fill_(-100)
    found = model(torch.rand(2, 3, 32, 32))
    assert not found.codes.depth_code.any()
    (found.canon_depth * torch.randn(2, 32, 32)).sum().backward()
    assert model.depth_encoder.head.bias.grad.any()
