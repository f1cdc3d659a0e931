"""A tiny pack of photos and a tiny pack of renders, made once."""

import csv
import io
import tarfile
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from core.config import DiffusionConfig, ModelConfig
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.weights import autoencoder_fingerprint, diffusion_path, save_weights
from training import checkpoint
from training.render_pack import render_shard


@pytest.fixture(scope="session")
def photo_pack(tmp_path_factory):
    """Folder with 8 random images of 64 px in the layout of training.data.face_pack."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    with tarfile.open(folder / "train-000.tar", "w") as tar, open(folder / "train.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name"])
        for k in range(8):
            image = Image.fromarray(rng.integers(0, 255, (8, 8, 3), np.uint8)).resize((64, 64))
            buffer = io.BytesIO()
            image.save(buffer, "JPEG")
            info = tarfile.TarInfo(f"{k:06d}.jpg")
            info.size = len(buffer.getvalue())
            buffer.seek(0)
            tar.addfile(info, buffer)
            rows.writerow([f"{k:06d}"])
    return folder


@pytest.fixture(scope="session")
def render_pack(tmp_path_factory):
    """Folder with 12 renders of 32 px, six of each person."""
    folder = tmp_path_factory.mktemp("renders")
    render_shard(0, "rig", seed=0, size=32, out=folder, count=12)
    return folder


@pytest.fixture(scope="session")
def split_weights(tmp_path_factory):
    """Untrained weights for images of 32 px, and beside them a diffusion model that was made for them."""
    path = tmp_path_factory.mktemp("weights") / "autoencoder.safetensors"
    torch.manual_seed(0)
    config, diffusion = ModelConfig(image_size=32, width=8, pose_width=8), DiffusionConfig(width=32, blocks=1)
    state = Autoencoder(config).state_dict()
    save_weights(path, state, config, {})
    save_weights(diffusion_path(path), Diffusion(diffusion).state_dict(), diffusion,
                 {"autoencoder": autoencoder_fingerprint(state)})
    return path


@pytest.fixture
def trained_twice(tmp_path, monkeypatch):
    """Function of a training and its settings: an uninterrupted run, and one stopped after step 2 and resumed."""
    class Stopped(Exception):
        """The run was interrupted."""

    save = checkpoint.save

    def stop(run, state):
        save(run, state)
        if state["step"] == 2:
            raise Stopped

    def train_twice(train, config):
        whole, resumed = (checkpoint.new_run(tmp_path, name, config.to_dict()) for name in ("whole", "resumed"))
        train(config, whole)
        with monkeypatch.context() as patch, pytest.raises(Stopped):
            patch.setattr(checkpoint, "save", stop)
            train(replace(config, checkpoint_minutes=0.0), resumed)
        train(config, resumed, checkpoint.load(resumed))
        return whole, resumed

    return train_twice
