"""Swapped faces: amounts, seeds, steps, spread and grid, with a small random model."""

import gradio as gr
import numpy as np
import pytest
import torch

from app.session import session as state
from app.session import swap as swaps
from app.session.session import Session
from app.session.swap import NONE, Amounts, Pair
from app.tabs.shared_state import Page
from app.tabs.swap_grid import FACES, Grid
from core.config import DiffusionConfig, ModelConfig
from core.errors import FaceNotFound, WeightsMissing
from core.export.visualize import pixels
from core.faces import Crop, face_from_crop
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.pipeline import LatentFace

SIZE = 64


@pytest.fixture(scope="module")
def faces():
    """Three sessions of a model of its own."""
    with pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        model = LatentFace(Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8)),
                           Diffusion(DiffusionConfig(width=32, blocks=1)))
        patch.setattr(state, "model", lambda: model)
        rng = np.random.default_rng(0)
        yield [_session(model, rng.integers(0, 255, (100, 100, 3), np.uint8)) for _ in range(3)]


def _session(model, photo) -> Session:
    face = face_from_crop(photo, Crop((49.5, 49.5), 100), 32)
    return Session(photo, [face], 0, model.analyze([face]))


def test_nothing_of_the_expression_leaves_the_face_and_more_changes_it_more(faces):
    pair = Pair(*faces[:2])
    own = pair.own.factors
    maps = [pair.swapped(Amounts(amount, 0)) for amount in (0, 1, 1.5)]
    torch.testing.assert_close(maps[0].canon_depth, own.canon_depth, atol=1e-4, rtol=0)
    half, whole = ((found.codes.depth_code - own.codes.depth_code).norm().item() for found in maps[1:])
    assert whole == pytest.approx(1.5 * half, rel=1e-3) and half > 0
    torch.testing.assert_close(maps[2].canon_albedo, own.canon_albedo, atol=1e-4, rtol=0)


@pytest.mark.parametrize("detail", ["Photo", "Decoded"])
def test_both_kinds_of_detail_are_drawn(faces, detail):
    drawn = Pair(*faces[:2]).picture(Amounts(detail=detail), SIZE)
    assert drawn.shape == (SIZE, SIZE, 3) and drawn.dtype == np.uint8 and drawn.std() > 1


def test_the_neutral_face_does_not_ask_who_the_other_is(faces):
    first, second = (Pair(faces[0], other).swapped(Amounts(whose=NONE)) for other in faces[1:])
    assert torch.equal(first.canon_albedo, second.canon_albedo)
    assert not torch.equal(first.codes.albedo_code, faces[0].factors.codes.albedo_code)


def test_a_seed_is_one_identity(faces):
    found = [Pair(*faces[:2], seed).factors[0].codes.identity.depth for seed in (0, 7, 7)]
    assert torch.equal(found[1], found[2]) and not torch.allclose(found[0], found[1])


def test_the_last_step_of_denoising_is_the_identity(faces):
    steps = swaps.denoising(faces[0], 0)
    assert len(steps) == DiffusionConfig().steps
    assert np.array_equal(steps[-1], pixels(state.model().neutral(faces[0].factors).canon_image[0]))


def test_the_spread_is_that_of_samples(faces):
    found = swaps.spread(faces[0], 0)
    assert found.albedo.shape == found.depth.shape == (32, 32)
    assert found.albedo.min() >= 0 and found.albedo.max() > 0


def test_the_way_ends_at_the_other(faces):
    way = Pair(*faces[:2]).way("code", "Decoded", 3, SIZE)
    assert len(way) == 3
    assert np.array_equal(way[0], Pair(*faces[:2]).picture(Amounts(0, 0, detail="Decoded"), SIZE))
    assert not np.array_equal(way[1], way[2])


def test_the_grid_has_identities_down_and_expressions_across(faces):
    rows = list(swaps.grid(faces[:2], "Decoded", SIZE))
    assert [len(row) for row in rows] == [2, 2]
    assert np.array_equal(rows[1][0], Pair(faces[1], faces[0]).picture(Amounts(detail="Decoded"), SIZE))


@pytest.mark.parametrize("seed", [0, 5])
def test_without_diffusion_weights_a_sentence_says_so(faces, monkeypatch, seed):
    alone = LatentFace(state.model().autoencoder)
    monkeypatch.setattr(state, "model", lambda: alone)
    with pytest.raises(WeightsMissing, match="train_diffusion"):
        _ = Pair(_session(alone, faces[0].photo), faces[1], seed).factors


def test_a_donor_without_a_face_is_refused(monkeypatch):
    monkeypatch.setattr(state, "open_photo", lambda path: Session(np.zeros((32, 32, 3), np.uint8), []))
    with pytest.raises(FaceNotFound, match="No face was found"):
        swaps.open_face("wall.jpg")


@pytest.fixture
def grid():
    with gr.Blocks():
        yield Grid(Page(), gr.State(), gr.Radio(["Photo"]))


def test_a_click_takes_a_face_in_or_out_and_six_are_enough(grid, faces):
    everybody = [*faces, *range(5)]
    click = gr.EventData(None, {"index": 1})
    assert grid.choose(everybody, [0, 1], click)[grid.chosen] == [0]
    assert grid.choose(everybody, [0], click)[grid.chosen] == [0, 1]
    assert grid.choose(everybody, [0, *range(2, FACES + 1)], click) == gr.skip()


def test_added_photos_that_cannot_be_used_are_left_out(grid, faces, monkeypatch):
    def open_face(path):
        if path == "wall.jpg":
            raise FaceNotFound("No face.")
        return faces[2]

    monkeypatch.setattr(swaps, "open_face", open_face)
    updates = grid.add_photos(["wall.jpg", "face.jpg"], faces[:2], [0, 1])
    assert updates[grid.faces] == faces and updates[grid.chosen] == [0, 1, 2]


@pytest.mark.usefixtures("faces")
def test_a_pair_that_was_forgotten_is_answered_with_a_sentence():
    with pytest.raises(FaceNotFound, match="forgotten"):
        swaps.known(None)


def test_amounts_survive_the_address_and_nonsense_does_no_harm():
    amounts = Amounts(1.25, 0, NONE)
    assert Amounts.read({name: str(value) for name, value in amounts.link().items()}) == amounts
    assert Amounts.read({"depth": "9", "albedo": "nan", "expression": "<b>"}) == Amounts()
    assert set(Amounts().link().values()) == {None}
