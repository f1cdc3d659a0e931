"""The stack of edits: order, composition, what is cached, and plain values, with a small random model."""

from dataclasses import replace

import pytest
import torch

from core import LatentFace
from core.config import DiffusionConfig, ModelConfig
from core.edits import DECODED, EditedFace, Edits, LightSettings, Pose
from core.errors import ArgumentInvalid
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion

SMILE = Edits({"smile": 1.0})
TURNED = Pose(30, -10, 5)
LIT = LightSettings(-40, 20, 0.3, 0.7)


@pytest.fixture(scope="module")
def model():
    """A random model with a random expression basis."""
    torch.manual_seed(0)
    diffusion = Diffusion(DiffusionConfig(width=32, blocks=1, image_size=32))
    basis = diffusion.expression_basis
    for part, std in ((basis.regressor, 0.1), (basis.directions, 0.1), (basis.displacement, 0.02)):
        torch.nn.init.normal_(part, std=std)
    return LatentFace(Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8)), diffusion)


@pytest.fixture(scope="module")
def faces(model):
    """Three faces."""
    factors = model.analyze(torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    return [EditedFace(model, model.texture(one)) for one in factors]


def different(first: torch.Tensor, second: torch.Tensor) -> bool:
    return (first - second).abs().max().item() > 1e-3


def test_no_edits_give_the_face_as_it_is(model, faces):
    assert torch.equal(faces[0].render(Edits(), 64), model.render(faces[0].textured, size=64))
    assert not Edits({"smile": 0.0}, identity_from=faces[1], resemblance=0, pose=TURNED).changes_face


@pytest.mark.parametrize("detail", ["Photo", DECODED])
def test_all_edits_compose(faces, detail):
    steps = [Edits(detail=detail)]
    for change in ({"identity_from": faces[1]}, {"expression_from": faces[2]}, {"amounts": {"smile": 1.0}},
                   {"pose": TURNED}, {"light": LIT}, {"background": "White"}):
        steps.append(replace(steps[-1], **change))
    renders = [faces[0].render(one, 64) for one in steps]
    assert all(different(*two) for two in zip(renders, renders[1:], strict=False))


def test_a_pose_is_drawn_without_editing_the_face_again(faces):
    assert faces[0].face(SMILE, 64) is faces[0].face(replace(SMILE, pose=TURNED, background="White"), 64)
    donated = replace(SMILE, expression_from=faces[1])
    before = faces[0].face(donated, 64)
    assert faces[0].face(replace(donated, amounts={"smile": 0.5}), 64) is not before


def test_an_amount_that_does_not_exist_is_refused(faces):
    with pytest.raises(ArgumentInvalid, match="smile"):
        faces[0].render(Edits({"smiel": 1.0}), 64)


def test_values_survive_a_link_and_invalid_ones_fall_back_to_defaults(model, faces):
    factors = faces[0].textured.factors
    edits = Edits({"smile": 0.8, "blink": -0.25}, False, None, 0.3, "neutral", 1.25, 0.0, TURNED, LIT, DECODED, "Black",
                  7)
    link = {name: str(value) for name, value in edits.changed_values(factors).items() if value is not None}
    assert Edits.parse(link, factors, model.semantics) == edits
    assert Edits.parse(edits.values(factors), factors, model.semantics) == edits
    bad = {"depth": "9", "albedo": "nan", "expression": "<b>", "seed": "x", "yaw": "1e9", "detail": [1],
           "edits": "smile:99,nose:1,jaw open:x,:,blink", "unlocked": "<b>", "background": {}}
    assert Edits.parse(bad, factors, model.semantics) == Edits()
    assert set(Edits().changed_values(factors).values()) == {None}


def test_the_influence_of_an_edit_turns_with_the_face(faces):
    first, turned = (faces[0].influence("smile", edits, 64) for edits in (SMILE, replace(SMILE, pose=TURNED)))
    assert first.shape == (1, 1, 64, 64) and 0.05 < first.max() <= 1 and different(first, turned)
    with pytest.raises(ArgumentInvalid, match="smile"):
        faces[0].influence("smiel", SMILE)
