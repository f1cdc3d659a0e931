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
    geometry = commands.add_parser("geometry", help=about, description=about + " Name one source of data at least.")
    add = geometry.add_argument
    add("--weights", type=Path, metavar="FILE", help="safetensors file (default: the bundled weights)")
    add("--renders", type=Path, metavar="FILE", help="npz of renders of held-out people")
    add("--rig-pack", type=Path, metavar="FOLDER", help="training renders, which add the expression probe to --renders")
    add("--rig-count", type=int, default=10000, metavar="N", help="how many of them it learns from (default: 10000)")
    add("--photos", type=Path, metavar="FOLDER", help="face pack with train, val, landmarks and blendshapes")
    add("--train-limit", type=int, metavar="N", help="photos that the blendshape probe learns from (default: all)")
    add("--london", type=Path, metavar="FOLDER", help="folder with london.csv and aligned512/")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")
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
