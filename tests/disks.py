"""What disks do: they are full, and hold names that are no UTF-8."""

import contextlib
import os
import resource

LATIN = os.fsdecode(b"caf\xe9")
"""A name that is no UTF-8."""


@contextlib.contextmanager
def full_disk(room: int = 512):
    """No file can grow beyond `room` bytes."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
