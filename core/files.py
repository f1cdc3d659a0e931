"""Files are written whole or not at all, and never over a file of the user's.

Every writer uses `writing`. It keeps a manifest in each folder, a hidden JSON file with the SHA-256 of what was written
there by its name. A file is LatentFace's own if it is listed and unchanged since: only such files are replaced unasked.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from core.errors import OutputExists, OutputUnwritable

MANIFEST = ".latentface.json"
"""Name of the manifest."""
PART = ".latentface-"
"""Beginning of the names of files that are being written."""


@contextlib.contextmanager
def writing(path: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Write a file that gets its name only when the block ends without an exception.

    Files can be written together by a contextlib.ExitStack: none gets its name where the block of one fails.

    Args:
        path: the file. Its folder must exist; its name is taken as given, without adding an ending.
        overwrite: also replace a file that is not LatentFace's own.

    Yields:
        Path of an empty file in the same folder, to write to. It has no ending: name the format.

    Raises:
        OutputExists: there is a file that may not be replaced.
        OutputUnwritable: the file cannot be written.
    """
    with explain_failure(path):
        path = Path(os.path.realpath(path))  # a link stays a link
        _check(path, overwrite)
        with replacing(path) as part:
            yield part
            listed = _manifest(path.parent) | {path.name: _digest(part)}
            with replacing(path.with_name(MANIFEST)) as manifest:
                manifest.write_text(json.dumps(listed, indent=1, sort_keys=True), encoding="ascii")


def write_bytes(path: str | Path, content: bytes, overwrite: bool = False) -> None:
    """Write a file; arguments and errors as of `writing`."""
    with writing(path, overwrite) as part:
        part.write_bytes(content)


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """As `writing` with overwrite, without a manifest: for folders that hold nothing of the user's, such as caches."""
    part = path.with_name(PART + secrets.token_hex(8))
    with explain_failure(path):
        part.touch(exist_ok=False)
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)


def prepare_folder(folder: str | Path, names: Iterable[str] = (), overwrite: bool = False) -> None:
    """Make a folder and see that files of these names can be written in it, before any work is done.

    Raises:
        OutputExists: one of the files may not be replaced, see `writing`.
        OutputUnwritable: the folder, or one of the files, cannot be written.
    """
    folder = Path(folder)
    with explain_failure(folder):
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / (PART + secrets.token_hex(8))
        probe.touch(exist_ok=False)
        probe.unlink()
    for name in names:
        with explain_failure(folder / name):
            _check(Path(os.path.realpath(folder / name)), overwrite)


def remove_written(folder: Path) -> None:
    """Remove LatentFace's own files from a folder, and the folder if nothing else is in it.

    Raises:
        OutputUnwritable: they cannot be removed.
    """
    with explain_failure(folder):
        for path in [path for path in folder.iterdir() if path.is_file() and _is_own(path)]:
            path.unlink()
        (folder / MANIFEST).unlink(missing_ok=True)
        if not any(folder.iterdir()):
            folder.rmdir()


@contextlib.contextmanager
def explain_failure(path: str | Path) -> Iterator[None]:
    """Raise OutputUnwritable, which names the path, for an OSError."""
    try:
        yield
    except OSError as error:
        raise OutputUnwritable(f"Cannot write {path} ({error.strerror or error}): choose another folder.") from error


def _check(path: Path, overwrite: bool) -> None:
    """Refuse to write over what is no file, and over the user's files."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "no ordinary file"
        raise OutputUnwritable(f"Cannot write {path}, which is {kind}: choose another name.")
    if not overwrite and not _is_own(path):
        raise OutputExists(f"{path} exists and LatentFace did not write it: choose another place, or replace it with "
                           "--overwrite (in Python, overwrite=True).")


def _is_own(path: Path) -> bool:
    """Whether LatentFace wrote a file, and nobody has changed it since."""
    listed = _manifest(path.parent).get(path.name)
    return listed is not None and listed == _digest(path)


def _manifest(folder: Path) -> dict[str, str]:
    """SHA-256 by name; empty where there is no manifest that can be read."""
    try:
        listed = json.loads((folder / MANIFEST).read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return listed if isinstance(listed, dict) else {}


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
