"""The fine stage: untrained it enlarges, its maps and the photo's crop meet where the camera says, errors are plain."""

import math

import pytest
import torch

from core.config import FineConfig, ModelConfig
from core.errors import ConfigError
from core.geometry.camera import FIELD_OF_VIEW, crop_tangent
from core.geometry.shading import shade
from core.model.autoencoder import Autoencoder
from core.model.fine import BRIGHTEST, DARKEST, FineStage, enlarge, photo_pixels, unwarp
from core.types import View

SMALL, LARGE = 32, 64
CONFIG = FineConfig(image_size=LARGE, coarse_size=SMALL, width=8, levels=3)


@pytest.fixture
def photo():
    return torch.rand(2, 3, LARGE, LARGE)


@pytest.fixture
def coarse(photo):
    model = Autoencoder(ModelConfig(image_size=SMALL, width=8, pose_width=8)).eval()
    with torch.no_grad():
        return model(torch.nn.functional.avg_pool2d(photo, 2))


@torch.no_grad()
def test_an_untrained_stage_gives_the_enlarged_maps(coarse, photo):
    found = FineStage(CONFIG)(coarse, photo)
    assert torch.allclose(found.canon_depth, enlarge(coarse.canon_depth, LARGE), atol=1e-6)
    enlarged = enlarge(coarse.canon_albedo, LARGE).clamp(DARKEST, BRIGHTEST)
    assert torch.allclose(found.canon_albedo, enlarged, atol=1e-5)
    assert torch.allclose(found.shading, shade(found.canon_normal, coarse.light), atol=1e-6)
    assert found.codes == coarse.codes and found.view == coarse.view and found.light == coarse.light


@torch.no_grad()
def test_every_map_has_the_photos_size(coarse, photo):
    found = FineStage(CONFIG)(coarse, photo)
    for name in ("image", "canon_albedo", "canon_image", "recon_image"):
        assert getattr(found, name).shape == (2, 3, LARGE, LARGE)
    for name in ("shading", "recon_mask", "confidence"):
        assert getattr(found, name).shape == (2, 1, LARGE, LARGE)
    assert found.canon_depth.shape == found.recon_depth.shape == (2, LARGE, LARGE)
    assert found.canon_normal.shape == (2, LARGE, LARGE, 3)


def test_enlarged_maps_keep_their_corners():
    small = torch.rand(1, 3, SMALL, SMALL)
    large = enlarge(small, LARGE)
    assert torch.allclose(large[..., ::LARGE - 1, ::LARGE - 1], small[..., ::SMALL - 1, ::SMALL - 1], atol=1e-5)


def test_the_photo_is_read_where_the_camera_sees_it(coarse):
    """A flat face before the camera; the photo holds its own crop coordinates."""
    axis = (torch.arange(LARGE) + 0.5) / LARGE * 2 - 1
    photo = torch.stack(torch.meshgrid(axis, axis, indexing="xy"))[None].repeat(2, 2, 1, 1)[:, :3]
    coarse.canon_depth, coarse.recon_depth = torch.ones(2, SMALL, SMALL), torch.ones(2, SMALL, SMALL)
    coarse.view = View(torch.zeros(2, 3), torch.zeros(2, 2))
    wanted = torch.linspace(-1, 1, LARGE) * math.tan(FIELD_OF_VIEW / 2) / crop_tangent(SMALL)
    found = unwarp(coarse, photo).image
    assert torch.allclose(found[0, 0, LARGE // 2], wanted, atol=1e-4)
    assert torch.allclose(found[0, 1, :, LARGE // 2], wanted, atol=1e-4)


def test_canonical_pixels_lie_where_the_photo_shows_them():
    pixels, depth, mask = photo_pixels(torch.ones(1, LARGE, LARGE), View.of(), SMALL)
    tangent = ((torch.arange(LARGE) + 0.5) / LARGE * 2 - 1) * crop_tangent(SMALL)
    wanted = (tangent / math.tan(FIELD_OF_VIEW / 2) + 1) * (LARGE - 1) / 2
    inside = mask[0, LARGE // 2]
    assert torch.allclose(pixels[0, LARGE // 2, inside, 0], wanted[inside], atol=1e-3)
    assert torch.allclose(depth[mask], torch.ones(()), atol=1e-5)
    assert inside[1:-1].all(), "the crop is wider than the field of view by less than a pixel"


def test_what_is_turned_away_is_not_seen(coarse, photo):
    coarse.canon_depth, coarse.recon_depth = torch.ones(2, SMALL, SMALL), torch.ones(2, SMALL, SMALL)
    coarse.view = View(torch.tensor([[0, 0, 0], [0, math.radians(89), 0]]), torch.zeros(2, 2))
    seen = unwarp(coarse, photo).seen
    assert (seen[0, 0, 2:-2, 2:-2] == 1).all() and (seen[1] == 0).all()


@torch.no_grad()
def test_residual_depth_has_no_steps_of_two_pixels(coarse, photo):
    stage = FineStage(CONFIG)
    torch.nn.init.normal_(stage.net.detail[-2].bias)
    seen = unwarp(coarse, photo)
    residual = stage.correct(seen)[0] - seen.depth
    assert residual.abs().max() > 1e-5
    assert residual[:, 1:-1, 1:-1].std() < 1e-6


def test_gradients_reach_every_weight(coarse, photo):
    stage = FineStage(CONFIG)
    for last in (stage.net.detail[-2], stage.net.shape, stage.net.light):
        torch.nn.init.normal_(last.weight, std=0.01)
    found = stage(coarse, photo)
    (found.recon_image.square().mean() + found.canon_normal[..., 0].square().mean()).backward()
    assert not [name for name, weight in stage.named_parameters() if weight.grad is None or not weight.grad.any()]


def test_other_sizes_are_refused(coarse):
    with pytest.raises(ValueError, match="64 px beside factors of 32 px"):
        FineStage(CONFIG)(coarse, torch.rand(2, 3, 96, 96))
    with pytest.raises(ConfigError, match="multiple of 8"):
        FineConfig(image_size=60, coarse_size=32, levels=3)
    with pytest.raises(ConfigError, match="levels"):
        FineConfig(levels=1)
