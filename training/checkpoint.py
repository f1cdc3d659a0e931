"""Run folders and checkpoints: one file holds all that an exact resume needs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import torch

from core.errors import ConfigError

LAST = "checkpoint.pt"


def new_run(folder: str | Path, name: str, config: dict) -> Path:
    """Make the next numbered run folder and note in it the config and the revision of the code."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = [int(path.name[:4]) for path in folder.iterdir() if path.name[:4].isdigit()]
    run = folder / f"{max(numbers, default=0) + 1:04d}-{name}"
    run.mkdir()
    (run / "config.json").write_text(json.dumps({"revision": _revision(), **config}, indent=2))
    return run


def _revision() -> str:
    """Of the code; empty where it is no git repository, or git is not installed."""
    if not shutil.which("git"):
        return ""
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def save(run: Path, state: dict) -> None:
    """Write a checkpoint; a crash half-way leaves the last one whole."""
    torch.save(state, run / (LAST + ".part"))
    os.replace(run / (LAST + ".part"), run / LAST)


def load(run: Path) -> dict:
    """Read the checkpoint of a run.

    Raises:
        ConfigError: the folder has none.
    """
    if not (run / LAST).is_file():
        raise ConfigError(f"There is no checkpoint in {run}: name a run folder that holds {LAST}.")
    return torch.load(run / LAST, map_location="cpu", weights_only=True)


def log_metrics(run: Path, metrics: dict) -> None:
    """Append one line to metrics.jsonl."""
    with open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(metrics) + "\n")
