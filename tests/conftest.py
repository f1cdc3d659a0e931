"""What every test shares: fixed seeds, and the rule for tests that need a browser."""

import os
import random
import shutil

import numpy as np
import pytest
import torch

from core import LatentFace
from core.geometry.rasterizer import RASTERIZERS, use_rasterizer

IN_CI = os.environ.get("CI", "").lower() in ("1", "true")
CHROMIUM = shutil.which("chromium")


def pytest_addoption(parser):
    parser.addoption("--rasterizer", choices=RASTERIZERS, default="grid", help="backend that renders depth")


@pytest.fixture(autouse=True, scope="session")
def rasterizer(request):
    """Run every test with the backend of --rasterizer."""
    with use_rasterizer(request.config.getoption("rasterizer")):
        yield


@pytest.fixture(autouse=True)
def fixed_seeds():
    """Start every test from the same random state, so that the order of the tests does not matter."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def model() -> LatentFace:
    """The bundled model; not to be changed."""
    return LatentFace.from_pretrained()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Path of the browser; without one the test is skipped, or fails in CI."""
    if CHROMIUM is None:
        pytest.skip("no Chromium here: sudo apt-get install -y chromium fonts-dejavu-core")
    return CHROMIUM


def pytest_collection_modifyitems(items):
    """Everything under tests/ui is a browser test."""
    for item in items:
        if "ui" in item.path.relative_to(item.config.rootpath).parts:
            item.add_marker("browser")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """With several workers (-n), each takes whole files, and one takes all browser tests: they share one app."""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "tests/ui" if file.startswith("tests/ui/") else file

    return Scheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI a browser test that skips has failed: there the browser is part of the set-up."""
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("browser"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} may not skip in CI: {report.longrepr[-1]}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    """The same for a whole file of browser tests that skips while it is being collected."""
    report = yield
    if IN_CI and report.skipped and "ui" in collector.path.relative_to(collector.config.rootpath).parts:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} may not skip in CI: {report.longrepr[-1]}"
    return report
