"""Edits by name: found directions and expression weights."""

import pytest
import torch

from core.config import DiffusionConfig, ModelConfig, SemanticsConfig
from core.errors import ArgumentInvalid, ConfigError, WeightsMismatch
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.expression_basis import EXPRESSION_NAMES
from core.model.semantics import EXPRESSIONS, SemanticBasis, expression_weights
from core.model.weights import autoencoder_fingerprint, load_semantics, save_weights, semantics_path
from core.pipeline import LatentFace

CONFIG = ModelConfig(image_size=32, width=8, pose_width=8)
NAMES = SemanticsConfig(image_size=32, names=("jaw width", "mouth corners"), parts=("identity", "expression"))


@pytest.fixture
def model() -> LatentFace:
    """Untrained networks with a random expression basis and two random directions."""
    diffusion = Diffusion(DiffusionConfig(width=32, blocks=1, image_size=32))
    basis = diffusion.expression_basis
    basis.regressor.copy_(torch.randn_like(basis.regressor) * 0.01)
    basis.directions.copy_(torch.randn_like(basis.directions))
    basis.displacement.copy_(torch.randn_like(basis.displacement) * 0.01)
    result = LatentFace(Autoencoder(CONFIG), diffusion)
    result.semantic_basis = SemanticBasis(NAMES)
    result.semantic_basis.directions.copy_(torch.randn(2, 512))
    result.semantic_basis.ranges.copy_(torch.tensor([[-2.0, 3.0], [-1.0, 1.0]]))
    return result


@pytest.fixture
def factors(model):
    return model.analyze(torch.rand(2, 3, 32, 32))


def test_semantics_list_directions_then_expressions(model):
    found = {one.name: one for one in model.semantics}
    assert list(found)[:2] == ["jaw width", "mouth corners"]
    assert set(found) == {"jaw width", "mouth corners", *EXPRESSIONS}
    assert (found["jaw width"].part, found["jaw width"].unit, found["jaw width"].range) == (
        "identity", "sigma", (-2.0, 3.0))
    smile = found["smile"]
    assert (smile.part, smile.unit, smile.range) == ("expression", "weight", (0.0, 1.0))
    assert smile.influence.shape == (32, 32) and smile.influence.max() == 1 and smile.influence.min() >= 0


def test_expressions_name_every_weight_but_pupils_and_gaze():
    covered = expression_weights(dict.fromkeys(EXPRESSIONS, 1.0))[0] > 0
    left_out = {name for name, known in zip(EXPRESSION_NAMES, covered.tolist(), strict=True) if not known}
    assert left_out == {name for name in EXPRESSION_NAMES if name.startswith(("PupilDilate", "eyeLook"))}


@pytest.mark.parametrize(("name", "nearest"), [("smiles", "smile"), ("Jaw Width", "jaw width"), (3, "Nearest")])
def test_unknown_names_are_refused_with_the_nearest(model, factors, name, nearest):
    with pytest.raises(ArgumentInvalid, match=f"(?i){nearest}"):
        model.edit(factors, {name: 1.0})


@pytest.mark.parametrize(("amounts", "match"), [
    ({"jaw width": 6}, "jaw width"), ({"smile": 2}, "smile"), ({"smile": float("nan")}, "smile"), ("smile", "mapping")])
def test_amounts_beyond_the_limit_are_refused(model, factors, amounts, match):
    with pytest.raises(ArgumentInvalid, match=match):
        model.edit(factors, amounts)


def test_an_empty_edit_decodes_the_face_itself(model, factors):
    edited = model.edit(factors, {})
    assert torch.equal(edited.codes.depth_code, factors.codes.depth_code)
    assert torch.allclose(edited.canon_albedo, factors.canon_albedo, atol=1e-5)
    assert edited.view == factors.view and edited.light == factors.light


def test_an_identity_edit_moves_the_codes_by_its_direction(model, factors):
    edited = model.edit(factors, {"jaw width": -2})
    change = torch.cat([*(edited.codes.pair - factors.codes.pair).tensors()], 1)
    assert torch.allclose(change, -2 * model.semantic_basis.directions[:1].expand(2, -1), atol=1e-5)


@pytest.mark.parametrize("amounts", [{"mouth corners": 2}, {"smile": 1}])
def test_a_locked_identity_keeps_its_coordinates(model, factors, amounts):
    def moved(locked: bool) -> torch.Tensor:
        edited = model.edit(factors, amounts, identity_locked=locked)
        depth = model.diffusion.depth.coordinates
        return (depth(edited.codes.depth_code) - depth(factors.codes.depth_code)).abs().max()

    assert moved(True) < 1e-4 < moved(False)


def test_a_textured_face_is_edited_in_its_own_view_and_light(model, factors):
    face = model.texture(factors)
    edited = model.edit(face, {"jaw width": 2, "smile": 1})
    assert edited.texture.shape == face.texture.shape and not torch.equal(edited.texture, face.texture)
    assert edited.view == face.view and edited.light == face.light
    assert torch.equal(model.edit(face, {}).texture, face.texture)


def test_the_file_of_semantics_belongs_to_its_autoencoder(model, tmp_path):
    path = semantics_path(tmp_path / "autoencoder.safetensors")
    fingerprint = autoencoder_fingerprint(model.autoencoder.state_dict())
    save_weights(path, model.semantic_basis.state_dict(), NAMES, {"autoencoder": fingerprint})
    found = load_semantics(path, fingerprint)
    assert found.config == NAMES
    assert torch.allclose(found.directions, model.semantic_basis.directions, atol=1e-2)
    with pytest.raises(WeightsMismatch, match="fit_semantics"):
        load_semantics(path, autoencoder_fingerprint(Autoencoder(CONFIG).state_dict()))


def test_from_pretrained_reads_the_semantics_beside_the_weights(model, tmp_path):
    path = tmp_path / "autoencoder.safetensors"
    state = model.autoencoder.state_dict()
    save_weights(path, state, CONFIG, {})
    assert LatentFace.from_pretrained(path).semantics == ()
    save_weights(semantics_path(path), model.semantic_basis.state_dict(), NAMES,
                 {"autoencoder": autoencoder_fingerprint(state)})
    assert [one.name for one in LatentFace.from_pretrained(path).semantics] == ["jaw width", "mouth corners"]


def test_names_of_semantics_are_unique():
    with pytest.raises(ConfigError, match="name"):
        SemanticsConfig(names=("a", "a"), parts=("identity", "identity"))


def test_the_bundled_directions_edit_a_photo(request):
    bundled = LatentFace.from_pretrained()
    face = bundled.find_faces(request.config.rootpath / "assets/examples/045_neutral.jpg", 256)[:1]
    textured = bundled.texture(bundled.analyze(face), face)
    found = [one for one in bundled.semantics if one.unit == "sigma"]
    assert len(found) == 14 and {one.part for one in found} == {"identity", "expression"}
    lighter, darker = (bundled.edit(textured, {"skin brightness": amount}).texture.mean() for amount in (1, -1))
    assert darker < textured.texture.mean() < lighter
    change = (bundled.edit(textured, {"lower lip lowered": 2}).texture - textured.texture).abs().mean((0, 1, 3))
    assert change[len(change) // 2:].mean() > 2 * change[: len(change) // 2].mean()
