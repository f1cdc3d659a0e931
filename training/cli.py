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


def start(options: argparse.Namespace, config, train, name: str, main_process=lambda: True) -> None:
    """Show the settings, go on with a run or begin one, as the command line says.

    Args:
        options, config: of `parse`.
        train: function of settings, run folder and, to go on, the checkpoint.
        name: of a new run.
        main_process: whether this process is the one that makes the folder; asked only where one is made.
    """
    from training import checkpoint

    if options.dry_run:
        from rich import print as show

        show(config)
    elif options.resume:
        run = Path(options.resume)
        train(config, run, checkpoint.load(run))
    else:
        train(config, checkpoint.new_run(options.runs, name, config.to_dict()) if main_process() else Path(name))
