"""The command line that all trainings share."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.config import Config, from_dict
from training.config import load_config


def parse(arguments: list[str], settings: type[Config], program: str) -> tuple[argparse.Namespace, Config]:
    """Parse a command line. Flags override the YAML file or the resumed run, which overrides the defaults.

    Args:
        arguments: the command line.
        settings: dataclass of the training's settings.
        program: name of the training's module.

    Returns:
        Options of the run (config, resume, runs, dry_run), and the resolved settings.

    Raises:
        ConfigError: a YAML file or a checkpoint that cannot be used.
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
    description = ("--config FILE: YAML file of settings that differ from the defaults. "
                   "--resume FOLDER: run folder to continue. "
                   "--runs FOLDER: where numbered run folders are made (default: runs). "
                   "--dry-run: show the settings and stop.")
    return options, tyro.cli(settings, args=rest, default=config, description=description,
                             prog=f"python -m {program}")


def start(options: argparse.Namespace, config: Any, train: Callable[[Any, Path, dict | None], None], name: str,
          main_process: Callable[[], bool] = lambda: True) -> None:
    """Show the settings, resume a run or begin a new one, as the options say.

    Args:
        options: of `parse`.
        config: settings of the training.
        train: function of settings, run folder and the checkpoint to resume from.
        name: of a new run.
        main_process: whether this process makes the run folder; called only where a folder is made.
    """
    from training import checkpoint

    if options.dry_run:
        from rich import print as show

        show(config)
    elif options.resume:
        run = Path(options.resume)
        train(config, run, checkpoint.load(run))
    else:
        run = checkpoint.new_run(options.runs, name, config.to_dict()) if main_process() else Path(name)
        train(config, run, None)
