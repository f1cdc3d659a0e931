"""Files that can be exported, the same for the page and the API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from gradio.utils import get_upload_folder
from PIL import Image

from app.session.session import Session, from_saved_session, model, render_edited, to_saved_session
from core.arguments import BACKGROUNDS
from core.edits import EditedFace, Edits
from core.export import kinds, turntable
from core.export.provenance import png_bytes, watermark
from core.export.session_file import read_session, write_session
from core.faces import recut
from core.files import write_bytes

Kind = Literal["picture", "photo", kinds.Kind]
"""Kinds of files. The API takes these names; "picture" is a render, "photo" the whole photo with the face in it."""
KINDS: tuple[Kind, ...] = get_args(Kind)
FILE_NAMES: dict[Kind, str] = {"picture": "face.png", "photo": "photo.png", **kinds.FILE_NAMES}
RENDER_SIZE = 512
"""Pixels."""
DRAWN: tuple[Kind, ...] = ("picture", "photo", "turntable", "turntable-mp4", "session")
"""Kinds that are made of the face and its edits; all others of the edited face."""
EXPORT_SIZE = 512
"""Edited faces are prepared for renders of this size, pixels."""
TEXTURE_SIZE = 1024
"""Pixels of an exported mesh's texture."""


def export_file(kind: Kind, session: Session, edits: Edits, mark: bool, folder: Path,
                texture_size: int = TEXTURE_SIZE) -> Path:
    """Write one file and return its path; arguments as of `export_steps`."""
    *_, path = export_steps(kind, session, edits, mark, folder, texture_size)
    return Path(path)


def export_steps(kind: Kind, session: Session, edits: Edits, mark: bool, folder: Path,
                 texture_size: int = TEXTURE_SIZE) -> Iterator[str | Path]:
    """Write one file: yields messages on the progress of long work, and last the file's path.

    Args:
        kind: one of `KINDS`.
        session: the analyzed face.
        edits: of the face. A session file holds them and the unedited face; every other file is of the edited one.
        mark: draw the watermark on the render, the photo and the turntable.
        folder: where to write; the file is created only once all work for it is done.
        texture_size: pixels of the mesh's texture.
    """
    path, edited = folder / FILE_NAMES[kind], EditedFace(model(), session.textured)
    if edits.changes_face and kind not in DRAWN:
        face = edited.face(edits, EXPORT_SIZE)
        session = replace(session, analyzed=face.factors, reenacted=face)
    if kind in ("glb", "obj"):
        yield "Making the mesh …"
        mesh = model().mesh(session.textured, texture_size)
        yield "Writing the texture …"
        mesh.write(path)
    elif kind in ("turntable", "turntable-mp4"):
        frames = []
        for frame in _turntable_frames(edited, edits, mark):
            frames.append(frame)
            yield f"{len(frames)} of {turntable.FRAMES} frames"
        {"turntable": turntable.write_gif, "turntable-mp4": turntable.write_mp4}[kind](frames, path)
    elif kind == "session":
        write_session(to_saved_session(session, edits), path)
    elif kind == "picture":
        write_bytes(path, _render_png(edited, edits, mark))
    elif kind == "photo":
        yield "Putting the face back into the photo …"
        write_bytes(path, _photo_png(session, edits, mark))
    else:
        write_bytes(path, kinds.content(kind, session.factors, session.face, lambda: session.codes))
    yield path


def read_session_file(path: str | Path) -> tuple[Session, bool]:
    """The content of a session file, and whether it was made with the weights in use. Raises SessionUnreadable."""
    saved = read_session(path)
    return from_saved_session(saved), saved.weights == model().fingerprint


def new_folder() -> Path:
    """A new folder below the one that is cleaned up, so that a file in it can have a plain name."""
    return Path(tempfile.mkdtemp(dir=get_upload_folder()))


def _render_png(face: EditedFace, edits: Edits, mark: bool) -> bytes:
    image = Image.fromarray(render_edited(face, edits, RENDER_SIZE))
    return png_bytes(watermark(image) if mark else image, "the face in a chosen pose and light")


def _photo_png(session: Session, edits: Edits, mark: bool) -> bytes:
    edited = EditedFace(model(), model().texture(session.factors, [recut(session.photo, session.face)]))
    array = model().paste(edited.face(edits), session.photo, session.face.crop, edited.view(edits), edited.light(edits))
    image = Image.fromarray(array)
    return png_bytes(watermark(image) if mark else image, "a photo with a face in a chosen pose and light")


def _turntable_frames(edited: EditedFace, edits: Edits, mark: bool) -> Iterator[Image.Image]:
    face = edited.face(edits, kinds.TURNTABLE_SIZE)
    background = BACKGROUNDS[edits.background] or (1.0, 1.0, 1.0)  # white: neither GIF nor MP4 has an alpha channel
    for array in turntable.turntable(face, edited.light(edits), kinds.TURNTABLE_SIZE, background):
        image = Image.fromarray(array)
        yield watermark(image) if mark else image
