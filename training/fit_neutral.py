"""Fit what the expression basis reads from faces without expression, which `LatentFace.expressions` counts from.

    python -m training.fit_neutral --photos fairface                                        # the bundled weights
    python -m training.fit_neutral --photos packs/photos --weights runs/0002-diffusion/model.safetensors

The pack needs MediaPipe's expression scores of its photos, train_blendshapes.npz. They only choose the photos that show
no expression. `ExpressionBasis.origin` in the diffusion weights beside the autoencoder becomes their mean.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from core.environment import escape_output
from core.errors import ConfigError, LatentFaceError
from core.model.weights import diffusion_path, read_metadata, save_weights, weights_path
from core.pipeline import LatentFace
from training.data.face_pack import FacePack

EXPRESSIVE = ("mouthSmile", "mouthStretch", "mouthPucker", "mouthFunnel", "mouthUpperUp", "mouthLowerDown", "jawOpen",
              "browDown", "browInnerUp", "browOuterUp")
"""Beginnings of the names of MediaPipe's scores that are low where a face shows no expression."""
NEUTRAL = 0.25
"""Score below which an expression is not seen."""
FEWEST = 100
"""Photos without expression that are needed."""


def neutral_photos(scores: np.ndarray, names: list[str]) -> np.ndarray:
    """(N,) bool, photos without expression, of MediaPipe's scores (N, 52) in [0, 1] and their names."""
    return np.asarray((scores[:, [name.startswith(EXPRESSIVE) for name in names]] < NEUTRAL).all(1))


def fit_neutral(model: LatentFace, folder: Path, limit: int) -> int:
    """Set the origin of a model's expression basis.

    Args:
        model: with an expression basis.
        folder: face pack, see the module's docstring.
        limit: photos to read, the first of the pack's split train.

    Returns:
        Number of photos without expression.

    Raises:
        ConfigError: the pack lacks scores, or has too few photos without expression.
    """
    path = folder / "train_blendshapes.npz"
    if not path.is_file():
        raise ConfigError(f"There are no expression scores at {path}: use a pack that has them.")
    photos = FacePack(folder, model.config.image_size, "train", limit)[:]
    with np.load(path) as arrays:
        chosen = neutral_photos(arrays["scores"][:len(photos)], [str(name) for name in arrays["names"]])
    if chosen.sum() < FEWEST:
        raise ConfigError(f"{folder} has {chosen.sum()} photos without expression, {FEWEST} are needed: raise --limit.")
    basis = model.require_basis()
    basis.origin.copy_(basis.predict(model.encode(photos[torch.from_numpy(chosen)]).pair).mean(0))
    return int(chosen.sum())


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.fit_neutral",
                                     description="Fit what is read from faces without expression.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help="face pack with train_blendshapes.npz")
    parser.add_argument("--weights", type=Path, help="autoencoder beside the diffusion weights (default: the bundled)")
    parser.add_argument("--limit", type=int, default=4000, help="photos to read")
    options = parser.parse_args(arguments)
    escape_output()
    try:
        path = weights_path(options.weights)
        model = LatentFace.from_pretrained(path)
        count = fit_neutral(model, options.photos, options.limit)
        beside, diffusion = diffusion_path(path), model.diffusion
        assert diffusion is not None  # it holds the basis
        save_weights(beside, diffusion.state_dict(), diffusion.config, read_metadata(beside), overwrite=True)
    except LatentFaceError as error:
        sys.exit(str(error))
    print(f"{count} photos without expression; {beside} is written. Build the latent map again.")


if __name__ == "__main__":
    main()
