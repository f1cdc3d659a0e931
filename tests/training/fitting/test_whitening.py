"""Whitened codes: scatter within people is isotropic, and decoded faces stay the same."""

import torch

from core.config import ModelConfig
from core.model.autoencoder import Autoencoder
from training.data.code_frames import PHOTOS, Frames
from training.fitting.whitening import whiten, within_person_basis


def test_scatter_within_people_becomes_isotropic_and_between_people_sorted():
    torch.manual_seed(0)
    person = torch.arange(300).repeat_interleave(8)
    people = torch.randn(300, 4) * torch.tensor([1.0, 4.0, 0.5, 1.0])
    codes = people[person] + torch.randn(2400, 4) @ (torch.eye(4) + 0.3 * torch.randn(4, 4))
    white = codes @ within_person_basis(codes, person)
    means = torch.stack([white[person == number].mean(0) for number in range(300)])
    within = (white - means[person]).T.cov()
    assert (within - torch.eye(4)).abs().max() < 0.1
    spread = means.std(0)
    assert (spread[:-1] >= spread[1:]).all() and spread[0] > 1.2 * spread[-1]


def test_whitened_codes_decode_to_the_same_faces():
    torch.manual_seed(0)
    model = Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8, code_size=8, detail_size=4)).eval()
    images = torch.rand(96, 3, 32, 32) * torch.rand(96, 3, 1, 1)
    with torch.no_grad():
        before = model(images)
        codes = torch.cat([before.codes.depth_code, before.codes.albedo_code], 1)
        person = torch.arange(32).repeat_interleave(3)
        frames = whiten(model, Frames(codes, person, torch.arange(96), torch.full((96,), PHOTOS),
                                      torch.full((96, 57), torch.nan)))
        after = model(images)
    assert (after.codes.depth_code - frames.data[:, :8]).abs().max() < 0.02
    assert (after.codes.depth_code - before.codes.depth_code).abs().max() > 0.1
    assert (after.canon_depth - before.canon_depth).abs().max() < 1e-4
    assert (after.canon_albedo - before.canon_albedo).abs().max() < 1e-3


def test_directions_that_hardly_vary_are_left_out():
    torch.manual_seed(0)
    person = torch.arange(100).repeat_interleave(4)
    codes = torch.randn(400, 4)
    codes[:, 2] = 0
    codes[0, 2] = 0.1
    basis = within_person_basis(codes, person)
    assert (basis.abs().sum(0) == 0).sum() == 1
    strange = torch.tensor([[0.0, 0.0, 50.0, 0.0]])
    assert (strange @ basis).abs().max() < 5  # else some hundreds


def test_a_code_that_never_varies_has_no_directions():
    assert not within_person_basis(torch.zeros(40, 4), torch.arange(10).repeat_interleave(4)).any()
