"""Training of the diffusion model: frames, validation, exact resume, weights that belong to an autoencoder."""

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from core.config import DiffusionConfig, ModelConfig
from core.errors import ConfigError
from core.pipeline import LatentFace
from core.types import Codes
from tests.training.frames import rendered_codes
from training import checkpoint
from training.config import DiffusionTraining
from training.data import code_frames
from training.data.batches import time_invariant
from training.data.code_frames import PEOPLE, PHOTOS, RENDERED
from training.train_diffusion import main, train


@pytest.fixture(scope="module")
def config(photo_pack, render_pack, weights):
    return DiffusionTraining(weights=str(weights), photos=str(photo_pack), renders=str(render_pack), batch=16, steps=6,
                             warmup=1, log_every=1, threads=1, model=DiffusionConfig(width=32, blocks=1))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    from core.model.autoencoder import Autoencoder
    from core.model.weights import save_weights

    torch.manual_seed(0)
    model = ModelConfig(image_size=32, width=8, pose_width=8)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_weights(path, Autoencoder(model).state_dict(), model, {})
    return path


def lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_a_run_leaves_weights_that_belong_together(config, tmp_path):
    run = checkpoint.new_run(tmp_path, "diffusion", config.to_dict())
    train(config, run)
    model = LatentFace.from_pretrained(run / "autoencoder.safetensors")
    parts = model.split(model.encode(torch.rand(2, 3, 32, 32)))
    assert model.diffusion.config == replace(config.model, image_size=32)
    assert torch.isfinite(parts.identity.depth).all() and parts.expression.albedo.shape == (2, 256)
    assert set(lines(run)[-1]) >= {"step", "loss", "depth", "albedo", "lr"}


def test_resume_is_exact(config, trained_twice):
    whole, resumed = trained_twice(train, config)
    assert lines(resumed) == lines(whole)
    first, second = (checkpoint.load(run)["averaged"] for run in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_identities_approach_what_frames_of_a_person_share(config, tmp_path, monkeypatch):
    """Codes are sums of a part of the person and a passing part: identities are nearer to the former than codes are."""
    person = torch.arange(40).repeat_interleave(8)
    generator = torch.Generator().manual_seed(0)
    shared = torch.randn(40, 2, 4, generator=generator)[person]
    passing = torch.randn(320, 2, 4, generator=generator)
    data = torch.zeros(320, 512)
    for part, first in enumerate((0, 256)):
        data[:, first : first + 4] = shared[:, part] + passing[:, part]
        data[:, first + 4 : first + 8] = passing[:, part]
    frames = rendered_codes(data, person, torch.arange(320))
    monkeypatch.setattr("training.train_diffusion.all_codes", lambda *_: frames)
    run = checkpoint.new_run(tmp_path, "toy", {})
    train(replace(config, steps=200, batch=64, lr=3e-3, ema=0.98, model=DiffusionConfig(width=64, blocks=1)), run)
    diffusion = LatentFace.from_pretrained(run / "autoencoder.safetensors").diffusion
    found = diffusion.identity(Codes(*data.chunk(2, 1))).depth[:, :4]
    # The code's own error is 1, and so is that of the mean of all people.
    assert (found - shared[:, 0]).square().mean() / passing[:, 0].square().mean() < 0.7


def test_time_invariant_codes_leave_out_the_own_photo():
    codes = torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0]).view(5, 1)
    frames = rendered_codes(codes, torch.tensor([3, 3, 3, 7, 7]), torch.tensor([0, 0, 1, 2, 2]))
    # Another photo of the same person; of a single photo, another copy.
    assert time_invariant(frames).flatten().tolist() == [4.0, 4.0, 1.5, 16.0, 8.0]


def test_people_of_all_sources_are_encoded_and_kept_apart(config, weights, tmp_path, monkeypatch):
    """Renders and photos have different people; folders of people are read, and photos without a face skipped."""
    from PIL import Image

    from core.errors import FaceNotFound

    for name in ("ann/1.jpg", "ann/2.png", "bob/1.jpg", "bob/none.jpg", "bob/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (8, 8)).save(path, "PNG")

    def find_faces(path, size):
        if path.stem == "none":
            raise FaceNotFound
        return [SimpleNamespace(full=torch.rand(3, 96, 96))]

    monkeypatch.setattr("core.faces.find_faces", find_faces)
    autoencoder = LatentFace.from_pretrained(weights).autoencoder
    frames = code_frames.encode_all(autoencoder, replace(config, people=str(tmp_path), lights=2, copies=3))
    people = {source: frames.person[frames.source == source] for source in range(3)}
    assert {source: (len(rows), len(rows.unique())) for source, rows in people.items()} == {
        RENDERED: (12 * 2, 2), PEOPLE: (3 * 3, 2), PHOTOS: (8 * 3, 8)}
    assert not set(people[RENDERED].tolist()) & set(people[PHOTOS].tolist())
    assert (frames.person.diff() >= 0).all() and frames.data.shape == (57, 512)
    known = frames.expression.isfinite().all(1)
    assert torch.equal(known, frames.source != PEOPLE)


def test_missing_data_is_named_in_the_error(config, tmp_path):
    with pytest.raises(ConfigError, match="render_pack"):
        train(replace(config, renders=str(tmp_path)), tmp_path)
    with pytest.raises(ConfigError, match="folder of photos for each person"):
        train(replace(config, people=str(tmp_path)), tmp_path)


def test_flags_override_the_defaults(capsys):
    main(["--dry-run", "--lr", "0.5", "--model.num-inference-steps", "7"])
    shown = capsys.readouterr().out
    assert "lr=0.5" in shown and "num_inference_steps=7" in shown
