"""What a process may lack that a service or a container starts: a home, writable folders, standard streams."""

from __future__ import annotations

import io
import os
import stat
import sys
import tempfile
from pathlib import Path


def prepare_caches() -> bool:
    """Give numba and matplotlib folders of this user's own, where the caches in the home cannot be written.

    Else numba refuses to compile where the installation cannot be written either, and matplotlib, which MediaPipe
    imports, prints a warning. Called before anything is compiled. It costs a few system calls.

    Returns:
        Whether numba can store what it compiles. If not, every process compiles anew.
    """
    if _is_writable(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")):
        return True  # numba stores beside the source, or else there
    folder = _own_folder()
    if folder is None:
        return False
    os.environ.setdefault("MPLCONFIGDIR", str(folder / "matplotlib"))
    if not _is_writable(os.environ.get("NUMBA_CACHE_DIR", "")):
        from numba.core import config

        os.environ["NUMBA_CACHE_DIR"] = str(folder / "numba")
        config.CACHE_DIR = str(folder / "numba")  # type: ignore[attr-defined] # what numba read from the variable
    return True


def open_streams() -> None:
    """Open standard streams that are closed on the null device.

    Else the next files and sockets that are opened would become the process's streams, and libraries would write their
    messages into them.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number: this one
    sys.stdin, sys.stdout, sys.stderr = (stream or open(number, "r" if number == 0 else "w", closefd=False)
                                         for number, stream in enumerate((sys.stdin, sys.stdout, sys.stderr)))


def _is_writable(folder: str) -> bool:
    """Whether files can be written in a folder that exists, or that can be made.

    False for a relative path: without a home, "~" would become the name of a folder.
    """
    while os.path.isabs(folder) and not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return os.path.isabs(folder) and os.path.isdir(folder) and os.access(folder, os.W_OK | os.X_OK)


def _own_folder() -> Path | None:
    """A temporary folder that only this user can write, since cached code is run; None where there can be none."""
    user = os.getuid() if hasattr(os, "getuid") else 0
    try:
        folder = Path(tempfile.gettempdir()) / f"latentface-cache-{user}"
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return None
    trusted = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
    return folder if trusted else None


def escape_output() -> None:
    """Let standard output print any text, whatever its encoding: characters it lacks become escapes, as in stderr.

    Without it an ASCII terminal, or a file's name that is no UTF-8, ends a command with a UnicodeEncodeError.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
