"""Features of images by every encoder that is compared: the model's parts, and what they have to beat."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.errors import ConfigError
from core.files import prepare_folder, replacing
from core.model.autoencoder import Autoencoder
from core.model.weights import load_weights, read_metadata
from core.pipeline import LatentFace
from core.types import SplitCodes
from training.evaluate.metrics import pixel_pca
from training.objective.baselines import KINDS, TwoEncoders

BATCH = 64
"""Images that are encoded at once."""
PIXELS = 32
"""Side of the images that need no encoder at all."""
NAMES = {"identity": "identity", "expression": "expression", "code": "code", "identity+code": "identity + code",
         "expression+code": "expression + code", "pca": "PCA of pixels", "random": "random encoder",
         "autoencoder": "plain autoencoder", "contrastive": "SimCLR"}
"""Every column of features, and its heading."""


class OwnCodes(torch.nn.Module):
    """The codes (B, 512) of depth and of albedo that an autoencoder gives images (B, 3, H, W) in [0, 1]."""

    def __init__(self, autoencoder: Autoencoder):
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, image: Tensor) -> Tensor:
        codes = self.autoencoder.encode(image)
        return codes.pair.rows


class Features:
    """Turns images into features, by column; see NAMES.

    Args:
        model: under test. Its columns are its two parts, their sum, and the papers' concatenations.
        baselines: weights of training.train_baselines, a column each; beside them stand an encoder with random weights
            and the principal components of the pixels.
        cache: folder to keep what was encoded in; None keeps nothing.

    Attributes:
        networks: those columns that a network gives directly.
    """

    def __init__(self, model: LatentFace, baselines: Sequence[Path] = (), cache: Path | None = None):
        self.model, self.size, self.cache = model, model.config.image_size, cache
        with torch.random.fork_rng():
            torch.manual_seed(0)
            untrained = TwoEncoders(model.config)
        self.networks = {"code": OwnCodes(model.autoencoder), "random": untrained,
                         **dict(read_baseline(path, self.size) for path in baselines)}

    def __call__(self, *groups: Tensor, components: int = 128) -> dict[str, list[np.ndarray]]:
        """Features (N, F) of each group, by column.

        Args:
            groups: (N, 3, H, W) each, uint8, or float in [0, 1]. The principal components are those of the first.
            components: how many of them, at most; with few images, many are noise.
        """
        encoders = [lambda images: parts(self.model.split(self.model.encode(images))),
                    *(partial(_named, name, network) for name, network in self.networks.items() if name != "code")]
        encoded = [{column: rows for encoder in encoders for column, rows in self._encode(encoder, group).items()}
                   for group in groups]
        result = {column: [columns[column] for columns in encoded] for column in encoded[0]}
        result["pca"] = pixel_pca(*groups, size=PIXELS, components=components)
        return {column: result[column] for column in NAMES if column in result}

    def _encode(self, encoder: Callable, images: Tensor) -> dict[str, np.ndarray]:
        """What one encoder says of images, from the cache if they have been there."""
        if self.cache is None:
            return encode(encoder, images)
        path = Path(self.cache) / f"features-{self._key(encoder, images)}.npz"
        if not path.is_file():
            prepare_folder(path.parent)
            with replacing(path) as part, open(part, "wb") as file:
                np.savez(file, allow_pickle=False, **encode(encoder, images))
        with np.load(path) as stored:
            return {column: stored[column] for column in stored.files}

    def _key(self, encoder: Callable, images: Tensor) -> str:
        """Name of images under an encoder, which is known by what it says of noise: any change of it shows there."""
        noise = torch.rand(1, 3, self.size, self.size, generator=torch.Generator().manual_seed(0))
        answer = np.concatenate([rows.ravel() for rows in encoder(noise).values()])
        return hashlib.sha256(answer.round(3).tobytes() + images.numpy().tobytes()).hexdigest()[:16]


def encode(encoder: Callable[[Tensor], dict[str, np.ndarray]], images: Tensor) -> dict[str, np.ndarray]:
    """Columns (N, F) of images (N, 3, H, W), uint8 or float."""
    found = [encoder(part.float() / 255 if part.dtype == torch.uint8 else part) for part in images.split(BATCH)]
    return {column: np.concatenate([rows[column] for rows in found]) for column in found[0]}


def parts(split: SplitCodes) -> dict[str, np.ndarray]:
    """The model's columns: depth beside albedo, (B, 512) a part."""
    found = {"identity": split.identity, "expression": split.expression, "code": split.codes.pair}
    rows = {name: torch.cat([part.depth, part.albedo], 1).cpu().numpy() for name, part in found.items()}
    both = {f"{name}+code": np.concatenate([rows[name], rows["code"]], 1) for name in ("identity", "expression")}
    return rows | both


def _named(name: str, network: TwoEncoders, images: Tensor) -> dict[str, np.ndarray]:
    with torch.inference_mode():
        return {name: network(images).numpy()}


def read_baseline(path: Path, size: int) -> tuple[str, TwoEncoders]:
    """Kind and network of weights that training.train_baselines has written.

    Raises:
        ConfigError: no such file, other weights, or weights for images of another size.
        WeightsDamaged: the file cannot be read.
    """
    if not Path(path).is_file():
        raise ConfigError(f"There is no {path}: train it with `python -m training.train_baselines`.")
    config, state = load_weights(path)
    kind = read_metadata(path).get("kind")
    if kind not in KINDS or config.image_size != size:
        raise ConfigError(f"{path} is no baseline for images of {size} px: name the model.safetensors of a run of "
                          "training.train_baselines.")
    network = KINDS[kind](config).eval().requires_grad_(False)
    network.load_state_dict(state)
    return kind, network
