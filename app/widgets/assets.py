"""Texts, scripts and styles that the page reads from files, and addresses of files that the browser fetches."""

import re
from pathlib import Path
from urllib.parse import quote

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


def file_url(path: Path) -> str:
    """Address of a file, relative to the page: a proxy may serve the app below a path, of which the app knows nothing.

    Gradio serves files in its temporary folder, and those of `gr.set_static_paths`.
    """
    return f"gradio_api/file={quote(str(path))}"
