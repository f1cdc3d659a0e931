"""The origin of the expression basis: the mean over photos without expression; a sentence where it cannot be fitted."""

import numpy as np
import pytest
import torch

from core.config import DiffusionConfig, ModelConfig
from core.errors import ConfigError
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.pipeline import LatentFace
from tests.training.packs import write_photos
from training import fit_neutral

NAMES = ["_neutral", "jawOpen", "mouthSmileLeft", "eyeBlinkLeft"]


@pytest.fixture
def model():
    torch.manual_seed(0)
    diffusion = Diffusion(DiffusionConfig(width=16, blocks=1, image_size=32))
    diffusion.expression_basis.regressor.normal_()
    return LatentFace(Autoencoder(ModelConfig(image_size=32, width=8, pose_width=8)), diffusion)


@pytest.fixture
def pack(tmp_path):
    write_photos(tmp_path / "pack", np.random.default_rng(0), 6)
    (tmp_path / "pack/train_blendshapes.npz").unlink()
    return tmp_path / "pack"


def scores(folder, *rows) -> None:
    np.savez(folder / "train_blendshapes.npz", scores=np.array(rows), names=np.array(NAMES))


def test_closed_eyes_are_no_expression_and_a_smile_is():
    chosen = fit_neutral.neutral_photos(np.array([[1, 0, 0, 1.0], [0, 0, 0.3, 0], [0, 0.3, 0, 0]]), NAMES)
    assert chosen.tolist() == [True, False, False]


def test_the_origin_is_what_is_read_from_neutral_photos(model, pack, monkeypatch):
    monkeypatch.setattr(fit_neutral, "FEWEST", 2)
    scores(pack, *[[0, 0, 0.9 * (k % 2), 0] for k in range(6)])
    assert fit_neutral.fit_neutral(model, pack, 6) == 3
    images = fit_neutral.FacePack(pack, 32, "train")[:]
    read = model.require_basis().predict(model.encode(images[::2]).pair)
    torch.testing.assert_close(model.require_basis().origin, read.mean(0))


def test_packs_without_scores_or_neutral_faces_are_refused(model, pack):
    with pytest.raises(ConfigError, match="no expression scores"):
        fit_neutral.fit_neutral(model, pack, 6)
    scores(pack, *[[0, 0, 0, 0]] * 6)
    with pytest.raises(ConfigError, match="6 photos without expression, 100 are needed"):
        fit_neutral.fit_neutral(model, pack, 6)
