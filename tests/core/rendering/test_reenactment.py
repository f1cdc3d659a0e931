"""Reenactment moves the photo as its factors change, and leaves the rest alone."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from core.geometry.camera import backproject, depth_to_normal, transform
from core.geometry.displacement import limit_strain, strain
from core.geometry.rasterizer import rasterize_depth
from core.geometry.shading import shade
from core.rendering.compositor import composite
from core.rendering.reenactment import Reenactment, optical_flow, reenact, same_colors, warp, warp_points
from core.rendering.texture_transfer import texture_from_photo
from core.types import Codes, Factors, Light, View

SIZE = 64
AXIS = (torch.arange(SIZE) + 0.5) / SIZE * 2 - 1
Y, X = torch.meshgrid(AXIS, AXIS, indexing="ij")


def blob(x, y, width=0.12):
    return torch.exp(-((X - x) ** 2 + (Y - y) ** 2) / (2 * width**2))


def factors_of(albedo, confidence=0.9) -> Factors:
    """A smooth frontal head in even light with an albedo (3, H, W)."""
    depth = (0.98 + 0.1 * (X**2 + Y**2)).clamp(max=1.07)[None]
    normal, light, view = depth_to_normal(depth), Light.of(0.8, 0.0, 0, 0), View.of()
    shading = shade(normal, light)
    recon_depth, mask = rasterize_depth(transform(backproject(depth), view), SIZE)
    image = (albedo[None] * shading).clamp(0, 1)
    return Factors(image, depth, albedo[None], normal, shading, image, recon_depth, mask[:, None].float(), image,
                   torch.full_like(shading, confidence), light, view, Codes(torch.zeros(1, 256), torch.zeros(1, 256)))


def skin(*dark) -> torch.Tensor:
    """Albedo with dark spots at places (x, y)."""
    return torch.full((3, SIZE, SIZE), 0.6) - 0.4 * sum(blob(x, y) for x, y in dark)


def photo_of(factors):
    return F.interpolate(factors.image, (256, 256), mode="bicubic").clamp(0, 1)


def test_unchanged_factors_leave_the_photo_alone():
    factors = factors_of(skin((0.1, 0.2)))
    face = texture_from_photo(factors, photo_of(factors))
    torch.testing.assert_close(reenact(face, factors, None).texture, face.texture, atol=2e-3, rtol=0)


def test_motion_is_found_and_only_where_something_moves():
    before, after = skin((-0.1, 0.0), (0.5, -0.5))[None], skin((0.02, 0.0), (0.5, -0.5))[None]
    flow = optical_flow(before, after)
    here = blob(0.02, 0.0) > 0.6
    assert (flow[0, 0][here].mean() + 0.12).abs() < 0.04 and flow[0, 1][here].abs().mean() < 0.02
    assert flow[0][:, blob(0.5, -0.5) > 0.6].abs().mean() < 0.02
    assert (warp(before, flow) - after).abs().mean() < 0.3 * (before - after).abs().mean()


def test_the_photos_detail_moves_with_the_face():
    """A fine line that the maps do not hold goes where the spot under it goes."""
    before, after = factors_of(skin((-0.1, 0.0))), factors_of(skin((0.0, 0.0)))
    photo = photo_of(before)
    photo[..., 64:192, 113:117] = 0.9  # at x = -0.1
    changed = composite(reenact(texture_from_photo(before, photo), after, None), before.view, before.light, 256)
    line = changed[0].mean(0)[118:138].mean(0)[90:170].argmax() + 90
    assert abs(line.item() - 128) <= 4


@pytest.mark.parametrize("confidence, least, most", [(0.9, 0.15, 0.5), (0.05, -0.03, 0.06)])
def test_what_is_left_darkens_where_the_model_is_confident(confidence, least, most):
    before, after = factors_of(skin()), factors_of(skin((0.0, 0.2)), confidence)
    face = texture_from_photo(before, photo_of(before))
    darker = (face.texture - reenact(face, after, None).texture).mean(1)[0]
    middle = darker.shape[-1] // 2
    assert least < darker[int(1.2 * middle), middle] < most
    assert darker[: middle // 2].abs().max() < 0.02


def test_an_expression_moves_the_photo_as_it_moves_the_face():
    factors = factors_of(skin())
    photo = photo_of(factors)
    photo[..., 113:117, 64:192] = 0.2  # at y = -0.1
    raised = torch.stack([torch.zeros_like(X), -0.1 * blob(0.0, -0.1, 0.4) * math.tan(math.radians(5)),
                          torch.zeros_like(X)])[None]
    face = texture_from_photo(factors, photo)
    still = torch.zeros_like(raised)
    lines = [composite(reenact(face, factors, Reenactment(motion, still, [])), factors.view, factors.light, 256)[0]
             .mean(0)[60:150, 118:138].mean(1).argmin().item() + 60 for motion in (still, raised)]
    assert abs(lines[0] - 115) <= 1 and abs(lines[1] - 102) <= 2


def test_hair_and_background_keep_still():
    before, after = factors_of(skin((0.9, 0.0))), factors_of(skin((0.8, 0.0)))
    face = texture_from_photo(before, photo_of(before))
    face = replace(face, alpha=torch.zeros_like(face.alpha))
    assert torch.equal(reenact(face, after, None).texture, face.texture)


def test_landmarks_follow_the_texture():
    """A place that moves 0.1 to the right is found there, so that a reenacted face can be reenacted again."""
    flow = torch.zeros(1, 2, SIZE, SIZE)
    flow[:, 0] = -0.1  # each point shows what was 0.1 to its left
    torch.testing.assert_close(warp_points(torch.tensor([[[0.2, 0.3]]]), flow), torch.tensor([[[0.3, 0.3]]]))


def test_a_motion_that_ends_at_the_edge_of_the_face_does_not_fold():
    """A cheek that rises beside a hard edge: points keep their order, and a gentle flow stays as it is."""
    size = 192
    axis = torch.linspace(-1, 1, size)
    step = torch.zeros(1, 2, size, size)
    step[:, 1, axis > 0] = 0.2
    step[:, 0, :, axis > 0] = -0.2
    for flow in (step, -step):
        found = limit_strain(flow)
        assert strain(flow).max() > 1 > strain(found).max()
    gentle = 0.1 * axis.expand(1, 2, size, size)
    assert torch.equal(limit_strain(gentle), gentle)


def test_a_lighter_skin_is_not_taken_for_motion():
    before = (0.2 + 0.3 * blob(0, 0)).expand(1, 3, -1, -1)
    after = before * torch.tensor([1.8, 1.6, 1.5])[:, None, None]
    assert optical_flow(before, same_colors(after, before)).abs().max() < 1e-3 < optical_flow(before, after).abs().max()
