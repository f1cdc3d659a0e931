"""Train everything that follows the first autoencoder again, at any length, and compare the figures with expected ones.

    python -m training.reproduce --photos fairface --scale 0.1 --out runs/reproduce     # make reproduce DATA=fairface
    python -m training.reproduce --photos fairface --scale 1 --out runs/whole           # the bundled weights

Each stage is a command of `training`, which is shown before it runs. A stage whose result is in the folder already is
not run again, so the same command goes on after an interruption. docs/training.md describes the stages, and how the
first autoencoder, with which they begin, was made.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from core.errors import ConfigError, LatentFaceError, WeightsMismatch
from core.files import prepare_folder

EXPECTED = Path(__file__).parent / "configs" / "reproduce.yaml"
"""Fingerprint of the start, and expected figures by scale with their tolerances."""
RENDERS, PHOTOS, DETAIL_STEPS, DIFFUSION_STEPS, FINE_STEPS = 12_000, 8000, 1500, 1500, 6000
"""Lengths at scale 1: renders made, photos encoded for the diffusion model, and steps, which are those of
training/configs."""
SHARD = 2000
"""Renders of a shard, the fewest that are made."""


@dataclass(frozen=True)
class Stage:
    """One command."""

    name: str
    command: tuple[str, ...]
    """Arguments of the interpreter, `-m` left out."""
    result: Path
    """File that exists when the stage is done."""


def stages(photos: Path, out: Path, scale: float, threads: int) -> Iterator[Stage]:
    """The stages in order; a stage's command may name results of earlier ones."""
    renders = max(SHARD, round(RENDERS * scale))
    last_shard = f"rig_{-(-renders // SHARD) - 1:04d}.npz"
    for size in (64, 128):
        pack = out / f"rig{size}"
        yield Stage(f"renders, {size} px", ("training.render_pack", "--size", f"{size}", "--count", f"{renders}",
                                            "--out", f"{pack}", "--workers", f"{threads}"), pack / last_shard)
        held_out = out / f"heldout{size}.npz"
        yield Stage(f"held-out renders, {size} px", ("training.render_validation", "--size", f"{size}", "--seed", "1",
                                                     "--out", f"{held_out}"), held_out)
    packs = "--photos", f"{photos}", "--renders", f"{out / 'rig64'}"
    detail, diffusion, fine = (out / name for name in ("0001-detail", "0002-diffusion", "0003-fine"))
    run = "--runs", f"{out}", "--threads", f"{threads}"
    yield Stage("albedo code, second part", (
        "training.train_autoencoder", "--config", "training/configs/detail.yaml", "--start-from",
        f"{out / 'start.safetensors'}", *packs, "--steps", _steps(DETAIL_STEPS, scale), *run),
        detail / "model.safetensors")
    yield Stage("identity and expression", (
        "training.train_diffusion", "--config", "training/configs/diffusion.yaml", "--weights",
        f"{detail / 'model.safetensors'}", *packs, "--photo-limit", f"{round(PHOTOS * scale)}", "--steps",
        _steps(DIFFUSION_STEPS, scale), *run),
        diffusion / "diffusion.safetensors")
    weights = "--weights", f"{diffusion / 'autoencoder.safetensors'}"
    yield Stage("fine stage", (
        "training.train_fine", "--config", "training/configs/fine.yaml", *weights, "--photos", f"{photos}", "--renders",
        f"{out / 'rig128'}", "--steps", _steps(FINE_STEPS, scale), *run), fine / "fine.safetensors")
    yield Stage("figures of the codes", (
        "training.evaluate", "geometry", *weights, "--renders", f"{out / 'heldout64.npz'}", "--photos", f"{photos}",
        "--val-limit", "1000", "--train-limit", "4000", "--out", f"{out / 'codes.json'}"), out / "codes.json")
    yield Stage("figures of the fine stage", (
        "training.evaluate", "fine", *weights, "--fine", f"{fine / 'fine.safetensors'}", "--renders",
        f"{out / 'heldout128.npz'}", "--photos", f"{photos}", "--val-limit", "500", "--out", f"{out / 'fine.json'}"),
        out / "fine.json")


def _steps(whole: int, scale: float) -> str:
    return str(max(20, round(whole * scale)))


def write_start(path: Path, fingerprint: str) -> None:
    """Write the bundled autoencoder without the second part of its albedo code: the weights that training starts from.

    Raises:
        WeightsMismatch: their fingerprint is another one, so that other figures must be expected.
    """
    from core.model.weights import BUNDLED, autoencoder_fingerprint, load_weights, save_weights

    config, state = load_weights(BUNDLED)
    state = {name: tensor for name, tensor in state.items() if not name.startswith("detail_coder.")}
    found = autoencoder_fingerprint(state)
    if found != fingerprint:
        raise WeightsMismatch(f"The bundled autoencoder has the fingerprint {found[:12]}, and {EXPECTED.name} expects "
                              f"{fingerprint[:12]}: measure its figures again.")
    save_weights(path, state, replace(config, detail_size=0), {"stage": "autoencoder"})


def compare(expected: dict[str, dict[str, list[float]]], folder: Path) -> bool:
    """Show measured beside expected figures, and whether all lie within their tolerances.

    Args:
        expected: of each report its figures: expected value and tolerance, by "figure column".
        folder: of the reports.
    """
    from rich.console import Console
    from rich.table import Table

    table, fits = Table(title="figures"), True
    for column in ("figure", "expected", "tolerance", "measured"):
        table.add_column(column, justify="left" if column == "figure" else "right")
    for report, figures in expected.items():
        measured = json.loads((folder / f"{report}.json").read_text(encoding="utf-8"))["figures"]
        for name, (value, tolerance) in figures.items():
            key, _, column = name.partition(" ")
            good = abs(measured[key][column] - value) <= tolerance
            fits &= good
            table.add_row(name, f"{value:.4f}", f"± {tolerance:.4f}", f"{measured[key][column]:.4f}",
                          style="" if good else "red")
    Console(width=100).print(table)
    return fits


def main(arguments: list[str]) -> None:
    """Run the stages that are not done, then compare."""
    import yaml

    parser = argparse.ArgumentParser(prog="python -m training.reproduce", description="Train everything that follows "
                                     "the first autoencoder again, and compare the figures with expected ones.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True,
                        help="face pack with train, val, landmarks and blendshapes")
    parser.add_argument("--scale", type=float, default=0.1, help="part of the whole length")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads")
    parser.add_argument("--out", type=Path, default=Path("runs/reproduce"), help="folder of all results")
    options = parser.parse_args(arguments)
    settings = yaml.safe_load(EXPECTED.read_text(encoding="utf-8"))
    if options.scale not in settings["figures"]:
        known = ", ".join(str(scale) for scale in settings["figures"])
        raise ConfigError(f"--scale must be one whose figures were measured: {known}; got {options.scale}.")
    prepare_folder(options.out, ["start.safetensors"], True)
    start = options.out / "start.safetensors"
    if not start.exists():
        write_start(start, settings["start"])
    for stage in stages(options.photos, options.out, options.scale, options.threads):
        print(f"{stage.name}: python -m {shlex.join(stage.command)}", flush=True)
        if not stage.result.exists() and subprocess.run([sys.executable, "-m", *stage.command], check=False).returncode:
            raise ConfigError(f"The stage “{stage.name}” failed: see its message above.")
    if not compare(settings["figures"][options.scale], options.out):
        sys.exit("Figures outside their tolerance are red.")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except LatentFaceError as error:
        sys.exit(str(error))
