"""The import rule: core stands alone, training and app stand on core, nothing heavy loads before its use."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FORBIDDEN = {
    "core": {"app", "training", "gradio"},
    "training": {"app", "gradio"},
    "app": {"training"},
}
HEAVY = {"gradio", "mediapipe", "diffusers", "umap", "sklearn", "trimesh"}


def modules(package: str) -> list[str]:
    """Dotted names of all modules of a package; __main__ is left out, as importing it runs it."""
    paths = sorted((ROOT / package).rglob("*.py"))
    dotted = [path.relative_to(ROOT).with_suffix("").parts for path in paths if path.stem != "__main__"]
    return [".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in dotted]


def imported_by(path: Path) -> set[str]:
    """Top-level packages that a file imports anywhere in it, inside functions too."""
    package = ".".join(path.relative_to(ROOT).parent.parts)
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            relative = "." * node.level + (node.module or "")
            names.add(importlib.util.resolve_name(relative, package))
    return {name.split(".")[0] for name in names}


def run(*arguments: str) -> str:
    """Standard output of a fresh interpreter started in the repository."""
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout + done.stderr


@pytest.mark.parametrize("package", FORBIDDEN)
def test_packages_import_only_downwards(package):
    paths = sorted((ROOT / package).rglob("*.py"))
    assert paths
    found = {str(path.relative_to(ROOT)): imported_by(path) & FORBIDDEN[package] for path in paths}
    assert not {path: names for path, names in found.items() if names}


def test_importing_core_loads_nothing_heavy():
    program = f"import json, sys, {', '.join(modules('core'))}; print(json.dumps(list(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(run("-c", program))}
    assert not loaded & HEAVY


@pytest.mark.parametrize("program", [["-m", "core"], ["app.py"]], ids=["core", "app"])
def test_help_answers_without_the_heavy_libraries(program):
    log = run("-X", "importtime", *program, "--help")
    timings = [line for line in log.splitlines() if line.startswith("import time:")]
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in timings}
    assert "usage" in log.lower()
    assert not loaded & (HEAVY | {"torch"})
