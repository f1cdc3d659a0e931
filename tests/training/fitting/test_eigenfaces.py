"""The principal components that initialize the albedo decoder."""

import torch

from core.model.networks import PCADecoder
from training.fitting.eigenfaces import fit_eigenfaces


def test_codes_of_unit_variance_reconstruct_the_images():
    torch.manual_seed(0)
    size, count = 16, 40
    basis = torch.randn(5, 3 * size * size) * torch.tensor([0.5, 0.3, 0.2, 0.1, 0.1])[:, None]
    faces = (torch.randn(count, 5) @ basis).sigmoid().view(count, 3, size, size)
    decoder = PCADecoder(size, 8, 32, 3).requires_grad_(False)
    fit_eigenfaces(decoder, faces)
    logits = faces.logit().flatten(1) - decoder.linear.bias
    codes = torch.linalg.lstsq(decoder.linear.weight[:, :5], logits.T).solution.T
    assert torch.allclose(codes.square().mean(0), torch.ones(5), atol=0.01)
    codes = torch.nn.functional.pad(codes, (0, 32 - 5))
    assert torch.allclose(decoder(codes).sigmoid(), faces, atol=1e-3)
