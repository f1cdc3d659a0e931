"""The principal components that the albedo is decoded from."""

import torch

from core.config import ModelConfig
from core.model.autoencoder import Autoencoder
from core.model.detail_coder import residual_of
from core.model.networks import PCADecoder
from core.types import Codes
from training.fitting.eigenfaces import fit_detail, fit_eigenfaces


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


def test_detail_numbers_hold_what_the_first_part_leaves_out():
    torch.manual_seed(0)
    model = Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8, code_size=8, detail_size=12)).eval()
    photos = torch.rand(10, 3, 32, 32)
    fit_detail(model, photos)
    with torch.no_grad():
        codes, light, view = model.encode_raw(photos)
        first = Codes(codes.depth_code, codes.albedo_code[:, :8])
        residual = residual_of(*model.detail_input(photos, first, light, view)[:3])
        decoded = model.detail_coder.decode(model.detail_coder.encoder(residual.flatten(1)))
    assert torch.allclose(decoded, residual, atol=1e-3)
