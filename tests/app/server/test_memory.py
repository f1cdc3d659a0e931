"""What visitors no longer need is returned to the system."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PROGRAM = """
import numpy as np
from app.server.memory import return_freed_memory

def used():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

np.ones(16 * 2**20, np.uint8)  # once freed, glibc would keep blocks of this size
before = used()
large, small = [], []
for _ in range(50):
    large.append(np.ones(2 * 2**20, np.uint8))
    small.append(bytes(2000))
del large
return_freed_memory()
print(used() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system does not tell a process's memory")
def test_large_blocks_between_small_ones_are_returned_when_they_are_freed():
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 10 * 2**20  # of 100 MB
