"""Texts, scripts and styles that the page reads from files."""

import re
from pathlib import Path

FOLDER = Path(__file__).parent.parent


def read_text(name: str) -> str:
    """A Markdown text of app/text."""
    return (FOLDER / "text" / f"{name}.md").read_text(encoding="utf-8")


def read_document(name: str) -> str:
    """A Markdown document of the repository, without links to files."""
    text = (FOLDER.parent / f"{name}.md").read_text(encoding="utf-8")
    return re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]*\)", r"\1", text)


def read_script(*names: str) -> str:
    """JavaScript of a component: files of app/static, in one scope."""
    return "\n".join((FOLDER / "static" / f"{name}.js").read_text(encoding="utf-8") for name in names)


def read_style(name: str) -> str:
    """CSS of a component, from app/static."""
    return (FOLDER / "static" / f"{name}.css").read_text(encoding="utf-8")
