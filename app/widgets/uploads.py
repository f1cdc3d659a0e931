"""Uploaded files, passed to handlers as paths.

Gradio's own conversions would decode images without limits or copy the files. Core checks each file before it decodes.
"""

from __future__ import annotations

from gradio.data_classes import FileData, ImageData, ListFiles


def uploaded_path(payload: FileData | ImageData | ListFiles | None) -> str | None:
    """Path of an uploaded file; the first of several."""
    if isinstance(payload, ListFiles):
        return next(iter(uploaded_paths(payload)), None)
    return payload.path if payload else None


def uploaded_paths(payload: FileData | ListFiles | None) -> list[str]:
    """Paths of uploaded files."""
    if isinstance(payload, ListFiles):
        return [file.path for file in payload.root if isinstance(file, FileData)]
    return [payload.path] if payload else []
