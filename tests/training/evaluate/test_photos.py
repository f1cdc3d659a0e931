"""Figures on photos, and their groups, on cases whose answers are known."""

import numpy as np
import pytest
import torch

from core.config import ModelConfig
from core.model.autoencoder import Autoencoder
from core.types import Codes, Light, View, light_direction
from tests.training.packs import write_photos
from training.evaluate import photos, report
from training.evaluate.groups import LEAST, by_group, skin_tone
from training.evaluate.measurement import Measurement

SIZE = 32


class Even:
    """A model that treats left and right alike: what it finds in a mirrored photo is the mirror of what it finds."""

    config = ModelConfig(image_size=SIZE)

    def analyze(self, image):
        count, flat = len(image), image.mean(1)
        side, height = (axis - axis.flip(-1) for axis in (flat.mean(1), flat.mean(2)))
        corner = flat - flat.flip(-1)
        view = View(torch.stack([height[:, :9].mean(1), side[:, :9].mean(1), corner[:, :9, :9].mean((1, 2))], 1),
                    torch.zeros(count, 2))
        light = Light(torch.ones(count), torch.zeros(count), light_direction(torch.zeros(count, 2)))
        return Autoencoder.render(image, self.encode(image), 0.95 + 0.1 * flat, image, light, view, image[:, :1])

    def encode(self, image):
        return Codes(*(image.flatten(1)[:, start::9] for start in (0, 1)))


def test_even_model_is_even(tmp_path):
    write_photos(tmp_path / "photos", np.random.default_rng(0))
    measured = photos.measure(Even(), tmp_path / "photos", None, None)
    values = {key: figure["model"] for key, figure in measured.figures.items()}
    assert values["photo.mirror_pose"] == pytest.approx(0, abs=1e-3)
    assert values["photo.mirror_depth"] == pytest.approx(0, abs=1e-3)
    others = [f"photo.{change}_{kind}" for change in ("crop", "brightness") for kind in ("pose", "depth")]
    assert min(values[key] for key in others) > 0.1
    assert not any(key.startswith("photo.mean_head") for key in values)  # no mean head was given


def test_crops_move_by_whole_pixels():
    ramp = torch.arange(128.0).expand(20, 3, 128, 128)
    step = (photos.move(ramp, torch.Generator().manual_seed(0)) - ramp)[:, :, 10:-10, 10:-10]
    reach = round(photos.MOVE * 128)
    assert (step == step[:, :1, :1, :1]).all()
    assert step.min() == -reach and step.max() == reach


def test_skin_tone_goes_from_dark_to_light():
    tones = [(60, 40, 32), (140, 100, 75), (170, 130, 105), (190, 150, 125), (198, 160, 140), (245, 225, 215)]
    colours = np.array(tones, np.uint8)[:, None].repeat(5, 1)
    colours[:, :2] = 0, 0, 255  # two of five points miss the skin
    assert skin_tone(colours).tolist() == ["dark", "brown", "tan", "intermediate", "light", "very light"]


def test_groups_are_compared_with_all_photos():
    sizes = {"a": LEAST, "b": LEAST + 5, "c": LEAST - 1}
    labels = np.repeat(list(sizes), list(sizes.values()))
    rows = {"l1": np.select([labels == "a", labels == "b"], [0.5, 0.2], 9.0)}
    measured = Measurement({}, rows, labels={"kind": labels})

    def figures(rows, least):
        return {"photo.l1": {"model": rows["l1"].mean()}, "photo.ssim": {"model": 1 - rows["l1"].mean()}}

    groups = by_group(measured, figures)
    assert {name: group["photos"] for name, group in groups["kind"].items()} == {"a": LEAST, "b": LEAST + 5}
    behind = report.gaps(groups, {"photo.l1": {"model": 0.4}, "photo.ssim": {"model": 0.625}})
    assert behind["photo.l1"] == pytest.approx({("kind", "a"): 25, ("kind", "b"): -50})
    assert behind["photo.ssim"] == pytest.approx({("kind", "a"): 20, ("kind", "b"): -28})
