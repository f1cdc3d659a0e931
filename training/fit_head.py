"""Fit what reads a head from the codes of an autoencoder, in a few minutes.

    python -m training.fit_head --rig-pack packs/rig64 --out assets/weights/head.safetensors
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

from core.errors import LatentFaceError
from core.files import prepare_folder
from core.head.rig import load_rig
from core.model.weights import BUNDLED, head_path, load_autoencoder, weights_path
from training.fitting.head import encode_renders, fit_regression, landmark_vertices
from training.rig.rig import Rig


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.fit_head",
                                     description="Fit what reads a head from the codes of an autoencoder.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--weights", type=Path, help="autoencoder, a safetensors file; None: the bundled one")
    parser.add_argument("--rig-pack", type=Path, required=True, help="folder of training.render_pack")
    parser.add_argument("--limit", type=int, default=0, help="number of renders; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of lights and backgrounds")
    parser.add_argument("--out", type=Path, default=head_path(BUNDLED), help="file to write")
    parser.add_argument("--overwrite", action="store_true", help="also replace a file that LatentFace did not write")
    options = parser.parse_args(arguments)
    try:
        fit(options)
    except LatentFaceError as error:
        sys.exit(str(error))


@torch.no_grad()
def fit(options: argparse.Namespace) -> None:
    """Fit and write, by the command line's options."""
    prepare_folder(options.out.parent, [options.out.name], options.overwrite)
    autoencoder = load_autoencoder(weights_path(options.weights)).eval()
    codes, coefficients = encode_renders(autoencoder, options.rig_pack, options.limit, options.seed)
    landmarks = landmark_vertices(Rig.load(), load_rig(), autoencoder.config.image_size)
    fit_regression(codes, coefficients, landmarks).write(options.out, autoencoder, options.overwrite)


if __name__ == "__main__":
    main()
