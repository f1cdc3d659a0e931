"""Weights: one safetensors file, half precision, with the model's config in its metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path

import torch

from core.config import ModelConfig, from_dict
from core.errors import ConfigError, WeightsDamaged, WeightsMissing

BUNDLED = Path(__file__).parent.parent / "assets" / "weights" / "autoencoder.safetensors"
VARIABLE = "LATENTFACE_WEIGHTS"


def weights_path(path: str | Path | None = None) -> Path:
    """Where the weights are: the given path, else the environment variable LATENTFACE_WEIGHTS, else the bundled file.

    Raises:
        WeightsMissing: nothing there.
    """
    chosen = Path(path or os.environ.get(VARIABLE) or BUNDLED)
    if not chosen.is_file():
        raise WeightsMissing(f"There are no weights at {chosen}: fetch the repository again, or name a file with "
                             f"--weights or the environment variable {VARIABLE}.")
    return chosen


def save_weights(path: str | Path, state: dict[str, torch.Tensor], config: ModelConfig, about: dict[str, str]) -> None:
    """Write weights in float16 with their config and `about` (how they were trained) as metadata."""
    from safetensors.torch import save_file

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    half = {name: tensor.detach().cpu().half().contiguous() for name, tensor in state.items()}
    save_file(half, path, {"config": json.dumps(config.to_dict()), **about})


def load_weights(path: str | Path) -> tuple[ModelConfig, dict[str, torch.Tensor]]:
    """Read config and float32 weights of a file written by `save_weights`.

    Raises:
        WeightsDamaged: not such a file, or cut short.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            config = from_dict(ModelConfig, json.loads(file.metadata()["config"]))
            return config, {name: file.get_tensor(name).float() for name in file.keys()}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ConfigError) as error:
        raise WeightsDamaged(f"The weights {path} cannot be read ({error}): fetch the file again.") from error
