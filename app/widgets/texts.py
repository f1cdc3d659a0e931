"""The words and scripts that lie in files of their own."""

from pathlib import Path

FOLDER = Path(__file__).parent.parent


def read_text(name: str) -> str:
    """A Markdown text of app/text."""
    return (FOLDER / "text" / f"{name}.md").read_text(encoding="utf-8")


def read_script(name: str) -> str:
    """A widget's JavaScript of app/static."""
    return (FOLDER / "static" / f"{name}.js").read_text(encoding="utf-8")
