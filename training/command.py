"""The command line that all trainings share."""

from __future__ import annotations

import argparse
from pathlib import Path

from core.config import from_dict
from training.config import load_config


def parse(arguments: list[str], settings: type, program: str) -> tuple[argparse.Namespace, object]:
    """Command line to run options and resolved settings: defaults < YAML or resumed run < flags.

    Args:
        arguments: the command line.
        settings: dataclass of the training's settings.
        program: name of the training's module.
    """
    import tyro

    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--config")
    parser.add_argument("--resume")
    parser.add_argument("--runs", default="runs")
    parser.add_argument("--dry-run", action="store_true")
    options, rest = parser.parse_known_args(arguments)
    config = settings()
    if options.resume:
        from training import checkpoint

        config = from_dict(settings, checkpoint.load(Path(options.resume))["config"])
    elif options.config:
        config = load_config(settings, options.config)
    about = ("--config FILE: differences from the defaults (YAML). --resume FOLDER: go on with a run. "
             "--runs FOLDER: where numbered run folders are made (default: runs). "
             "--dry-run: show the settings and stop.")
    return options, tyro.cli(settings, args=rest, default=config, description=about, prog=f"python -m {program}")
