"""Files that can be exported, the same for the page and the API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

from gradio.utils import get_upload_folder
from PIL import Image

from app.session.session import Session, from_saved_session, model, render_face, to_saved_session
from app.session.settings import BACKGROUNDS, PHOTO_DETAIL, Settings
from app.session.swap import Swap
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
TEXTURE_SIZE = 1024
"""Pixels of an exported mesh's texture."""


def export_file(kind: Kind, session: Session, settings: Settings, mark: bool, folder: Path,
                texture_size: int = TEXTURE_SIZE) -> Path:
    """Write one file and return its path; arguments as of `export_steps`."""
    *_, path = export_steps(kind, session, settings, mark, folder, texture_size)
    return Path(path)


def export_steps(kind: Kind, session: Session, settings: Settings, mark: bool, folder: Path,
                 texture_size: int = TEXTURE_SIZE, swap: Swap | None = None) -> Iterator[str | Path]:
    """Write one file: yields messages on the progress of long work, and last the file's path.

    Args:
        kind: one of `KINDS`.
        session: the analyzed face.
        settings: for the render, the turntable and the session file.
        mark: draw the watermark on the render, the photo and the turntable.
        folder: where to write; the file is created only once all work for it is done.
        texture_size: pixels of the mesh's texture.
        swap: for the session file.
    """
    path = folder / FILE_NAMES[kind]
    if kind in ("glb", "obj"):
        yield "Making the mesh …"
        mesh = model().mesh(session.textured, texture_size)
        yield "Writing the texture …"
        mesh.write(path)
    elif kind in ("turntable", "turntable-mp4"):
        frames = []
        for frame in _turntable_frames(session, settings, mark):
            frames.append(frame)
            yield f"{len(frames)} of {turntable.FRAMES} frames"
        {"turntable": turntable.write_gif, "turntable-mp4": turntable.write_mp4}[kind](frames, path)
    elif kind == "session":
        values, donor = (swap or Swap()).to_saved()
        saved = to_saved_session(session, settings.to_dict() | {"swap": values})
        write_session(replace(saved, donor=donor), path)
    elif kind == "picture":
        write_bytes(path, _render_png(session, settings, mark))
    elif kind == "photo":
        yield "Putting the face back into the photo …"
        write_bytes(path, _photo_png(session, settings, mark))
    else:
        write_bytes(path, kinds.content(kind, session.factors, session.face, lambda: session.codes))
    yield path


def read_session_file(path: str | Path) -> tuple[Session, Swap, bool]:
    """The content of a session file, and whether it was made with the weights in use. Raises SessionUnreadable."""
    saved = read_session(path)
    same = saved.weights == model().fingerprint
    return from_saved_session(saved), Swap.from_saved(saved.settings.get("swap"), saved.donor), same


def new_folder() -> Path:
    """A new folder below the one that is cleaned up, so that a file in it can have a plain name."""
    return Path(tempfile.mkdtemp(dir=get_upload_folder()))


def _render_png(session: Session, settings: Settings, mark: bool) -> bytes:
    image = Image.fromarray(render_face(session, settings, RENDER_SIZE))
    return png_bytes(watermark(image) if mark else image, "the face in a chosen pose and light")


def _photo_png(session: Session, settings: Settings, mark: bool) -> bytes:
    factors = session.factors
    face = session.reenacted or model().texture(factors, [recut(session.photo, session.face)])
    view, light = settings.pose.to_view(factors.view), settings.light.to_light(factors.light)
    image = Image.fromarray(model().paste(face, session.photo, session.face.crop, view, light))
    return png_bytes(watermark(image) if mark else image, "a photo with a face in a chosen pose and light")


def _turntable_frames(session: Session, settings: Settings, mark: bool) -> Iterator[Image.Image]:
    face = session.textured if settings.detail == PHOTO_DETAIL else session.decoded
    background = BACKGROUNDS[settings.background] or (1.0, 1.0, 1.0)  # white: neither GIF nor MP4 has an alpha channel
    light = settings.light.to_light(session.factors.light)
    for array in turntable.turntable(face, light, kinds.TURNTABLE_SIZE, background):
        image = Image.fromarray(array)
        yield watermark(image) if mark else image
