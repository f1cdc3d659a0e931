"""Weights: one safetensors file, 8 bits or half precision, with the model's configuration in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from core import hub
from core.config import ASSETS, DiffusionConfig, FineConfig, ModelConfig, SemanticsConfig, from_dict
from core.errors import ArgumentInvalid, ConfigError, WeightsDamaged, WeightsMismatch, WeightsMissing
from core.files import prepare_folder, write_bytes
from core.model.autoencoder import Autoencoder
from core.model.diffusion import Diffusion
from core.model.fine import FineStage
from core.model.semantics import SemanticBasis

BUNDLED = ASSETS / "weights" / "autoencoder.safetensors"
FILES = ("autoencoder.safetensors", "diffusion.safetensors", "fine.safetensors", "semantics.safetensors",
         "head.safetensors")
"""Names of a saved model's weights; the first is always there."""
VARIABLE = "LATENTFACE_WEIGHTS"
SCALE = ".row_scale"
"""Suffix of the names of scales."""
LEAST_SCALE = 2.0**-14
"""Half precision has fewer bits below it: a scale would not be stored the same again after it was read."""

Network = TypeVar("Network", bound=nn.Module)
AnyConfig = ModelConfig | DiffusionConfig | FineConfig | SemanticsConfig


def weights_path(source: str | Path | None = None, revision: str | None = None) -> Path:
    """The autoencoder's file: of `source`, else of the environment variable LATENTFACE_WEIGHTS, else the bundled one.

    Args:
        source: a file, a folder of `LatentFace.save_pretrained`, or, as a text, the name "user/name" of a model of the
            Hugging Face Hub. A path that exists wins over such a name; a Path is never one. Only names use the network.
        revision: branch, tag or commit of the Hub's model.

    Raises:
        WeightsMissing: there is no such file or model, or the Hub cannot be reached.
        WeightsDamaged, WeightsMismatch: the folder's files are not those that its config.json lists.
        ArgumentInvalid: a revision of something that is not on the Hub.
    """
    chosen = source or os.environ.get(VARIABLE) or BUNDLED
    path = Path(chosen)
    if isinstance(chosen, str) and not path.exists() and hub.is_hub_name(chosen):
        path = hub.download(chosen, FILES, revision)
    elif revision is not None:
        raise ArgumentInvalid(f"revision belongs to a model of the Hub, and {chosen} is a path: leave it out.")
    if path.is_dir():
        hub.check_folder(path, FILES)
        path /= BUNDLED.name
    if not path.is_file():
        raise WeightsMissing(f"There are no weights at {path}: fetch the repository again, or name a file with "
                             f"--weights or the environment variable {VARIABLE}.")
    return path


def diffusion_path(path: str | Path) -> Path:
    """Where the diffusion weights of an autoencoder are: beside it."""
    return Path(path).with_name("diffusion.safetensors")


def load_autoencoder(path: str | Path) -> Autoencoder:
    """The autoencoder of a file.

    Raises:
        WeightsDamaged: the file cannot be read, or belongs to another version of the model.
    """
    config, state, _ = _read(path, ModelConfig)
    return _filled(Autoencoder(config), state, path)


def load_diffusion(path: str | Path, fingerprint: str) -> Diffusion:
    """The diffusion model of a file, for the autoencoder with a fingerprint (`autoencoder_fingerprint`).

    Raises:
        WeightsDamaged: the file cannot be read, or belongs to another version of the model.
        WeightsMismatch: it was made for another autoencoder.
    """
    return _load_beside(path, fingerprint, DiffusionConfig, Diffusion, f"The diffusion weights {path} were made for "
                        "another autoencoder: fetch both files together, train them again with `python -m "
                        "training.train_diffusion`, or move this file away to go on without identity and expression.")


def fine_path(path: str | Path) -> Path:
    """Where the fine stage's weights of an autoencoder are: beside it."""
    return Path(path).with_name("fine.safetensors")


def load_fine(path: str | Path, fingerprint: str) -> FineStage:
    """The fine stage of a file, for the autoencoder with a fingerprint (`autoencoder_fingerprint`).

    Raises:
        WeightsDamaged: the file cannot be read, or belongs to another version of the model.
        WeightsMismatch: it was made for another autoencoder.
    """
    return _load_beside(path, fingerprint, FineConfig, FineStage, f"The fine stage {path} was made for another "
                        "autoencoder: fetch both files together, or train it again with `python -m "
                        "training.train_fine`.")


def semantics_path(path: str | Path) -> Path:
    """Where the semantics of an autoencoder are: beside it."""
    return Path(path).with_name("semantics.safetensors")


def load_semantics(path: str | Path, fingerprint: str) -> SemanticBasis:
    """The found semantics of a file; arguments and errors as of `load_fine`."""
    return _load_beside(path, fingerprint, SemanticsConfig, SemanticBasis, f"The semantics {path} were found for "
                        "another autoencoder: fetch both files together, or find them again with `python -m "
                        "training.fit_semantics`.")


def head_path(path: str | Path) -> Path:
    """Where the regression that reads heads of an autoencoder is: beside it."""
    return Path(path).with_name("head.safetensors")


