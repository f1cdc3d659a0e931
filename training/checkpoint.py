"""Run folders, metrics and checkpoints. One checkpoint file holds everything that an exact resume needs."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import torch

from core.errors import ConfigError
from core.files import explain_failure, replacing

LAST = "checkpoint.pt"
"""Name of the checkpoint in a run folder."""


def new_run(folder: str | Path, name: str, config: dict[str, Any]) -> Path:
    """Make the next numbered run folder, such as 0001-hybrid, with config.json: the settings and the git revision.

    Raises:
        OutputUnwritable: the folder cannot be written.
    """
    folder = Path(folder)
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.name[:4]) for path in folder.iterdir() if path.name[:4].isdigit()]
        run = folder / f"{max(numbers, default=0) + 1:04d}-{name}"
        run.mkdir()
        (run / "config.json").write_text(json.dumps({"revision": _revision(), **config}, indent=2), encoding="utf-8")
    return run


def name_of_run(run: Path) -> str:
    """The name of a run without its number; the folder's name where it was renamed and has none."""
    return re.sub(r"^\d{4}-", "", run.name)


def _revision() -> str:
    """Git revision of the code; empty where this is no git repository, or git is not installed."""
    if not shutil.which("git"):
        return ""
    return subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False).stdout.strip()


def save(run: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint. A crash while it is written leaves the previous one intact.

    Raises:
        OutputUnwritable: the file cannot be written.
    """
    with replacing(run / LAST) as part, open(part, "wb") as file:
        torch.save(state, file)


def load(run: Path) -> dict[str, Any]:
    """Read the checkpoint of a run.

    Raises:
        ConfigError: the folder has none.
    """
    if not (run / LAST).is_file():
        raise ConfigError(f"There is no checkpoint in {run}: name a run folder that holds {LAST}.")
    return torch.load(run / LAST, map_location="cpu", weights_only=True)


def log_metrics(run: Path, metrics: dict[str, Any]) -> None:
    """Append one line to metrics.jsonl. Values are JSON values or scalar tensors, also in dicts.

    Raises:
        OutputUnwritable: the line cannot be written.
    """
    with explain_failure(run), open(run / "metrics.jsonl", "a", encoding="utf-8") as file:
        file.write(json.dumps(metrics, default=torch.Tensor.item) + "\n")
