"""Run each browser test many times on a busy machine, and print which of them fail now and then.

    python -m benchmarks.flaky [-k NAME] [--times 20] [--busy]

Each run is one test alone, in a process and with an app of its own, so that a test also fails here if it needs what
another one leaves.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from benchmarks.visitors import ROOT

LIMIT = 600
"""Seconds after which a run counts as failed."""


def browser_tests(name: str) -> list[str]:
    """Ids of the browser tests whose names match pytest's expression."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "tests/ui"]
    found = subprocess.run([*command, *(["-k", name] if name else [])], cwd=ROOT, capture_output=True, text=True)
    return [line for line in found.stdout.splitlines() if "::" in line]


@contextlib.contextmanager
def busy(wanted: bool) -> Iterator[None]:
    """Keep every processor busy meanwhile, if wanted."""
    count = os.cpu_count() or 1 if wanted else 0
    work = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for one in work:
            one.kill()
            one.wait()


def passes(test: str) -> bool:
    """Run one test alone; its output is shown where it fails."""
    try:
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", test], cwd=ROOT, capture_output=True, text=True,
                              timeout=LIMIT)
    except subprocess.TimeoutExpired:
        return False
    if done.returncode:
        print(done.stdout[-3000:], file=sys.stderr, flush=True)
    return done.returncode == 0


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description="Run each browser test many times.",
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("-k", default="", metavar="NAME", help="only tests that match this expression of pytest")
    parser.add_argument("--times", type=int, default=20, help="runs of each test")
    parser.add_argument("--busy", action="store_true", help="keep all processors busy meanwhile")
    options = parser.parse_args()
    failed = 0
    print(f"{'test':90} {'passed':>8} {'seconds':>8}", flush=True)
    with busy(options.busy):
        for test in browser_tests(options.k):
            begin = time.monotonic()
            passed = sum(passes(test) for _ in range(options.times))
            failed += options.times - passed
            seconds = (time.monotonic() - begin) / options.times
            print(f"{test:90} {passed:4d}/{options.times:<3d} {seconds:8.1f}", flush=True)
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
