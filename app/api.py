"""The public HTTP endpoints: typed and stateless. Each takes a photo; the same request gives the same answer.

They share the page's model and exports. app/text/api.md, which the page shows, documents them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import gradio as gr
import numpy as np
from gradio.events import api
from gradio.utils import get_upload_folder
from PIL import Image

from app.server.errors import handle_errors
from app.session.export import KINDS, Kind, export_file, new_folder
from app.session.latent_map import gallery
from app.session.session import Session, choose_face, open_photo, render_face
from app.session.settings import FRONT
from core.arguments import (
    BACKGROUNDS,
    MAX_ANGLES,
    MAX_LIGHT_ANGLE,
    check_boolean,
    check_choice,
    check_face,
    check_integer,
    check_number,
    check_seed,
    check_size,
    check_strength,
)
from core.edits import DECODED, PHOTO_DETAIL, Edits
from core.errors import ImageUnreadable
from core.export.maps import code_arrays
from core.export.provenance import png_bytes, watermark
from core.export.report import report
from core.files import write_bytes

MIN_SIZE, MAX_SIZE = 64, 1024
"""Pixels of a render's side."""
RANGES = {**{name: (-end, end) for name, end in MAX_ANGLES.items()}, "ambient": (0, 1), "diffuse": (0, 1),
          "light_from_right": (-MAX_LIGHT_ANGLE, MAX_LIGHT_ANGLE),
          "light_from_above": (-MAX_LIGHT_ANGLE, MAX_LIGHT_ANGLE)}
"""Ends of the page's sliders, degrees or parts."""
SLIDERS = {"light_from_right": "across", "light_from_above": "above"}
"""Names in `Edits.parse` of arguments that are called otherwise here."""


@handle_errors
def analyze(photo: gr.FileData, face: int = 1) -> dict:
    """Light, pose, confidence, warnings and codes of one face of a photo; 1 is the largest face."""
    session = _open(photo, face)
    codes = {name: array.tolist() for name, array in code_arrays(session.codes).items()}
    return {**report(session.factors, session.face), "faces": len(session.faces), "codes": codes}


@handle_errors
def render(photo: gr.FileData, yaw: float | None = None, pitch: float | None = None, roll: float | None = None,
           light_from_right: float | None = None, light_from_above: float | None = None, ambient: float | None = None,
           diffuse: float | None = None, detail: Literal["Photo", "Decoded"] = "Photo",
           background: Literal["Photo", "White", "Black", "Clear"] = "Photo", size: int = 512, stamp: bool = True,
           face: int = 1) -> gr.FileData:
    """The face in a pose and a light, as PNG. Omitted values are as in the photo. Angles in degrees."""
    size, stamp, texture = _check_output(size, stamp, detail)
    values = {"yaw": yaw, "pitch": pitch, "roll": roll, "light_from_right": light_from_right,
              "light_from_above": light_from_above, "ambient": ambient, "diffuse": diffuse}
    given: dict[str, Any] = {SLIDERS.get(name, name): check_number(name, value, *RANGES[name])
                             for name, value in values.items() if value is not None}
    given |= {"detail": texture, "background": check_choice("background", background, BACKGROUNDS)}
    session = _open(photo, face)
    return _render(session, Edits.parse(given, session.factors, ()), size, stamp)


@handle_errors
def frontalize(photo: gr.FileData, detail: Literal["Photo", "Decoded"] = "Photo", size: int = 512, stamp: bool = True,
               face: int = 1) -> gr.FileData:
    """The face from the front in the photo's light, as PNG."""
    size, stamp, texture = _check_output(size, stamp, detail)
    session = _open(photo, face)
    return _render(session, Edits(pose=FRONT, detail=texture), size, stamp)


@handle_errors
def export(photo: gr.FileData, kind: Kind = "glb", stamp: bool = True, face: int = 1) -> gr.FileData:
    """One file: render, turntable, 3-D face, map, codes or session."""
    kind, stamp = check_choice("kind", kind, KINDS), check_boolean("stamp", stamp)
    session = _open(photo, face)
    return _file(export_file(kind, session, Edits(), stamp, new_folder()))


@handle_errors
def swap(photo: gr.FileData, donor: gr.FileData, depth: float = 1.0, albedo: float = 1.0,
         detail: Literal["Photo", "Decoded"] = "Photo", seed: int = 0, size: int = 512, stamp: bool = True,
         face: int = 1, donor_face: int = 1) -> gr.FileData:
    """The face of a photo with the expression of the donor's face, in the photo's pose and light, as PNG."""
    size, stamp, texture = _check_output(size, stamp, detail)
    depth, albedo, seed = check_strength("depth", depth), check_strength("albedo", albedo), check_seed(seed)
    subject, lender = _open(photo, face), _open(donor, donor_face, "donor_face")
    edits = Edits(expression_from=lender, strength=albedo, depth=depth, detail=texture, seed=seed)
    return _save(render_face(subject, edits, size), stamp, "the identity of one photo with the expression of another")


@handle_errors
def nearest(photo: gr.FileData, kind: Literal["identity", "expression", "code"] = "code", count: int = 8,
            face: int = 1) -> list[dict]:
    """The bundled map's faces most similar to one face of a photo: number, name and similarity, at most 1."""
    shown = gallery(renders=True)
    kind, count = check_choice("kind", kind, shown.kinds), check_integer("count", count, 1, len(shown))
    found = shown.nearest(_open(photo, face).codes, kind, count)
    return [{"number": int(number), "name": str(shown.names[number]), "similarity": round(float(similarity), 4)}
            for number, similarity in zip(*found, strict=True)]


def _check_output(size: int, stamp: bool, detail: str) -> tuple[int, bool, str]:
    """What endpoints that give a render have in common."""
    return (check_size(size, MIN_SIZE, MAX_SIZE), check_boolean("stamp", stamp),
            check_choice("detail", detail, (PHOTO_DETAIL, DECODED)))


def _render(session: Session, edits: Edits, size: int, mark: bool) -> gr.FileData:
    return _save(render_face(session, edits, size), mark, "the face in a chosen pose and light")


def _save(array: np.ndarray, mark: bool, title: str) -> gr.FileData:
    image, path = Image.fromarray(array), new_folder() / "face.png"
    write_bytes(path, png_bytes(watermark(image) if mark else image, title))
    return _file(path)


ENDPOINTS: tuple[Callable, ...] = (analyze, render, frontalize, swap, nearest, export)


def connect() -> None:
    """Add the endpoints to the page that is being built."""
    for function in ENDPOINTS:
        api(function, api_name=function.__name__)


def _open(photo: Any, face: Any, name: str = "face") -> Session:
    """The analyzed face of an uploaded photo; `name` is the argument that chooses it."""
    session = open_photo(_uploaded(photo))
    index = check_face(face, len(session.faces), name) - 1
    return choose_face(session, index) if index else session


def _uploaded(photo: Any) -> Path:
    """Path of an uploaded file. Gradio passes it as a plain dictionary, so anything may be in it."""
    try:
        path = Path(photo["path"]).resolve()
        if path.is_relative_to(Path(get_upload_folder()).resolve()) and path.is_file():
            return path
    except (LookupError, TypeError, ValueError, OSError):
        pass  # no file value, or no path that can exist
    raise ImageUnreadable("Upload the photo first. The API tab shows how.")


def _file(path: Path) -> gr.FileData:
    return gr.FileData(path=str(path), orig_name=path.name)
