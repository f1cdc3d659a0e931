"""The contrast of faces: what it rewards, and whom it does not set against himself."""

import torch

from core.types import Codes
from training.objective.contrast import NOBODY, IdentityContrast


def codes(rows):
    return Codes(rows, rows.clone())


def test_it_falls_when_the_pictures_of_a_face_are_alike():
    torch.manual_seed(0)
    contrast = IdentityContrast(16, memory=64).eval()
    faces, noise = torch.rand(4, 16), torch.rand(4, 16)
    nobody = torch.full((8,), NOBODY)
    near, far = (contrast(codes(torch.cat([faces, other])), nobody) for other in (faces + 0.1 * noise, noise))
    assert near < far


def test_a_person_in_the_memory_is_no_stranger_to_himself():
    torch.manual_seed(0)
    contrast = IdentityContrast(16, memory=8, temperature=0.02)
    pictures, person = codes(torch.rand(8, 16)), torch.arange(4).repeat(2)
    contrast(pictures, person)
    same, others = contrast.eval()(pictures, person), contrast(pictures, person + 4)
    assert same < others / 2
