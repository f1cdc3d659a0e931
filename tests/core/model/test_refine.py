"""Refinement at test time, on renders of people held out of training: better, near, and whole."""

import numpy as np
import pytest
import torch

from core.model.refine import VARIABLES

SLACK = 2e-3
"""Rounding: an image alone and in a batch take other paths through the convolutions."""
POSE_SLACK = 0.01
"""Share by which the mean pose error of renders may change: a fifth of its standard error (docs/results.md)."""


@pytest.fixture(scope="module")
def truth(request):
    """Three renders of each of eight people."""
    with np.load(request.config.rootpath / "tests/data/gate.npz") as arrays:
        return {key: torch.from_numpy(arrays[key]) for key in ("im", "view")}


@pytest.fixture(scope="module")
def images(truth):
    return truth["im"].movedim(-1, 1).float() / 255


@pytest.fixture(scope="module")
def glance(model, images):
    return model.analyze(images)


@pytest.fixture(scope="module")
def refined(model, images):
    return model.analyze(images, refine=True)


def test_the_image_comes_nearer_the_truth_and_the_pose_keeps_its_accuracy(truth, glance, refined):
    def errors(found):
        image = ((found.recon_image - found.image).abs() * found.recon_mask).sum() / found.recon_mask.sum() / 3
        return torch.stack([image, (found.view.rotation - truth["view"][:, :3]).abs().mean()])

    assert (errors(refined) < torch.tensor([0.9, 1 + POSE_SLACK]) * errors(glance)).all()


def test_everything_stays_near_the_first_answer(glance, refined):
    moved = torch.cat([refined.view.rotation - glance.view.rotation,
                       refined.view.translation - glance.view.translation], 1).abs()
    assert (moved < 5 * torch.tensor(VARIABLES["view"].spread)).all()
    assert 0 < (refined.canon_depth - glance.canon_depth).abs().mean() < 0.003
    assert torch.equal(refined.confidence, glance.confidence)


def test_refined_factors_belong_together(model, refined):
    depth, albedo = model.autoencoder.decode(refined.codes)
    assert torch.allclose(depth, refined.canon_depth, atol=1e-5)
    assert torch.allclose(albedo, refined.canon_albedo, atol=1e-5)
    assert not refined.recon_image.requires_grad


def test_an_image_does_not_depend_on_its_batch(model, images, refined):
    alone = model.analyze(images[1:2], refine=True)
    assert torch.allclose(alone.view.rotation, refined.view.rotation[1:2], atol=SLACK)
    assert torch.allclose(alone.canon_depth, refined.canon_depth[1:2], atol=SLACK)
