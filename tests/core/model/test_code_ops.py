"""Codes taken apart and put together: who with which expression."""

import pytest
import torch

from core.config import DiffusionConfig, ModelConfig
from core.errors import WeightsMissing
from core.model.autoencoder import Autoencoder
from core.model.code_ops import interpolate, neutral, swap
from core.model.diffusion import Diffusion
from core.model.weights import diffusion_path, fingerprint_autoencoder, save_weights
from core.pipeline import LatentFace
from core.types import CodePair, Codes


def codes_of(count, seed):
    generator = torch.Generator().manual_seed(seed)
    parts = torch.randn(4, count, 8, generator=generator)
    return Codes.of(CodePair(*parts[:2]), CodePair(*parts[2:]))


@pytest.fixture
def a():
    return codes_of(2, seed=1)


@pytest.fixture
def b():
    return codes_of(2, seed=2)


def assert_same(one: CodePair, other: CodePair):
    torch.testing.assert_close(one.depth, other.depth)
    torch.testing.assert_close(one.albedo, other.albedo)


def test_swap_takes_identity_of_one_and_expression_of_the_other(a, b):
    swapped = swap(a, b)
    assert_same(swapped.identity, a.identity)
    assert_same(swapped.expression, b.expression)
    assert_same(swapped.whole, a.identity + b.expression)


def test_amounts_of_depth_and_albedo_are_apart(a, b):
    swapped = swap(a, b, depth=0.0, albedo=1.5)
    torch.testing.assert_close(swapped.depth_code, a.depth_code)
    moved = b.expression.albedo - a.expression.albedo
    torch.testing.assert_close(swapped.albedo_code, a.albedo_code + 1.5 * moved)


def test_one_face_swaps_with_many(a, b):
    swapped = swap(a[0], b)
    assert_same(swapped[1].whole, a[0].identity + b[1].expression)


@pytest.mark.parametrize("what", ["identity", "expression", "code"])
def test_interpolation_moves_what_is_named(a, b, what):
    half = interpolate(a, b, 0.5, what)
    for name in ("identity", "expression"):
        first, second = getattr(a, name), getattr(b, name)
        wanted = CodePair(*(x / 2 for x in vars(first + second).values())) if what in (name, "code") else first
        assert_same(getattr(half, name), wanted)
    assert_same(interpolate(a, b, 0.0, what).whole, a.whole)


def test_neutral_is_the_identity_alone(a):
    assert_same(neutral(a).whole, a.identity)


def test_parts_survive_choosing_and_joining(a, b):
    both = Codes.cat([a, b])
    assert_same(both[3].identity, b[1].identity)


def test_identity_is_looked_for_once_and_when_wanted():
    asked = []

    def find(codes):
        asked.append(codes)
        return CodePair(codes.depth_code / 2, codes.albedo_code / 4)

    codes = Codes(torch.ones(1, 8), torch.ones(1, 8), find)
    assert not asked
    torch.testing.assert_close(codes.expression.albedo, torch.full((1, 8), 0.75))
    assert codes.identity is codes.identity and len(asked) == 1
    with pytest.raises(WeightsMissing, match="LatentFace.encode"):
        _ = Codes(torch.ones(1, 8), torch.ones(1, 8)).identity


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Small random weights of both stages that belong together."""
    torch.manual_seed(0)
    folder, config = tmp_path_factory.mktemp("weights"), ModelConfig(image_size=32, width=8, pose_width=8)
    state, path = Autoencoder(config).state_dict(), folder / "autoencoder.safetensors"
    save_weights(path, state, config, {})
    small = DiffusionConfig(width=32, blocks=1)
    # What is stored in half precision is what codes are made with.
    save_weights(diffusion_path(path), Diffusion(small).state_dict(), small, {"encoders": fingerprint_autoencoder(state)})
    return folder


def test_a_face_gets_another_ones_expression_in_its_own_place(folder):
    model = LatentFace.from_pretrained(folder / "autoencoder.safetensors")
    faces = model.analyze(torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    swapped = model.swap(faces[0], faces)
    assert swapped.recon_image.shape == (3, 3, 32, 32)
    assert torch.equal(swapped.view.rotation, faces[0].view.rotation.expand(3, -1))
    torch.testing.assert_close(swapped[0].canon_depth, faces[0].canon_depth)
    assert not torch.allclose(swapped[1].canon_albedo, faces[0].canon_albedo)
    torch.testing.assert_close(model.interpolate(faces[0], faces[1], 1.0).canon_albedo, faces[1].canon_albedo)
    assert_same(model.neutral(faces).codes.whole, faces.codes.identity)


def test_the_way_of_the_expression_ends_at_the_swap(folder):
    model = LatentFace.from_pretrained(folder / "autoencoder.safetensors")
    known = model.diffusion.expressions
    for number, table in enumerate((known.reader, known.effects, known.motion)):
        table.normal_(generator=torch.Generator().manual_seed(number))
    faces = model.analyze(torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    end, swapped = model.interpolate(faces[0], faces[1], 1.0, "expression"), model.swap(faces[0], faces[1])
    assert_same(end.codes.whole, swapped.codes.whole)
    torch.testing.assert_close(end.canon_albedo, swapped.canon_albedo)
    weights = known.read(faces[1].codes.whole - faces[0].codes.whole)
    assert_same(swapped.codes.whole - faces[0].codes.whole, known.changes(weights))
    torch.testing.assert_close(model.motion(faces[0], faces[1]), known.moves(weights))


def test_features_are_the_papers(folder):
    model = LatentFace.from_pretrained(folder / "autoencoder.safetensors")
    images = torch.rand(2, 3, 32, 32)
    codes = model.encode(images)
    found = model.features(images, "expression").split(256, 1)
    for part, wanted in zip(found, (codes.expression.depth, codes.depth_code, codes.expression.albedo,
                                    codes.albedo_code), strict=True):
        torch.testing.assert_close(part, wanted)
    assert torch.equal(model.features(images, "identity")[:, :256], codes.identity.depth)
    assert torch.equal(model.features(images, "code"), torch.cat([codes.depth_code, codes.albedo_code], 1))


def test_diffusion_weights_of_another_autoencoder_are_not_used(folder, tmp_path):
    torch.manual_seed(1)
    config, path = ModelConfig(image_size=32, width=8, pose_width=8), tmp_path / "autoencoder.safetensors"
    save_weights(path, Autoencoder(config).state_dict(), config, {})
    diffusion_path(path).write_bytes(diffusion_path(folder / path.name).read_bytes())
    model = LatentFace.from_pretrained(path)
    codes = model.analyze(torch.rand(1, 3, 32, 32)).codes
    with pytest.raises(WeightsMissing, match="train_diffusion"):
        _ = codes.identity
    assert model.features(torch.rand(1, 3, 32, 32), "code").shape == (1, 512)
