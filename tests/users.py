"""Commands that run as another user, who can read everything and write nothing but temporary files."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

AS_ANOTHER_USER = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups",
                   "--inh-caps=-all,+dac_read_search", "--ambient-caps=+dac_read_search"]
"""Put before a command. The interpreter may lie in a folder that only its owner may read, hence the capability."""


def _works() -> bool:
    return (hasattr(os, "getuid") and os.getuid() == 0 and shutil.which("setpriv") is not None
            and subprocess.run([*AS_ANOTHER_USER, "true"], capture_output=True).returncode == 0)


NEEDS_ANOTHER_USER = pytest.mark.skipif(not _works(), reason="only root can run a process as another user")


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A folder for temporary files that every user can write; those of pytest are closed to others."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        yield Path(folder)
