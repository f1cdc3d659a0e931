"""Drawing at display size: pixels stay where the photo has them, turned and relit faces look as the true ones do."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.geometry.camera import backproject, canonical_pixels, depth_to_normal, sample, transform
from core.geometry.rasterizer import rasterize_depth
from core.geometry.shading import shade
from core.rendering.compositor import bake_texture, composite, relight_color, render_layer
from core.rendering.texture_transfer import texture_from_model, texture_from_photo
from core.types import Codes, Factors, Light, View
from training.rig.rig import Rig

LIGHT = Light.of(0.5, 0.5, -0.4, 0.3)
WALL = torch.tensor([0.1, 0.8, 0.2])[:, None, None]
FRONTAL = View.of()


def lit(albedo: np.ndarray, normal: np.ndarray, mask: np.ndarray) -> torch.Tensor:
    """(1, 3, n, n) photo of a rig face in front of a green wall."""
    shading = shade(torch.from_numpy(normal)[None], LIGHT)
    face = torch.from_numpy(albedo).movedim(-1, 0)[None] / 255 * shading
    return torch.where(torch.from_numpy(mask), face, WALL).clamp(0, 1)


def factors_of(image, depth, albedo, view) -> Factors:
    """Factors as a perfect model would find them."""
    normal = depth_to_normal(depth)
    shading = shade(normal, LIGHT)
    recon_depth, mask = rasterize_depth(transform(backproject(depth), view), depth.shape[-1])
    recon = sample(albedo * shading, canonical_pixels(recon_depth, view))
    confidence, codes = torch.full_like(shading, 0.9), Codes(torch.zeros(1, 256), torch.zeros(1, 256))
    return Factors(image, depth, albedo, normal, shading, albedo * shading, recon_depth, mask[:, None].float(), recon,
                   confidence, LIGHT, view, codes)


@pytest.fixture(scope="module")
def rig_face():
    """A function of yaw in degrees: factors at 64 px, photo at 512 px, the true frontal photo and its mask."""
    rig, cache = Rig.load(split="heldout"), {}

    def make(yaw):
        if yaw not in cache:
            person = rig.sample_person(np.random.default_rng(7))
            pose = np.array([0, math.radians(yaw), 0, 0, 0], np.float32)
            small, large = (rig.render(person, np.zeros(57, np.float32), pose, size) for size in (64, 512))
            photo = lit(large.albedo, large.normal, large.mask)
            # A decoder's maps are soft; the training pins far depth and outer columns.
            depth = soft(torch.from_numpy(small.canon_depth).clamp(max=1.07)[None, None])[0]
            depth = F.pad(depth[..., 2:-2], (2, 2), value=1.04)
            albedo = soft(torch.from_numpy(small.canon_albedo).movedim(-1, 0)[None].float() / 255)
            factors = factors_of(F.adaptive_avg_pool2d(photo, 64), depth, albedo, View.of(yaw=math.radians(yaw)))
            frontal = lit(large.canon_albedo, large.canon_normal, large.canon_mask)
            cache[yaw] = factors, photo, frontal, torch.from_numpy(large.canon_mask)
        return cache[yaw]

    return make


def soft(maps):
    return F.avg_pool2d(F.pad(maps, (1, 1, 1, 1), mode="replicate"), 3, 1)


def shift(reference, moved, mask) -> float:
    """Least-squares displacement in pixels of a render (3, n, n) against a reference."""
    slope_y, slope_x = torch.gradient(reference.mean(0))
    slopes = torch.stack([slope_x[mask], slope_y[mask]], -1)
    return torch.linalg.lstsq(slopes, (moved - reference).mean(0)[mask][:, None])[0].norm().item()


def green(render):
    """How much of the wall a render shows, per pixel."""
    return (render[:, 1] - render[:, [0, 2]].amax(1)).clamp(min=0)


@pytest.mark.parametrize("yaw", [-30, 20])
def test_a_renders_depth_light_and_view_reproduce_its_image(rig_face, yaw):
    factors, *_ = rig_face(yaw)
    head = -F.max_pool2d(-factors.recon_mask, 9, 1, 4)
    wall = green(factors.image)[:, None] > 0.05
    seen = (head > 0) & ~(F.max_pool2d(wall.float(), 5, 1, 2) > 0)
    assert seen.float().mean() > 0.4
    assert (factors.recon_image - factors.image).abs().mean(1, keepdim=True)[seen].mean() < 0.03


@pytest.mark.parametrize("size", [256, 512])
def test_own_view_and_light_give_the_photo_back(rig_face, size):
    factors, photo, _, _ = rig_face(-20)
    wanted = F.interpolate(photo, size=(size, size), mode="area")
    render, alpha = render_layer(texture_from_photo(factors, photo), factors.view, factors.light, size)
    head = alpha[0, 0] > 0.99
    assert head.float().mean() > 0.4
    assert (render - wanted).abs().mean(1)[0][head].mean() < 0.004
    for rows in (slice(0, size // 2), slice(size // 2, size)):
        for columns in (slice(0, size // 2), slice(size // 2, size)):
            part = (slice(None), rows, columns)
            assert shift(wanted[0][part], render[0][part], head[rows, columns]) < 0.3


def test_over_its_own_surroundings_the_whole_photo_comes_back(rig_face):
    factors, photo, _, _ = rig_face(-20)
    render = composite(texture_from_photo(factors, photo), factors.view, factors.light, 512)
    assert (render - photo).abs().mean() < 0.004
    assert (render - photo).abs().mean(1).quantile(0.99) < 0.1


@pytest.mark.parametrize("yaw", [-30, 30])
def test_frontalized_is_far_nearer_to_the_true_frontal_face_than_the_photo(rig_face, yaw):
    factors, photo, frontal, mask = rig_face(yaw)
    render, alpha = render_layer(texture_from_photo(factors, photo), FRONTAL, factors.light, 512)
    inside = mask & (alpha[0, 0] > 0.9)
    far_side = torch.arange(512).expand(512, -1) * (1 if yaw < 0 else -1) > (300 if yaw < 0 else -212)
    for part, most in ((inside, 0.35), (inside & far_side, 0.35)):
        ours, nothing = ((one - frontal).abs().mean(1)[0][part].mean() for one in (render, photo))
        assert ours < most * nothing


def test_the_wall_does_not_turn_with_the_head(rig_face):
    factors, photo, _, _ = rig_face(0)
    face = texture_from_photo(factors, photo)
    shown = green(photo).mean()
    for yaw in (-0.5, 0.5):
        render, alpha = render_layer(face, View.of(yaw=yaw), factors.light, 256)
        assert (green(render) * alpha[0]).mean() < 0.5 * shown
    assert alpha[0, 0, :, :20].max() < 1 and alpha.max() > 0.99


def test_light_from_the_left_brightens_the_left(rig_face):
    factors, photo, _, _ = rig_face(0)
    face = texture_from_photo(factors, photo)
    left, right = (composite(face, FRONTAL, Light.of(0.4, 0.6, dx, 0), 256)[0].mean(0) for dx in (1.5, -1.5))
    cheek = (slice(130, 180), slice(50, 80))
    assert (left - right)[cheek].mean() > 0.05
    assert (left - right).flip(-1)[cheek].mean() < -0.05


def test_relighting_neither_explodes_nor_burns_out():
    colour = torch.rand(1, 3, 8, 8)
    torch.testing.assert_close(relight_color(colour, torch.ones(1, 1, 8, 8)), colour)
    strong = relight_color(colour, torch.full((1, 1, 8, 8), 30.0))
    assert strong.max() <= 1 and (strong <= colour * 4 + 1e-5).all()
    assert (relight_color(colour, torch.full((1, 1, 8, 8), 0.5)) - colour / 2).abs().max() < 1e-6


def test_decoded_at_the_models_size_is_the_reconstruction(rig_face):
    factors, *_ = rig_face(-20)
    render = composite(texture_from_model(factors), factors.view, factors.light, 64)
    error = (render - factors.recon_image).abs().mean(1)[0]
    assert error.median() < 0.005 and error.mean() < 0.03  # its rim is drawn smoother on purpose


def test_faces_of_a_batch_do_not_meet(rig_face):
    (one, first, *_), (other, second, *_) = rig_face(-20), rig_face(30)
    both = Factors.cat([one, other])
    view, light = View.of(0.1, 0.2).apply(twice), LIGHT.apply(twice)
    together = composite(texture_from_photo(both, torch.cat([first, second])), view, light, 96)
    for k, (factors, photo) in enumerate(((one, first), (other, second))):
        alone = composite(texture_from_photo(factors, photo), view[k], light[k], 96)
        torch.testing.assert_close(together[k : k + 1], alone, atol=1e-4, rtol=0)


def twice(tensor):
    return torch.cat([tensor, tensor])


def test_background_is_the_chosen_colour(rig_face):
    factors, *_ = rig_face(0)
    render = composite(texture_from_model(factors), View.of(yaw=0.7), factors.light, 64, background=(1.0, 0.0, 0.5))
    torch.testing.assert_close(render[0, :, 2, 2], torch.tensor([1.0, 0.0, 0.5]))


def test_mesh_maps_are_in_the_cameras_convention(rig_face):
    """Corner texels of the texture sit on the field of view, half a model pixel inside the crop."""
    factors, photo, _, _ = rig_face(0)
    ramp = torch.linspace(-1, 1, 1025)[:-1] + 1 / 1024  # crop coordinate of each texel
    face = texture_from_photo(factors, photo)
    face.texture = ramp.expand(1, 3, 1024, 1024).contiguous()
    face.factors = replace(factors, light=Light.of(0.8, 0, 0, 0))
    depth, texture, mask = bake_texture(face, 65)
    assert depth.shape == mask.shape and mask.max() <= 1
    inner = texture[0, 0, 32, 33:]  # positive part: colours are clamped below nothing
    torch.testing.assert_close(inner[:20], (torch.linspace(-1, 1, 65) * 63 / 64)[33:53], atol=2e-3, rtol=0)


def test_a_face_holds_no_larger_block_than_its_texture(rig_face):
    factors, photo, *_ = rig_face(0)
    texture = texture_from_photo(factors, photo).texture
    assert texture.untyped_storage().nbytes() == texture.numel() * texture.element_size()


def test_photos_of_another_shape_are_refused(rig_face):
    factors, photo, _, _ = rig_face(0)
    with pytest.raises(ValueError, match="photo must be"):
        texture_from_photo(factors, photo[0])
