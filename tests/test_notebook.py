"""The notebook runs from top to bottom."""

import ast
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"


def test_the_notebook_runs_from_top_to_bottom(monkeypatch, capsys):
    monkeypatch.chdir(ROOT / "docs")
    monkeypatch.setattr("sys.path", list(sys.path))  # the notebook adds the repository
    cells = [cell for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
    names: dict = {}
    shown = [run("".join(cell["source"]), names) for cell in cells]
    assert all(not cell["outputs"] for cell in cells)  # renders show people: nothing is stored
    images = [value for value in shown if hasattr(value, "size") and not isinstance(value, int)]
    assert [image.size for image in images] == [(1024, 256), (512, 256), (512, 256)]
    assert "yaw" in capsys.readouterr().out and shown[-1] > 10_000 and len(shown[-2]) == 3


def run(source: str, names: dict) -> object:
    """Run a cell; returns what the notebook would show of it: the value of its last line."""
    *statements, last = ast.parse(source).body
    exec(compile(ast.Module(statements, []), str(NOTEBOOK), "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)
    exec(compile(ast.Module([last], []), str(NOTEBOOK), "exec"), names)
    return None
