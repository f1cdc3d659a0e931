"""Measures of a photo's quality: taken on the face alone, and low for bad photos."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from core.export.quality import LIMITS, face_mask, measure, share_outside, shortfalls
from core.export.report import SENTENCES, report
from core.faces import Crop, find_face
from core.geometry.filters import blur

ROOT = Path(__file__).resolve().parents[3]
PHOTOS = [ROOT / "tests/data/139_neutral.jpg", ROOT / "assets/examples/129_smiling.jpg"]  # light and dark skin
SPOILT = {"brightness": lambda photo: 0.1 * photo, "sharpness": lambda photo: blur(photo, 12.0),
          "contrast": lambda photo: photo.mean() + 0.1 * (photo - photo.mean())}


@pytest.fixture(scope="module", params=PHOTOS, ids=lambda path: path.stem)
def face(request):
    return find_face(request.param)


def changed(face, change):
    """The face in a photo that was changed, as a file would hold it."""
    full = (change(face.full) * 255).round().clamp(0, 255) / 255
    return replace(face, full=full, image=torch.nn.functional.adaptive_avg_pool2d(full, 64))


def test_a_sound_photo_needs_no_warning(model, face):
    found = report(model.analyze([face], fine=False), face)
    assert found["warnings"] == [] and found["confidence"] > 0.9


@pytest.mark.parametrize("lacking", SPOILT)
def test_a_spoilt_photo_is_named_and_trusted_less(model, face, lacking):
    spoilt = changed(face, SPOILT[lacking])
    before, after = report(model.analyze([face], fine=False), face), report(model.analyze([spoilt]), spoilt)
    assert after["warnings"] == [SENTENCES[lacking]]
    assert after["confidence"] < 0.85 * before["confidence"]


def test_a_photo_that_gets_darker_is_never_trusted_more(model, face):
    copies = [changed(face, lambda photo, gain=gain: gain * photo) for gain in (1.0, 0.6, 0.3, 0.2, 0.1, 0.05)]
    values = [measure(model.analyze([copy]), copy.full[None]).confidence.item() for copy in copies]
    assert values == sorted(values, reverse=True)


def test_what_is_behind_the_face_does_not_count(model, face):
    factors = model.analyze([face], fine=False)
    outside = face_mask(factors) == 0
    assert outside[..., [0, 0, -1, -1], [0, -1, 0, -1]].all() and 0.2 < outside.float().mean() < 0.8
    wall = replace(factors, image=torch.where(outside, 1.0, factors.image),
                   confidence=torch.where(outside, 0.1, factors.confidence))
    large = torch.nn.functional.interpolate(outside.float(), size=face.full.shape[-1], mode="nearest") > 0
    large = torch.nn.functional.max_pool2d(-large.float(), 33, 1, 16) == -1  # away from the outline, where blurs reach
    before, after = measure(factors, face.full[None]), measure(wall, torch.where(large, 1.0, face.full[None]))
    for name in ("brightness", "contrast", "visibility", "spread", "error", "confidence"):
        assert getattr(after, name).item() == pytest.approx(getattr(before, name).item(), abs=1e-5), name


def test_no_face_in_the_photo_gives_numbers_without_trust(model, face):
    factors = model.analyze([face], fine=False)
    nothing = replace(factors, recon_mask=torch.zeros_like(factors.recon_mask))
    found = measure(nothing, face.full[None])
    assert all(torch.isfinite(values).all() for values in found.tensors())
    assert found.confidence == 0 and all(lacks.all() for lacks in shortfalls(found).values())
    assert share_outside(nothing, face) == 0


def test_a_face_beyond_the_photos_edge_is_warned(model, face):
    factors = model.analyze([face], fine=False)
    assert share_outside(factors, face) == 0
    width, height = face.photo_size
    half = replace(face, photo_size=(round(face.crop.centre[0]), height))
    assert 0.35 < share_outside(factors, half) < 0.65
    assert any("edge" in sentence for sentence in report(factors, half)["warnings"])
    above = replace(face, crop=Crop((width / 2, -face.crop.side), face.crop.side))
    assert share_outside(factors, above) == 1


def test_a_small_face_is_not_called_blurred_too(model, face):
    spoilt = changed(face, SPOILT["sharpness"])
    small = replace(spoilt, crop=replace(face.crop, side=90.0))
    sentences = report(model.analyze([spoilt]), small)["warnings"]
    assert any("90 pixels" in sentence for sentence in sentences) and SENTENCES["sharpness"] not in sentences


def test_every_limit_has_its_sentence():
    assert set(SENTENCES) == set(LIMITS)
