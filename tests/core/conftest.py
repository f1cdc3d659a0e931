"""Untrained weights, for tests that do not ask how good they are."""

import pytest
import torch

from core.config import ModelConfig
from core.model.autoencoder import Autoencoder
from core.model.weights import save_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """File of an autoencoder without diffusion weights beside it."""
    torch.manual_seed(0)
    config = ModelConfig(width=8, pose_width=8)
    path = tmp_path_factory.mktemp("weights") / "model.safetensors"
    save_weights(path, Autoencoder(config).state_dict(), config, {})
    return path
