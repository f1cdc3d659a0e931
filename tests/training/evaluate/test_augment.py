"""Edited faces beside unbalanced data: what is edited, and what the probe makes of rare classes."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from core.errors import ConfigError
from core.pipeline import LatentFace
from training.evaluate.__main__ import parser
from training.evaluate.protocols.augment import SIZE, edits, probe, run
from training.evaluate.swap import smile


def test_edited_photos_smile_and_unedited_ones_do_not(request):
    photo = (request.config.rootpath / "assets/examples/045_neutral.jpg").read_bytes()
    model = LatentFace.from_pretrained()
    face = model.find_faces(photo, 2 * SIZE)[0].full[None]
    edited, unedited = edits(model, F.avg_pool2d(face, 2), "smile", [0.5, 1.5])
    assert edited.shape == (2, 3, SIZE, SIZE) and unedited.shape == (1, 3, SIZE, SIZE) and edited.dtype == torch.uint8
    scores = smile(torch.cat([unedited, edited]).float() / 255)
    assert scores[2] > scores[0] + 0.3


def test_weights_by_class_find_more_of_a_rare_class():
    rng = np.random.default_rng(0)
    plain, rare = rng.normal(size=(400, 8)), rng.normal(size=(20, 8)) + 0.7
    asked = rng.normal(size=(200, 8)) + 0.7
    assert probe(plain, rare, asked, weighted=True).mean() > probe(plain, rare, asked).mean() + 0.2


def test_a_pack_with_too_few_smiles_is_refused(tmp_path):
    np.savez(tmp_path / "train_blendshapes.npz", scores=np.zeros((3, 2)), names=["mouthSmileLeft", "mouthSmileRight"])
    with pytest.raises(ConfigError, match="has 3 of the 38 photos"):
        run(parser().parse_args(["augment", "--photos", str(tmp_path), "--count", "40"]))
