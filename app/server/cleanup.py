"""Visitors' files are deleted at a fixed age."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

MAX_AGE_SECONDS = 600
"""Age at which uploaded and produced files are deleted."""
SWEEP_SECONDS = 60
"""Seconds between two searches for such files."""


def sweep(folder: Path) -> None:
    """Delete visitors' files periodically; never returns."""
    while True:
        time.sleep(SWEEP_SECONDS)
        delete_old_files(folder, MAX_AGE_SECONDS)


def delete_old_files(folder: Path, age: float) -> None:
    """Delete files below a folder that were last modified at least `age` seconds ago, and folders that are empty."""
    latest = time.time() - age
    for path in sorted(folder.rglob("*"), reverse=True):  # the content of a folder comes before the folder
        with contextlib.suppress(OSError):  # deleted already, or not empty
            if path.lstat().st_mtime <= latest:
                path.rmdir() if path.is_dir() else path.unlink()
