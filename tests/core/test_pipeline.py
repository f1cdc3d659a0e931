"""The public interface on the bundled weights and the bundled photos."""

import pytest
import torch
from PIL import Image

from core.config import ModelConfig
from core.errors import WeightsDamaged, WeightsMissing
from core.model.autoencoder import Autoencoder
from core.model.weights import BUNDLED, fingerprint_autoencoder, load_weights, save_weights
from core.pipeline import LatentFace
from core.types import Light, View


@pytest.fixture(scope="module")
def model():
    return LatentFace.from_pretrained()


@pytest.fixture(scope="module")
def face(model, request):
    photo = Image.open(sorted((request.config.rootpath / "assets/examples").glob("*.jpg"))[0])
    return model.find_faces(photo)[0]


@pytest.fixture(scope="module")
def factors(model, face):
    return model.analyze([face])


def test_analyze_explains_a_photo(model, face, factors):
    size = model.config.image_size
    assert face.image.shape == (3, size, size)
    mask = factors.recon_mask
    error = ((factors.recon_image - face.image[None]).abs() * mask).sum() / mask.sum() / 3
    assert error < 0.08
    # A studio portrait is frontal, and its nose is nearer than its cheeks.
    assert factors.view.rotation.abs().max() < 0.25
    middle, cheek = size // 2, size // 5
    assert factors.canon_depth[0, middle, middle] < factors.canon_depth[0, middle, cheek] - 0.01


def test_batches_of_any_length_agree(model, face):
    images = face.image.expand(40, -1, -1, -1) * torch.linspace(0.5, 1, 40)[:, None, None, None]
    together = model.analyze(images)
    assert torch.allclose(together.canon_depth[[0, 39]], model.analyze(images[[0, 39]]).canon_depth, atol=1e-4)
    assert torch.allclose(model.encode(images).depth_code, together.codes.depth_code, atol=1e-3)


@pytest.mark.parametrize("images", [torch.rand(3, 64, 64), torch.rand(1, 3, 60, 60), torch.rand(1, 3, 64, 64) * 255,
                                    torch.full((1, 3, 64, 64), torch.nan), torch.rand(0, 3, 64, 64)])
def test_wrong_pictures_are_refused(model, images):
    with pytest.raises(ValueError, match="images must be"):
        model.analyze(images)


def test_render_follows_view_and_light(model, face, factors):
    own = model.render(factors, size=96)
    assert own.shape == (1, 3, 96, 96) and own.min() >= 0 and own.max() <= 1
    turned = model.render(factors, view=View.of(yaw=0.5), size=96)
    assert (turned - own).abs().mean() > 0.01
    left, right = (model.render(factors, View.of(), Light.of(0.2, 0.8, dx, 0), 96)[0, :, 30:60] for dx in (2, -2))
    middle = slice(24, 72)
    assert left[..., 24:48].mean() > left[..., 48:72].mean() and right[..., 24:48].mean() < right[..., 48:72].mean()
    assert (left[..., middle] - right[..., middle]).abs().mean() > 0.02
    with_detail = model.render(factors, size=96, photo=face.full)
    assert with_detail.shape == (1, 3, 96, 96)


def test_missing_and_damaged_weights(tmp_path, model, monkeypatch):
    with pytest.raises(WeightsMissing, match="nowhere"):
        LatentFace.from_pretrained(tmp_path / "nowhere.safetensors")
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(BUNDLED.read_bytes()[:10_000])
    with pytest.raises(WeightsDamaged, match="cut"):
        LatentFace.from_pretrained(cut)
    other = tmp_path / "other.safetensors"
    save_weights(other, {"light": torch.zeros(1)}, model.config, {})
    monkeypatch.setenv("LATENTFACE_WEIGHTS", str(other))
    with pytest.raises(WeightsDamaged, match="other"):
        LatentFace.from_pretrained()


def test_bundled_weights_are_small():
    assert sum(path.stat().st_size for path in BUNDLED.parent.iterdir()) <= 30e6


def test_stored_weights_are_stored_the_same_again(tmp_path):
    """Or diffusion weights would not know the autoencoder that they were made for."""
    config = ModelConfig(image_size=32, width=8, pose_width=8)
    state = Autoencoder(config).state_dict()
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    save_weights(first, state, config, {})
    _, read = load_weights(first)
    save_weights(second, read, config, {})
    assert first.read_bytes() == second.read_bytes()
    assert fingerprint_autoencoder(read) == fingerprint_autoencoder(state)
    assert read.keys() == state.keys()
    for name, tensor in state.items():
        torch.testing.assert_close(read[name], tensor, rtol=1e-3, atol=max(1e-6, tensor.abs().max().item() / 200))
