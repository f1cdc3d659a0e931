"""What rendered people wear: it hides, and changes nothing of the head below."""

import numpy as np
import pytest
import torch

from training.data.renders import shade_and_composite
from training.render_pack import encode_sample
from training.rig.accessories import FRAME, HAIR, HAIR_ODDS, LENS, Accessories
from training.rig.rig import FRONTAL, Rig

SIZE = 64
NEUTRAL = np.zeros(57, np.float32)


@pytest.fixture(scope="module")
def rig():
    return Rig.load()


@pytest.fixture(scope="module")
def person(rig):
    return rig.sample_person(np.random.default_rng(1))


def wearing(rig, person, *parts):
    """The person from the front with the named accessories."""
    rng, vertices = np.random.default_rng(2), person.vertices.reshape(-1, 3)
    meshes = [mesh for part in parts for mesh in getattr(rig.accessory_sampler, f"_{part}")(vertices, rng)]
    return rig.render(person, NEUTRAL, FRONTAL, SIZE, Accessories.joined(meshes))


@pytest.mark.parametrize("style", [*(style for style in HAIR_ODDS if style != "bald"), "glasses"])
def test_only_the_cover_changes(rig, person, style):
    bare, worn = rig.render(person, NEUTRAL, FRONTAL, SIZE), wearing(rig, person, style)
    for name, value in vars(bare).items():
        if "cover" not in name:
            np.testing.assert_array_equal(getattr(worn, name), value, err_msg=name)
    assert not bare.canon_cover.any() and worn.canon_cover.any()
    assert worn.canon_cover[44:56, 24:40].max() == 0, "the chin stays bare"


def test_long_hair_hangs_beside_the_face(rig, person):
    hair = wearing(rig, person, "long").cover[..., HAIR]
    assert hair[:, :6].mean() > 60 and hair[:, -6:].mean() > 60 and hair[24:, 20:44].max() == 0


def test_glasses_sit_on_the_eyes_and_dark_ones_hide_them(rig, person, monkeypatch):
    monkeypatch.setattr("training.rig.accessories.DARK_ODDS", 1.0)
    cover = wearing(rig, person, "glasses").cover
    rows = np.flatnonzero(cover[..., FRAME].any(1))
    assert 8 < rows.min() and rows.max() < 36
    assert cover[16:28, 14:26, LENS].mean() > 100 and cover[16:28, 38:50, LENS].mean() > 100
    assert cover[36:].max() == 0


def test_images_show_accessories_and_masks_leave_them_out(rig, person):
    stored = [encode_sample(sample) for sample in (rig.render(person, NEUTRAL, FRONTAL, SIZE),
                                                   wearing(rig, person, "long"))]
    stored = {name: torch.from_numpy(np.stack([sample[name] for sample in stored])) for name in stored[0]}
    background = torch.rand(1, 3, SIZE, SIZE)
    bare, worn = (shade_and_composite({name: values[i : i + 1] for name, values in stored.items()}, background,
                                      torch.Generator().manual_seed(0)) for i in range(2))
    hidden = torch.from_numpy(wearing(rig, person, "long").cover[..., HAIR] == 255)
    assert (bare.image - worn.image).abs().mean(1)[0][hidden].mean() > 0.1
    assert worn.mask[0, 0][hidden].max() == 0 and worn.mask.sum() < bare.mask.sum()
    assert worn.canon_bare.min() == 0 and bare.canon_bare.min() == 1
    torch.testing.assert_close(worn.canon_albedo, bare.canon_albedo)
