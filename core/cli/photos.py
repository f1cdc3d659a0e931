"""Photos on the command line: files, folders and patterns."""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from core.errors import ArgumentInvalid, ImageUnreadable

SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".avif", ".bmp", ".gif", ".tif", ".tiff", ".ppm",
            ".pgm", ".jp2", ".j2k", ".tga", ".heic", ".heif"}
"""Endings of the files that are taken from a folder; a file that is named is read whatever its ending."""


def find_photos(sources: Sequence[Path], out: Path) -> list[tuple[str, Path]]:
    """The photos that are meant, sorted within each source.

    Args:
        sources: files; folders, which are searched with all that is in them; or patterns with * ? [ ] and **.
        out: the results, which are never taken for photos.

    Returns:
        Name and file of each. Names are relative to the folder, or to the part of the pattern before its first star;
        that of a file is its own.

    Raises:
        ArgumentInvalid: no source, or two photos of one name.
        ImageUnreadable: a folder or a pattern without photos.
    """
    found: dict[str, Path] = {}
    for source in sources:
        photos = list(_photos_of(source, out.resolve()))
        if not photos:
            raise ImageUnreadable(f"There are no photos in {source}: name a folder or a pattern that has some.")
        for name, path in photos:
            if found.setdefault(name, path).absolute() != path.absolute():
                raise ArgumentInvalid(f"Two photos are called {name}: name a folder that holds both.")
    if not found:
        raise ArgumentInvalid("Name at least one photo, or a folder of photos.")
    return list(found.items())


def is_one_file(sources: Sequence[Path]) -> bool:
    """Whether one photo is meant, whose results need no folder of their own; also where there is no such file."""
    return len(sources) == 1 and not sources[0].is_dir() and not _is_pattern(sources[0])


def _photos_of(source: Path, out: Path) -> Iterator[tuple[str, Path]]:
    if source.is_dir():
        root, paths = source, source.rglob("*")
    elif _is_pattern(source):
        fixed = re.split(r"[*?\[]", str(source))[0]
        root = Path(fixed) if fixed.endswith("/") else Path(fixed).parent
        paths = map(Path, glob.glob(str(source), recursive=True))
    else:
        yield source.name, source
        return
    inside = out.is_relative_to(root.resolve())
    for path in sorted(paths):
        name = path.relative_to(root)
        hidden = any(part.startswith(".") for part in name.parts)
        written = inside and path.resolve().is_relative_to(out)
        if path.suffix.lower() in SUFFIXES and path.is_file() and not hidden and not written:
            yield name.as_posix(), path


def _is_pattern(source: Path) -> bool:
    return glob.has_magic(str(source)) and not source.exists()
