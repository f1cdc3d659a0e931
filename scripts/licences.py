"""The licences of everything that is installed for a list of requirements, as the packages themselves state them.

    python -m scripts.licences [requirements.txt ...]

The exit code is 1 where a package states none.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

NONE = "none stated"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line: print a line for each package, sorted by licence; returns the exit code."""
    lists = arguments if arguments is not None else sys.argv[1:]
    found = licences(required([Path(name) for name in lists or ["requirements.txt"]]))
    for name, licence in sorted(found.items(), key=lambda pair: (pair[1].lower(), pair[0])):
        print(f"{name:28} {licence}")
    return int(NONE in found.values())


def required(lists: Iterable[Path]) -> set[str]:
    """Names of the packages in lists of requirements; lists that they include are read too."""
    names: set[str] = set()
    for path in lists:
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==", text, re.M))
        names |= required(path.parent / other for other in re.findall(r"^-r (\S+)", text, re.M))
    return names


def licences(names: Iterable[str]) -> dict[str, str]:
    """Licence by name, of installed packages and of all that they need here."""
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        try:
            package = distribution(name)
        except PackageNotFoundError:  # for another system, or an optional part
            continue
        if name not in found:
            found[name] = _licence(package)
            waiting += [re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in package.requires or ()
                        if "extra ==" not in line]
    return found


def _licence(package: Distribution) -> str:
    metadata = package.metadata
    classifiers = [line.rpartition(" :: ")[2] for line in metadata.get_all("Classifier") or () if "License ::" in line]
    classified = "; ".join(name for name in classifiers if name != "OSI Approved")
    stated = metadata["License-Expression"] or classified or metadata["License"] or ""
    return str(stated).strip().partition("\n")[0] or NONE


if __name__ == "__main__":
    sys.exit(main())
