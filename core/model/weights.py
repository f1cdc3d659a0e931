"""Weights: one safetensors file, half precision or 8 bits, with the model's config in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import torch

from core.config import ASSETS, DiffusionConfig, ModelConfig, from_dict
from core.errors import ConfigError, WeightsDamaged, WeightsMissing
from core.model.diffusion import Diffusion

BUNDLED = ASSETS / "weights" / "autoencoder.safetensors"
VARIABLE = "LATENTFACE_WEIGHTS"
SCALE = ".row_scale"
"""Ending of the names of scales."""
LEAST_SCALE = 2.0**-14
"""Half precision has fewer bits below it, and what was read would not be stored the same again."""


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


def diffusion_path(path: str | Path) -> Path:
    """Where the diffusion weights are: beside those of their autoencoder."""
    return Path(path).with_name("diffusion.safetensors")


def fingerprint_autoencoder(state: dict[str, torch.Tensor]) -> str:
    """Fingerprint of what gives an autoencoder's codes, its decoders included, by which guesses are corrected:
    diffusion weights mean nothing beside others."""
    found = hashlib.sha256()
    for name, tensor in sorted(_stored(state).items()):
        if not name.startswith("confidence_net."):
            found.update(tensor.numpy().tobytes())
    return found.hexdigest()


def _stored(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights as a file holds them: matrices and kernels in 8 bits a number, with a scale for each row; all else in
    half precision. What was stored and read is stored the same again."""
    stored = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu()
        if name.endswith(".weight") and tensor.ndim > 1:
            rows = tensor.float().flatten(1)
            scale = (rows.abs().amax(1) / 127).clamp(min=LEAST_SCALE).half().view(-1, *[1] * (tensor.ndim - 1))
            stored[name + SCALE] = scale
            tensor = (tensor.float() / scale.float()).round().clamp(-127, 127).to(torch.int8)
        else:
            tensor = tensor.half()
        stored[name] = tensor.contiguous()
    return stored


def load_diffusion(path: Path, autoencoder: dict[str, torch.Tensor]) -> Diffusion | None:
    """Diffusion model of a file, None where there is none or where it was made for another autoencoder's state.

    Raises:
        WeightsDamaged: not such a file, or cut short.
    """
    if not path.is_file():
        return None
    config, state, about = _read(path, DiffusionConfig)
    if about.get("encoders") != fingerprint_autoencoder(autoencoder):
        return None
    diffusion = Diffusion(config)
    try:
        diffusion.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsDamaged(f"The weights {path} belong to another version of the model: fetch the file that comes "
                             "with this one.") from error
    return diffusion


def save_weights(path: str | Path, state: dict[str, torch.Tensor], config: ModelConfig | DiffusionConfig,
                 about: dict[str, str]) -> None:
    """Write weights with their config and `about` (how they were trained) as metadata."""
    from safetensors.torch import save_file

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(_stored(state), path, {"config": json.dumps(config.to_dict()), **about})


def load_weights(path: str | Path) -> tuple[ModelConfig, dict[str, torch.Tensor]]:
    """Read config and float32 weights of a file written by `save_weights`.

    Raises:
        WeightsDamaged: not such a file, or cut short.
    """
    config, state, _ = _read(path, ModelConfig)
    return config, state


def read_metadata(path: str | Path) -> dict[str, str]:
    """How weights were made: the `about` of `save_weights`."""
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return {key: value for key, value in file.metadata().items() if key != "config"}


def _read(path: str | Path, config_class: type) -> tuple:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            about = file.metadata()
            config = from_dict(config_class, json.loads(about["config"]))
            stored = {name: file.get_tensor(name).float() for name in file.keys()}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ConfigError) as error:
        raise WeightsDamaged(f"The weights {path} cannot be read ({error}): fetch the file again.") from error
    scales = {name: stored.pop(name) for name in list(stored) if name.endswith(SCALE)}
    for name, scale in scales.items():
        stored[name.removesuffix(SCALE)] *= scale
    return config, stored, about