def check_autoencoder(metadata: dict[str, str], fingerprint: str, sentence: str) -> None:
    """Raise WeightsMismatch with a sentence where a file was not made for the autoencoder with a fingerprint."""
    if metadata.get("autoencoder") != fingerprint:
        raise WeightsMismatch(sentence)


def _load_beside(path: str | Path, fingerprint: str, config_class: type, network: Callable[..., Network],
                 sentence: str) -> Network:
    """A network that belongs to the autoencoder with a fingerprint; `sentence` says so where it is another's."""
    config, state, metadata = _read(path, config_class)
    check_autoencoder(metadata, fingerprint, sentence)
    return _filled(network(config), state, path)


def _filled(network: Network, state: dict[str, Tensor], path: str | Path) -> Network:
    """The network with the weights of a file, float32 whatever torch's default dtype is."""
    try:
        network.float().load_state_dict(state)
    except RuntimeError as error:
        raise WeightsDamaged(f"The weights {path} belong to another version of the model: fetch the file that comes "
                             "with this one.") from error
    return network


def save_weights(path: str | Path, state: dict[str, Tensor], config: AnyConfig,
                 metadata: dict[str, str], overwrite: bool = False) -> None:
    """Write weights with their configuration and `metadata` (how they were trained).

    The folder is made where it is missing; `overwrite` and errors as of `core.files.writing`.
    """
    path = Path(path)
    prepare_folder(path.parent)
    write_bytes(path, pack_weights(state, config, metadata), overwrite)


def pack_weights(state: dict[str, Tensor], config: AnyConfig,
                 metadata: dict[str, str]) -> bytes:
    """The content of a weights file, the same for the same weights and metadata; arguments as of `save_weights`."""
    from safetensors.torch import save

    content = save(quantize(state))
    end = 8 + int.from_bytes(content[:8], "little")
    described = {"config": json.dumps(config.to_dict()), **metadata}  # the library would write it in random order
    header = json.dumps({"__metadata__": dict(sorted(described.items())), **json.loads(content[8:end])}).encode()
    header += b" " * (-len(header) % 8)  # tensors begin at multiples of 8 bytes
    return len(header).to_bytes(8, "little") + header + content[end:]


def load_weights(path: str | Path) -> tuple[ModelConfig, dict[str, Tensor]]:
    """Configuration and float32 weights of an autoencoder's file; errors as of `load_autoencoder`."""
    config, state, _ = _read(path, ModelConfig)
    return config, state


def read_metadata(path: str | Path) -> dict[str, str]:
    """How weights were made: the `metadata` of `save_weights`."""
    return {key: value for key, value in read_safetensors(path)[1].items() if key != "config"}


def read_safetensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors and metadata of a safetensors file. Its library's `safe_open` refuses paths that are no UTF-8.

    Raises:
        SafetensorError, OSError: it is something else, damaged, or cannot be read.
    """
    from safetensors.torch import load

    content = Path(path).read_bytes()
    tensors = load(content)  # has checked the header
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    return tensors, header.get("__metadata__", {})


def autoencoder_fingerprint(state: dict[str, Tensor]) -> str:
    """SHA-256 of the weights that codes depend on, decoders included, since their renders correct the codes.

    A diffusion model is valid for one fingerprint only.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(quantize(state).items()):
        if not name.startswith("confidence_net."):
            digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def model_fingerprint(*networks: nn.Module | None) -> str:
    """Short SHA-256 of everything that codes, identities and decoded faces depend on."""
    digest = hashlib.sha256()
    for network in filter(None, networks):
        for _, tensor in sorted(network.state_dict().items()):
            digest.update(tensor.cpu().half().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def quantize(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights as a file holds them.

    Matrices and kernels become 8-bit integers with a scale for each row; everything else half precision. Reading and
    quantizing again gives the same.
    """
    quantized = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu()
        if name.endswith(".weight") and tensor.ndim > 1:
            rows = tensor.float().flatten(1)
            scale = (rows.abs().amax(1) / 127).clamp(min=LEAST_SCALE).half().view(-1, *[1] * (tensor.ndim - 1))
            quantized[name + SCALE] = scale
            tensor = (tensor.float() / scale.float()).round().clamp(-127, 127).to(torch.int8)
        else:
            tensor = tensor.half()
        quantized[name] = tensor.contiguous()
    return quantized


def _read(path: str | Path, config_class: type) -> tuple:
    """Configuration, float32 weights by name, and metadata of a file."""
    from safetensors import SafetensorError

    try:
        tensors, metadata = read_safetensors(path)
        config = from_dict(config_class, json.loads(metadata["config"]))
        stored = {name: tensor.float() for name, tensor in tensors.items()}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, ConfigError) as error:
        raise WeightsDamaged(f"The weights {path} cannot be read ({error}): fetch the file that comes with this "
                             "version.") from error
    scales = {name: stored.pop(name) for name in list(stored) if name.endswith(SCALE)}
    for name, scale in scales.items():
        stored[name.removesuffix(SCALE)] *= scale
    return config, stored, metadata
