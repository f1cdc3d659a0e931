"""The contrast of faces: copies of a face attract, other faces repel, a person's own images in memory do not."""

import torch

from core.types import Codes
from training.objective.contrast import NOBODY, IdentityContrast


def codes(rows):
    return Codes(rows, rows.clone())


def test_loss_falls_when_the_images_of_a_face_agree():
    torch.manual_seed(0)
    contrast = IdentityContrast(16, 16, memory=64).eval()
    faces, noise = torch.rand(4, 16), torch.rand(4, 16)
    nobody = torch.full((8,), NOBODY)
    near, far = (contrast(codes(torch.cat([faces, other])), nobody) for other in (faces + 0.1 * noise, noise))
    assert near < far


def test_images_of_the_same_person_in_memory_are_no_negatives():
    torch.manual_seed(0)
    contrast = IdentityContrast(16, 16, memory=8, temperature=0.02)
    images, person = codes(torch.rand(8, 16)), torch.arange(4).repeat(2)
    contrast(images, person)
    same, others = contrast.eval()(images, person), contrast(images, person + 4)
    assert same < others / 2
