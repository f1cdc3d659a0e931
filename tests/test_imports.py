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
FLOORS = [{"environment", "errors", "lazy", "parallel"}, {"arguments", "config", "files", "hub", "types"}, {"geometry"},
          {"faces", "model"}, {"rendering"}, {"export"}, {"edits", "head", "latent_map", "video"}, {"pipeline"},
          {"collection"}, {"cli"}]
"""The rooms of core, from the lowest floor up; a room may import from its own floor and from those below."""
HEAVY = {"gradio", "mediapipe", "diffusers", "umap", "sklearn", "trimesh"}


def modules(package: str) -> list[str]:
    """Dotted names of all modules of a package; __main__ is left out, as importing it runs it."""
    paths = sorted((ROOT / package).rglob("*.py"))
    dotted = [path.relative_to(ROOT).with_suffix("").parts for path in paths if path.stem != "__main__"]
    return [".".join(parts[:-1] if parts[-1] == "__init__" else parts) for parts in dotted]


def is_for_types(node: ast.AST) -> bool:
    """Whether a node is `if TYPE_CHECKING:`, whose imports never run."""
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def imports(tree: ast.AST, package: str) -> set[str]:
    """Dotted names of the modules that a tree imports when it runs, inside functions too."""
    names = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            names |= {origin, *(f"{origin}.{alias.name}" for alias in node.names)}
        if not is_for_types(node):
            names |= imports(node, package)
    return names


def imported_by(path: Path) -> set[str]:
    """Dotted names of the modules that a file imports."""
    return imports(ast.parse(path.read_text()), ".".join(path.relative_to(ROOT).parent.parts))


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
    found = {str(path.relative_to(ROOT)): {name.split(".")[0] for name in imported_by(path)} & FORBIDDEN[package]
             for path in paths}
    assert not {path: names for path, names in found.items() if names}


def floor_of(room: str) -> int:
    """Number of the floor of a module or folder of core, from below."""
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def test_no_room_of_core_imports_from_a_higher_floor():
    rooms = {path.stem for path in (ROOT / "core").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert rooms - {"__init__", "__main__"} == {room for floor in FLOORS for room in floor}
    upwards = []
    for path in sorted((ROOT / "core").rglob("*.py")):
        room = path.relative_to(ROOT / "core").parts[0].removesuffix(".py")
        if room in ("__init__", "__main__"):
            continue
        others = {name.split(".")[1] for name in imported_by(path) if name.startswith("core.")} & rooms - {room}
        upwards += [f"{path.relative_to(ROOT)} imports core.{other}" for other in others
                    if floor_of(other) > floor_of(room)]
    assert not upwards


def test_importing_core_loads_nothing_heavy():
    program = f"import json, sys, {', '.join(modules('core'))}; print(json.dumps(list(sys.modules)))"
    loaded = {name.split(".")[0] for name in json.loads(run("-c", program))}
    assert not loaded & HEAVY


@pytest.mark.parametrize("program", [["-m", "core"], ["-m", "core", "encode"], ["app.py"]],
                         ids=["core", "encode", "app"])
def test_help_answers_without_the_heavy_libraries(program):
    log = run("-X", "importtime", *program, "--help")
    timings = [line for line in log.splitlines() if line.startswith("import time:")]
    loaded = {line.split("|")[-1].strip().split(".")[0] for line in timings}
    assert "usage" in log.lower()
    assert not loaded & (HEAVY | {"torch"})
