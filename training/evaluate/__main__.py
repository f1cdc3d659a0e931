"""Measure trained weights.

    python -m training.evaluate geometry --renders rig_val.npz --photos fairface --london london --out report.json
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path


def parser() -> argparse.ArgumentParser:
    """Command line of all measurements."""
    result = argparse.ArgumentParser(prog="python -m training.evaluate", description="Measure trained weights.")
    commands = result.add_subparsers(dest="command", required=True)
    about = "Depth, albedo, light, pose and codes of the autoencoder, beside simple baselines and published figures."
    geometry = commands.add_parser("geometry", help=about, description=about,
                                   formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = geometry.add_argument
    add("--weights", type=Path, help="safetensors file; without it the bundled weights")
    add("--renders", type=Path, help="npz of renders of held-out people; without it none are measured")
    add("--photos", type=Path, help="face pack with train and val, landmarks and blendshapes; without it none")
    add("--london", type=Path, help="folder with london.csv and aligned512/; without it none")
    add("--rig-pack", type=Path, help="folder of training.render_pack, for the expression probe; without it none")
    add("--rig-count", type=int, default=10000, help="renders that the expression probe learns from")
    add("--train-limit", type=int, help="photos that the blendshape probe learns from; all without it")
    add("--out", type=Path, help="JSON file for the figures")
    return result


def main(arguments: list[str]) -> None:
    """Run one measurement."""
    options = parser().parse_args(arguments)
    from core.errors import LatentFaceError

    try:
        from training.evaluate import geometry

        geometry.run(options)
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
