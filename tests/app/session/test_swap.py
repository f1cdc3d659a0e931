"""Faces with another's expression: strengths, sources, seeds, interpolation and grid, with a small random model."""

from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import numpy as np
import pytest
import torch

from app.session import session as session_module
from app.session import swap as swap_module
from app.session.session import Session, model, render_face
from app.session.swap import Pair, denoising, open_face, render_grid, require_pair
from app.tabs import swap_grid
from app.tabs.shared_state import SharedState
from app.tabs.swap_grid import MAX_FACES, Grid
from core import LatentFace
from core.config import DiffusionConfig, ModelConfig
from core.edits import DECODED, EditedFace, Edits
from core.errors import FaceNotFound, WeightsMissing
from core.export.visualize import to_uint8
from core.faces import Crop, face_from_crop
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion

SIZE = 64


@pytest.fixture(scope="module")
def faces():
    """Three sessions of a random model with a random expression basis."""
    with pytest.MonkeyPatch.context() as patch:
        torch.manual_seed(0)
        diffusion = Diffusion(DiffusionConfig(width=32, blocks=1, image_size=32))
        for part in (diffusion.expression_basis.regressor, diffusion.expression_basis.directions):
            torch.nn.init.normal_(part, std=0.1)
        random_model = LatentFace(Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8)), diffusion)
        patch.setattr(session_module, "_load_model", lambda: random_model)
        rng = np.random.default_rng(0)
        yield [_session(random_model, rng.integers(0, 255, (100, 100, 3), np.uint8)) for _ in range(3)]


def _session(model: LatentFace, photo: np.ndarray) -> Session:
    face = face_from_crop(photo, Crop((49.5, 49.5), 100), 32)
    return Session(photo, [face], 0, model.analyze([face]))


def edited(subject: Session, edits: Edits):
    return EditedFace(model(), subject.textured).face(edits, SIZE).factors


def test_strength_0_keeps_the_face_and_larger_strengths_change_it_more(faces):
    own = faces[0].factors
    swapped = [edited(faces[0], Edits(expression_from=faces[1], depth=depth, strength=0, detail=DECODED))
               for depth in (0, 1, 1.5)]
    torch.testing.assert_close(swapped[0].canon_depth, own.canon_depth, atol=1e-4, rtol=0)
    whole, more = ((found.codes.depth_code - own.codes.depth_code).norm().item() for found in swapped[1:])
    assert more == pytest.approx(1.5 * whole, rel=1e-3) and whole > 0
    torch.testing.assert_close(swapped[2].canon_albedo, own.canon_albedo, atol=1e-4, rtol=0)


@pytest.mark.parametrize("detail", ["Photo", "Decoded"])
@pytest.mark.parametrize("source", ["another face", "neutral"])
def test_both_kinds_of_detail_are_rendered_with_either_source(faces, detail, source):
    lent = "neutral" if source == "neutral" else faces[1]
    array = render_face(faces[0], Edits(expression_from=lent, detail=detail), SIZE)
    assert array.shape == (SIZE, SIZE, 3) and array.dtype == np.uint8 and array.std() > 1


def test_full_resolution_has_one_strength(faces):
    first, other_depth, other_strength = (
        render_face(faces[0], Edits(expression_from=faces[1], strength=strength, depth=depth), SIZE)
        for strength, depth in ((1, 1), (1, 0.2), (0.2, 1)))
    assert np.array_equal(first, other_depth) and not np.array_equal(first, other_strength)


def test_the_neutral_face_is_of_the_identity_alone(faces):
    neutral = edited(faces[0], Edits(expression_from="neutral", detail=DECODED))
    assert not torch.equal(neutral.codes.albedo_code, faces[0].factors.codes.albedo_code)


def test_a_seed_gives_one_identity_which_is_computed_once(faces):
    found = [faces[0].split(seed).identity.depth for seed in (0, 7, 7)]
    assert found[1] is found[2] and not torch.allclose(found[0], found[1])


def test_visitors_who_share_an_example_prepare_their_own_swap(faces):
    pairs = [Pair(faces[0], donor) for donor in faces[1:] * 2]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda pair: pair.render("Photo", 300), pairs))
    alone = [Pair(faces[0], donor).render("Photo", 300) for donor in faces[1:] * 2]
    assert all(map(np.array_equal, together, alone))


def test_the_last_denoising_step_is_the_identity(faces):
    steps = denoising(faces[0], 0)
    assert len(steps) == DiffusionConfig().num_inference_steps
    neutral = to_uint8(model().neutral(faces[0].factors).canon_image[0])
    assert np.abs(steps[-1].astype(int) - neutral).max() <= 1


def test_an_interpolation_starts_at_the_subject(faces):
    renders = Pair(*faces[:2]).interpolation("code", "Decoded", 3, SIZE)
    assert len(renders) == 3
    start = Pair(*faces[:2]).render("Decoded", SIZE, 0)
    assert np.abs(renders[0].astype(int) - start).max() <= 1
    assert not np.array_equal(renders[1], renders[2])


def test_the_grid_has_identities_down_and_expressions_across(faces):
    rows = list(render_grid(faces[:2], "Decoded", SIZE))
    assert [len(row) for row in rows] == [2, 2]
    assert np.array_equal(rows[1][0], Pair(faces[1], faces[0]).render("Decoded", SIZE))


@pytest.mark.parametrize("seed", [0, 5])
def test_without_diffusion_weights_a_message_says_so(faces, monkeypatch, seed):
    alone = LatentFace(model().autoencoder)
    monkeypatch.setattr(session_module, "_load_model", lambda: alone)
    subject = _session(alone, faces[0].photo)
    for render in (lambda: Pair(subject, faces[1], seed).render("Photo", SIZE), lambda: subject.split(seed)):
        with pytest.raises(WeightsMissing, match="train_diffusion"):
            render()
    assert subject.codes == subject.factors.codes


def test_a_donor_without_a_face_is_refused(monkeypatch):
    monkeypatch.setattr(swap_module, "open_photo", lambda path: Session(np.zeros((32, 32, 3), np.uint8), []))
    with pytest.raises(FaceNotFound, match="No face was found"):
        open_face("wall.jpg")


@pytest.fixture
def grid():
    with gr.Blocks():
        yield Grid(SharedState(), gr.State(), gr.Radio(["Photo"]))


def test_a_click_adds_or_removes_a_face_up_to_six(grid, faces):
    everybody = [*faces, *range(5)]
    click = gr.EventData(None, {"index": 1})
    assert grid.choose(everybody, [0, 1], click)[grid.chosen] == [0]
    assert grid.choose(everybody, [0], click)[grid.chosen] == [0, 1]
    assert grid.choose(everybody, [0, *range(2, MAX_FACES + 1)], click) == gr.skip()


def test_added_photos_that_cannot_be_used_are_left_out(grid, faces, monkeypatch):
    def open_face(path):
        if path == "wall.jpg":
            raise FaceNotFound("No face.")
        return faces[2]

    monkeypatch.setattr(swap_grid, "open_face", open_face)
    updates = grid.add_photos(["wall.jpg", "face.jpg"], faces[:2], [0, 1])
    assert updates[grid.faces] == faces and updates[grid.chosen] == [0, 1, 2]


def test_a_pair_that_was_deleted_is_answered_with_a_message():
    with pytest.raises(FaceNotFound, match="deleted"):
        require_pair(None)
