"""Everything that can be taken along: one menu for all tabs, and the same files for the API."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Literal, get_args

import gradio as gr
import torch
from gradio.utils import get_upload_folder
from PIL import Image

from app.server.errors import told
from app.session import session as state
from app.session.session import Session, known
from app.session.settings import BACKGROUNDS, OWN_DETAIL, Settings
from app.session.swap import Swap
from app.tabs.shared_state import Page
from app.widgets.menu import menu
from core.export import turntable
from core.export.maps import codes_json, codes_npz, depth16, map_image
from core.export.mesh import face_mesh, write_glb, write_obj
from core.export.provenance import DEPTH16, png_bytes, watermark
from core.export.session_file import read_session, write_session
from core.export.visualize import normal_colours
from core.rendering.compositor import bake_texture

Kind = Literal["picture", "turntable", "turntable-mp4", "glb", "obj", "depth", "normals", "albedo", "codes-npz",
               "codes-json", "session"]
KINDS = get_args(Kind)
MENU = [
    ("picture", "Picture", "PNG, as set in Pose & light"),
    ("turntable", "Turntable", "GIF, the head looking around; some seconds"),
    ("turntable-mp4", "Turntable", "MP4, the same as a film"),
    ("glb", "3-D face", "GLB, textured; opens in Blender and on phones"),
    ("obj", "3-D face", "OBJ with texture, zipped"),
    ("depth", "Depth", "PNG, 16 bit"),
    ("normals", "Normals", "PNG"),
    ("albedo", "Albedo", "PNG"),
    ("codes-npz", "Codes, light, pose", "NumPy archive"),
    ("codes-json", "Codes, light, pose", "JSON, with warnings"),
    ("session", "Session", "to go on with later, exactly"),
]
"""Kind, name and explanation of each file, as listed on the page."""
NAMES = {"picture": "face.png", "turntable": "turntable.gif", "turntable-mp4": "turntable.mp4", "glb": "face.glb",
         "obj": "face-obj.zip", "depth": "depth16.png", "normals": "normals.png", "albedo": "albedo.png",
         "codes-npz": "codes.npz", "codes-json": "codes.json", "session": "session.latentface"}
SIZE, TURNTABLE_SIZE = 512, 384
"""Pixels of the picture and of the turntable."""
TEXTURE = 1024
"""Pixels of the texture of a mesh that is taken along."""
MAP_SIZE = 256
"""Pixels to which maps for the eye are enlarged."""

TELL = "() => document.querySelector('#export details').dispatchEvent(new Event('{}', {{ bubbles: true }}))"
"""Tells the menu that its work has ended or failed."""


def write(kind: Kind, session: Session, settings: Settings, stamp: bool, folder: Path, texture: int = TEXTURE) -> Path:
    """Write one file and return its path; arguments as of `writing`."""
    *_, path = writing(kind, session, settings, stamp, folder, texture)
    return path


def writing(kind: Kind, session: Session, settings: Settings, stamp: bool, folder: Path,
            texture: int = TEXTURE, swap: Swap | None = None) -> Iterator[str | Path]:
    """Write one file: words on how far long work has come, and in the end its path.

    Args:
        kind: one of `KINDS`.
        session: what was found.
        settings: for the picture, the turntable and the session file.
        stamp: write "synthetic" on the picture and the turntable.
        folder: where to write; no file is begun before the work for it is done.
        texture: pixels of the mesh's texture.
        swap: for the session file.
    """
    path, factors = folder / NAMES[kind], session.factors
    if kind in ("glb", "obj"):
        yield "Making the mesh …"
        depth, colours, mask = bake_texture(session.detailed, texture)
        mesh = face_mesh(depth[0], colours[0], mask[0])
        yield "Packing the texture …"
        {"glb": write_glb, "obj": write_obj}[kind](mesh, path)
    elif kind in ("turntable", "turntable-mp4"):
        pictures = []
        for picture in _turning(session, settings, stamp):
            pictures.append(picture)
            yield f"{len(pictures)} of {turntable.FRAMES} pictures"
        {"turntable": turntable.write_gif, "turntable-mp4": turntable.write_mp4}[kind](pictures, path)
    elif kind == "session":
        values, donor = (swap or Swap()).saved()
        write_session(replace(state.saved(session, settings.flat() | {"swap": values}), donor=donor), path)
    else:
        path.write_bytes({
            "picture": lambda: _picture(session, settings, stamp),
            "depth": lambda: png_bytes(depth16(factors.canon_depth[0]), DEPTH16),
            "normals": lambda: _map(normal_colours(factors.canon_normal), "canonical normals: red to the right, "
                                    "green up, blue to the camera"),
            "albedo": lambda: _map(factors.canon_albedo, "canonical albedo"),
            "codes-npz": lambda: codes_npz(factors),
            "codes-json": lambda: codes_json(factors, session.face),
        }[kind]())
    yield path


def read(path: str | Path) -> tuple[Session, Swap]:
    """What a session file holds. Raises SessionUnreadable."""
    saved = read_session(path)
    return state.restored(saved), Swap.restored(saved.settings.get("swap"), saved.donor)


def new_folder() -> Path:
    """An empty folder below the one that is emptied; the name of a file in it can then be a plain one."""
    return Path(tempfile.mkdtemp(dir=get_upload_folder()))


class Export:
    """The menu, in the page's header, and the way back in for session files."""

    def __init__(self, page: Page):
        self.page = page
        with gr.Row(elem_id="file-menu"):
            self.open = gr.UploadButton("Open session", file_types=[".latentface"], size="sm", elem_id="open-session")
            self.menu = menu("export", "Export", MENU)
        self.open.preprocess = lambda payload: payload and payload.path  # core.export.session_file reads it, with its checks

    def connect(self, posed: gr.State, settings: list[gr.Component], swap: list[gr.Component]) -> None:
        """Follow the controls that `Settings` are read from, and those of the Swap tab: the seed and `Amounts`.

        `posed` is the `Session` that the former belong to: to a new one they come a moment late.
        """
        private = {"api_visibility": "private", "show_progress": "hidden"}
        session, donor = self.page.session, self.page.donor
        saving = self.menu.save(self.save, [session, donor, *swap, posed, *settings], self.menu, **private)
        saving.failure(None, js=TELL.format("failed"), **private)
        saving.then(None, js=TELL.format("ended"), **private)
        self.menu.stop(None, cancels=[saving], **private)
        self.open.upload(self.open_session, self.open, [session, donor, *swap], **private)

    @told
    def open_session(self, path: str) -> list:
        """What a session file holds, as it was."""
        session, swap = read(path)
        return [session, swap.donor, swap.seed, *astuple(swap.amounts)]

    def save(self, session: Session | None, donor: Session | None, seed: float, depth: float, albedo: float,
             whose: str, detail: str, posed: Session | None, event: gr.EventData, *controls) -> Iterator[dict]:
        """One file, handed over to the visitor, with word of how far it has come."""
        if event.kind not in KINDS:
            return
        face = told(known)(session)
        settings = told(Settings.of_controls)(*controls) if posed is session else session.settings
        swap = told(Swap.of_controls)(donor, seed, depth, albedo, whose, detail)
        if getattr(event, "swapped", False) is True and event.kind != "session":
            face = told(swap.swapped)(face)
        work = writing(event.kind, face, settings, event.stamp is True, new_folder(), swap=swap)
        while isinstance(step := told(next)(work), str):
            yield gr.update(going=step)
        yield gr.update(file={"url": f"/gradio_api/file={step}", "name": step.name})


def _picture(session: Session, settings: Settings, stamp: bool) -> bytes:
    image = Image.fromarray(state.picture(session, settings, SIZE))
    return png_bytes(watermark(image) if stamp else image, "the face in a chosen pose and light")


def _turning(session: Session, settings: Settings, stamp: bool) -> Iterator[Image.Image]:
    face = session.detailed if settings.detail == OWN_DETAIL else session.decoded
    background = BACKGROUNDS[settings.background] or BACKGROUNDS["White"]  # neither GIF nor film has soft edges
    light = settings.lamp.light(session.factors.light)
    for array in turntable.turntable(face, light, TURNTABLE_SIZE, background):
        image = Image.fromarray(array)
        yield watermark(image) if stamp else image


def _map(maps: torch.Tensor, title: str) -> bytes:
    """Maps (1, 3, H, W) as an enlarged picture."""
    return png_bytes(map_image(maps, MAP_SIZE), title)
