"""Measure trained weights.

    python -m training.evaluate geometry --renders rig_val.npz --photos fairface --london london --out report.json
    python -m training.evaluate limits --renders rig_val.npz --photos fairface
    python -m training.evaluate disentanglement --renders rig_val.npz --london london --figures sheets
    python -m training.evaluate semantics --renders rig_val.npz --london london
    python -m training.evaluate augment --photos fairface
    python -m training.evaluate fine --fine runs/0003-fine/fine.safetensors --renders packs/heldout128.npz
    python -m training.evaluate head --people 60
    python -m training.evaluate verification --root lfw --pairs lfw/pairs.txt --cache cache
    python -m training.evaluate expression --root RAF-DB --epochs 10 --cache cache
    python -m training.evaluate time --people 30 --out time.json
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
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
    add("--val-limit", type=int, metavar="N", help="photos to measure on (default: all)")
    add("--london", type=Path, metavar="FOLDER", help="folder with london.csv and aligned512/")
    add("--refine", action="store_true", help="measure refined factors: about a second a face")
    add("--previous", type=Path, metavar="FILE", help="report of the previous release, to show beside this one")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")
    add("--figures", type=Path, metavar="FOLDER", help="folder for plots and the worst cases; these show the photos")
    _add_limits(commands)
    _add_warnings(commands)
    _add_collapse(commands)
    _add_frontalization(commands)
    _add_fine(commands)
    _add_head(commands)
    _add_disentanglement(commands)
    _add_semantics(commands)
    _add_augment(commands)
    _add_verification(commands)
    _add_expression(commands)
    _add_time(commands)
    for command in commands.choices.values():
        command.add_argument("--overwrite", action="store_true", help="also replace files LatentFace did not write")
    return result


def _add_limits(commands) -> None:
    about = "What an answer without error would reach: MediaPipe against the truth and itself, and depth in the view."
    command = commands.add_parser("limits", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="safetensors file (default: the bundled weights)")
    add("--renders", type=Path, required=True, metavar="FILE", help="npz of renders of held-out people")
    add("--people", type=int, default=250, metavar="N", help="people rendered for MediaPipe, six times each "
        "(default: 250)")
    add("--photos", type=Path, metavar="FOLDER", help="face pack with val, landmarks and blendshapes")
    add("--val-limit", type=int, metavar="N", help="photos to measure on (default: all)")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def _add_warnings(commands) -> None:
    about = "Which photos are warned of, by skin tone, and whether spoilt ones are."
    command = commands.add_parser("warnings", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="safetensors file (default: the bundled weights)")
    add("--photos", type=Path, required=True, metavar="FOLDER", help="face pack with train and val, 128 px")
    add("--calibrate", action="store_true", help="set the limits by the training photos instead")
    add("--limit", type=int, metavar="N", help="photos to look at (default: all)")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def _add_collapse(commands) -> None:
    about = "Whether trainings collapsed: a wrong shape, light in the albedo, turns told as shape."
    command = commands.add_parser("collapse", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, nargs="+", required=True, metavar="FILE", help="safetensors files to compare")
    add("--renders", type=Path, required=True, metavar="FILE", help="npz of renders of held-out people")
    add("--photos", type=Path, required=True, metavar="FOLDER", help="face pack with val, and yaw_deg in its csv")
    add("--val-limit", type=int, metavar="N", help="photos to measure on (default: all)")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def _add_frontalization(commands) -> None:
    about = "Turned heads shown from the front, and albedo under several lights, on renders of held-out people."
    command = commands.add_parser("frontalization", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="safetensors file (default: the bundled weights)")
    add("--people", type=int, default=60, metavar="N", help="people, each rendered in every band of yaw (default: 60)")
    add("--descriptor", type=Path, metavar="FILE",
        help="recognition network (npm pack @vladmandic/face-api@1.7.15): whose face is it from the front?")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")
    add("--figures", type=Path, metavar="FOLDER", help="folder for a sheet of the best, middle and worst cases")


def _add_fine(commands) -> None:
    about = "The fine stage beside the enlarged maps of the autoencoder that it stands on."
    command = commands.add_parser("fine", help=about,
                                  description=about + " Albedo under four lights is always measured.")
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="autoencoder, a safetensors file (default: the bundled weights)")
    add("--fine", type=Path, metavar="FILE", help="fine stage (default: fine.safetensors beside the autoencoder)")
    add("--renders", type=Path, metavar="FILE", help="npz of renders of held-out people, of the fine stage's size")
    add("--photos", type=Path, metavar="FOLDER", help="face pack with val and val_landmarks.npz")
    add("--val-limit", type=int, metavar="N", help="photos to measure on (default: all)")
    add("--people", type=int, default=60, metavar="N", help="faces rendered under four lights (default: 60)")
    add("--london", type=Path, metavar="FOLDER", help="folder with london.csv and aligned512/, for --figures")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")
    add("--figures", type=Path, metavar="FOLDER", help="folder for a sheet of held-out people of --london")


def _add_head(commands) -> None:
    about = "The rig's head against the truth: renders of people whom training never sees."
    command = commands.add_parser("head", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="safetensors file (default: the bundled weights)")
    add("--people", type=int, default=60, metavar="N", help="people, rendered without and with an expression "
        "(default: 60)")
    add("--photos", type=Path, nargs="+", metavar="FOLDER", help="measure landmarks and tangles on photos instead: "
        "face packs with val_landmarks.npz, or folders of photos")
    add("--limit", type=int, default=100, metavar="N", help="photos of each folder (default: 100)")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def _add_disentanglement(commands) -> None:
    about = "What identity and expression know of each other, and whether a swap shows what it should."
    command = commands.add_parser("disentanglement", help=about,
                                  description=about + " Name one source of data at least.")
    add = command.add_argument
    _add_encoders(command)
    add("--renders", type=Path, metavar="FILE", help="npz of renders of held-out people")
    add("--rig-pack", type=Path, metavar="FOLDER", help="training renders, which add the expression probe to --renders")
    add("--rig-count", type=int, default=10000, metavar="N", help="how many of them it learns from (default: 10000)")
    add("--pairs", type=int, default=134, metavar="N", help="pairs of rendered people who swap (default: 134)")
    add("--photos", type=Path, metavar="FOLDER", help="face pack with train, val and blendshapes")
    add("--train-limit", type=int, metavar="N", help="photos that the blendshape probe learns from (default: all)")
    add("--london", type=Path, metavar="FOLDER", help="folder with london.csv and aligned512/")
    add("--descriptor", type=Path, metavar="FILE",
        help="recognition network (npm pack @vladmandic/face-api@1.7.15): whose face is it after a swap?")
    add("--figures", type=Path, metavar="FOLDER", help="folder for sheets of swaps, from --london")


def _add_semantics(commands) -> None:
    about = "Found directions beside PCA of codes, the decoders' first layers and random directions."
    command = commands.add_parser("semantics", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="autoencoder, with diffusion and semantics beside it (default: "
        "the bundled weights)")
    add("--renders", type=Path, required=True, metavar="FILE", help="npz of renders of held-out people")
    add("--london", type=Path, metavar="FOLDER", help="folder with london.csv and aligned512/: pose and identity kept")
    add("--people", type=int, default=41, metavar="N", help="held-out people of it who are edited (default: 41)")
    add("--descriptor", type=Path, metavar="FILE",
        help="recognition network (npm pack @vladmandic/face-api@1.7.15): whose face is it after an edit?")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def _add_augment(commands) -> None:
    about = "Edited faces added to unbalanced data: does a probe for smiles gain by them on other people?"
    command = commands.add_parser("augment", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="autoencoder, with diffusion and semantics beside it (default: "
        "the bundled weights)")
    add("--photos", type=Path, required=True, metavar="FOLDER", help="face pack with train, val and blendshapes")
    add("--along", default="smile", metavar="NAME", help="semantic that is edited (default: smile)")
    add("--amounts", type=float, nargs="+", default=[0.5, 1.0, 1.5], metavar="X", help="of it (default: 0.5 1 1.5)")
    add("--count", type=int, default=1000, metavar="N", help="photos that the probe learns from (default: 1000)")
    add("--edited", type=int, default=300, metavar="N", help="of them, that are edited (default: 300)")
    add("--draws", type=int, default=5, metavar="N", help="draws of the rare class (default: 5)")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def _add_verification(commands) -> None:
    about = "Same person or not, on ten folds, as Labeled Faces in the Wild has it."
    command = commands.add_parser("verification", help=about, description=about)
    add = command.add_argument
    _add_encoders(command)
    add("--root", type=Path, required=True, metavar="FOLDER", help="folder that the names of --pairs are in")
    add("--pairs", type=Path, required=True, metavar="FILE",
        help="the data set's own list: pairs.txt (LFW), pair_SLLFW.txt or pairs_CPLFW.txt")
    add("--aligned", action="store_true", help="the photos are cut as LatentFace cuts them: look for no faces")


def _add_expression(commands) -> None:
    about = "Linear probe and fine-tuning on RAF-DB, AffectNet or FER2013."
    command = commands.add_parser("expression", help=about, description=about)
    add = command.add_argument
    _add_encoders(command)
    add("--root", type=Path, required=True, metavar="FOLDER", help="the data set's folder, as it is given away")
    add("--split", metavar="NAME", help="part to test on (default: test, or the data set's own name for it)")
    add("--epochs", type=int, default=0, metavar="N", help="of fine-tuning (default: 0, no fine-tuning)")
    add("--aligned", action="store_true", help="the photos are cut as LatentFace cuts them: look for no faces")


def _add_time(commands) -> None:
    about = "A face followed through rendered films with known expression and pose, and identity from several renders."
    command = commands.add_parser("time", help=about, description=about)
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="safetensors file (default: the bundled weights)")
    add("--people", type=int, default=30, metavar="N", help="films, each of another person (default: 30)")
    add("--seconds", type=float, default=5, metavar="S", help="length of a film (default: 5)")
    add("--identities", type=int, default=134, metavar="N", help="people of whom identities are found (default: 134)")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def _add_encoders(command) -> None:
    """Options of every comparison of encoders."""
    add = command.add_argument
    add("--weights", type=Path, metavar="FILE", help="safetensors file (default: the bundled weights)")
    add("--baselines", type=Path, nargs="+", default=[], metavar="FILE",
        help="weights of training.train_baselines to show beside it")
    add("--cache", type=Path, metavar="FOLDER", help="keeps faces and features, so that a second run is quick")
    add("--out", type=Path, metavar="FILE", help="JSON file for the figures")


def main(arguments: list[str]) -> None:
    """Run one measurement."""
    options = parser().parse_args(arguments)
    from core.environment import escape_output
    from core.errors import LatentFaceError
    from core.files import prepare_folder

    escape_output()
    try:
        if options.out:
            prepare_folder(options.out.parent, [options.out.name], options.overwrite)
        import_module(f"training.evaluate.protocols.{options.command}").run(options)
    except LatentFaceError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
