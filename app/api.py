"""The public endpoints. Typed and stateless: each takes a photo, and the same photo gives the same answer.

They share the page's model and its export; app/text/api.md, which the page shows, documents them.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

import gradio as gr
import numpy as np
from gradio.utils import get_upload_folder
from PIL import Image

from app.server.errors import told
from app.session import latent_map as maps
from app.session import session as state
from app.session import swap as swaps
from app.session.export import KINDS, Kind, new_folder, write
from app.session.session import Session
from app.session.settings import DECODED, FRONT, OWN_DETAIL, Settings
from core.errors import ConfigError, FaceNotFound, ImageUnreadable
from core.export.maps import code_arrays
from core.export.provenance import png_bytes, watermark
from core.export.report import report

SIZES = (64, 1024)
"""Least and most pixels of a picture."""


@told
def analyze(photo: gr.FileData, face: int = 1) -> dict:
    """Light, pose, confidence, warnings and codes of one face of a photo; 1 is the largest."""
    session = _opened(photo, face)
    codes = {name: array.tolist() for name, array in code_arrays(session.factors.codes).items()}
    return {**report(session.factors, session.face), "faces": len(session.faces), "codes": codes}


@told
def render(photo: gr.FileData, yaw: float | None = None, pitch: float | None = None, roll: float | None = None,
           light_from_right: float | None = None, light_from_above: float | None = None, ambient: float | None = None,
           diffuse: float | None = None, detail: Literal["Photo", "Decoded"] = "Photo",
           background: Literal["Photo", "White", "Black", "Clear"] = "Photo", size: int = 512, stamp: bool = True,
           face: int = 1) -> gr.FileData:
    """The face in a pose and a light as PNG; what is left out is as in the photo. Angles in degrees."""
    session = _opened(photo, face)
    given = {"yaw": yaw, "pitch": pitch, "roll": roll, "across": light_from_right, "above": light_from_above,
             "ambient": ambient, "diffuse": diffuse, "detail": detail, "background": background}
    settings = Settings.read(given, session.settings)
    wrong = [name for name, value in given.items() if value is not None and settings.flat()[name] != value]
    if wrong:
        raise ConfigError(f"{', '.join(wrong)}: out of range. The sliders of the page show what is possible.")
    return _picture(session, settings, size, stamp)


@told
def frontalize(photo: gr.FileData, detail: Literal["Photo", "Decoded"] = "Photo", size: int = 512, stamp: bool = True,
               face: int = 1) -> gr.FileData:
    """The face straight on, in the photo's light, as PNG."""
    session = _opened(photo, face)
    settings = Settings(FRONT, session.settings.lamp, detail if detail == DECODED else OWN_DETAIL)
    return _picture(session, settings, size, stamp)


@told
def export(photo: gr.FileData, kind: Kind = "glb", stamp: bool = True, face: int = 1) -> gr.FileData:
    """One file of what was found: 3-D face, maps, codes, turntable or session."""
    if kind not in KINDS:
        raise ConfigError(f"There is no export {kind!r}: choose one of {', '.join(KINDS)}.")
    session = _opened(photo, face)
    return _file(write(kind, session, session.settings, stamp is True, new_folder()))


@told
def swap(photo: gr.FileData, donor: gr.FileData, depth: float = 1.0, albedo: float = 1.0,
         detail: Literal["Photo", "Decoded"] = "Photo", seed: int = 0, size: int = 512, stamp: bool = True,
         face: int = 1, donor_face: int = 1) -> gr.FileData:
    """The face of a photo with the expression of the donor's face, in the photo's pose and light, as PNG."""
    _check_size(size)
    if not all(isinstance(amount, int | float) and 0 <= amount <= swaps.MOST for amount in (depth, albedo)):
        raise ConfigError(f"depth and albedo are how much of the expression goes over, 0 to {swaps.MOST}.")
    if not isinstance(seed, int) or not 0 <= seed <= swaps.LAST_SEED:
        raise ConfigError(f"seed is a whole number, 0 to {swaps.LAST_SEED}.")
    pair = swaps.Pair(_opened(photo, face), _opened(donor, donor_face), seed)
    amounts = swaps.Amounts(depth, albedo, detail=detail if detail == DECODED else OWN_DETAIL)
    return _saved(pair.picture(amounts, size), stamp, "the identity of one photo with the expression of another")


@told
def nearest(photo: gr.FileData, kind: Literal["identity", "expression", "code"] = "code", count: int = 8,
            face: int = 1) -> list[dict]:
    """The faces of the bundled map most like one face of a photo: their number, name and similarity, at most 1."""
    shown = maps.gallery()
    if kind not in shown.kinds or not isinstance(count, int) or not 1 <= count <= len(shown):
        raise ConfigError(f"kind is one of {', '.join(shown.kinds)}, and count 1 to {len(shown)}.")
    found = shown.nearest(_opened(photo, face).factors.codes, kind, count)
    return [{"number": int(number), "name": str(shown.names[number]), "similarity": round(float(similarity), 4)}
            for number, similarity in zip(*found, strict=True)]


def _picture(session: Session, settings: Settings, size: int, stamp: bool) -> gr.FileData:
    _check_size(size)
    return _saved(state.picture(session, settings, size), stamp, "the face in a chosen pose and light")


def _check_size(size: int) -> None:
    if not isinstance(size, int) or not SIZES[0] <= size <= SIZES[1]:
        raise ConfigError(f"size is the picture's side in pixels, {SIZES[0]} to {SIZES[1]}.")


def _saved(array: np.ndarray, stamp: bool, title: str) -> gr.FileData:
    image, path = Image.fromarray(array), new_folder() / "face.png"
    path.write_bytes(png_bytes(watermark(image) if stamp else image, title))
    return _file(path)


ENDPOINTS: tuple[Callable, ...] = (analyze, render, frontalize, swap, nearest, export)


def connect() -> None:
    """Offer the endpoints of the page that is being built."""
    for function in ENDPOINTS:
        gr.api(function, api_name=function.__name__)


def _opened(photo: dict, face: int) -> Session:
    """The analysed photo. It arrives as plain values, so only files that were uploaded here are opened."""
    path = Path(str(photo.get("path") if isinstance(photo, dict) else "")).resolve()
    if not path.is_relative_to(Path(get_upload_folder()).resolve()) or not path.is_file():
        raise ImageUnreadable("The photo must be uploaded first: see the examples on the page.")
    session = state.open_photo(path)
    if not isinstance(face, int) or not 1 <= face <= len(session.faces):
        raise FaceNotFound(f"There is no face {face} in this photo: {len(session.faces)} were found.")
    return session if face == 1 else state.choose_face(session, face - 1)


def _file(path: Path) -> gr.FileData:
    return gr.FileData(path=str(path), orig_name=path.name)
