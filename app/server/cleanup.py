"""Visitors' files are deleted at a fixed age, and the memory that they needed is returned."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

from app.server.memory import return_freed_memory

MAX_AGE_SECONDS = 600
"""Age at which uploaded and produced files are deleted."""
SWEEP_SECONDS = 60
"""Seconds between two searches for such files."""


def sweep(folder: Path) -> None:
    """Delete visitors' files and return freed memory periodically; never returns."""
    while True:
        time.sleep(SWEEP_SECONDS)
        delete_old_files(folder, MAX_AGE_SECONDS)
        return_freed_memory()


def delete_old_files(folder: Path, age: float) -> None:
    """Delete files below a folder that were last modified at least `age` seconds ago, and folders that are empty.

    What vanishes meanwhile, since a visitor's session ends or gradio cleans up, is passed over.
    """
    latest = time.time() - age
    for parent, folders, files in os.walk(folder, topdown=False):  # unlike Path.rglob, it survives a vanished folder
        for delete, names in ((os.unlink, files), (os.rmdir, folders)):
            for path in (os.path.join(parent, name) for name in names):
                with contextlib.suppress(OSError):  # deleted already, or not empty
                    if os.lstat(path).st_mtime <= latest:
                        delete(path)
