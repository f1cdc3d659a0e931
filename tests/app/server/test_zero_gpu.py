"""On ZeroGPU hardware a call is declared; elsewhere its library is not needed."""

import sys
from types import SimpleNamespace

from app.server import zero_gpu


def test_on_zero_gpu_a_call_is_declared_and_its_machine_is_named(monkeypatch):
    declared = []
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=declared.append))
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setenv("SPACES_ZERO_DEVICE_API_URL", "http://device-api.zero:8080/v1")
    assert zero_gpu.declare() == ["device-api.zero"]
    assert [callable(call) for call in declared] == [True]


def test_elsewhere_nothing_is_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", None)  # an import would raise
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    assert zero_gpu.declare() == []
