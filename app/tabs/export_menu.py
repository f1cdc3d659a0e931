"""The export menu in the page's header, and the button that opens a session file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from app.server.errors import handle_errors
from app.session.export import KINDS, Kind, export_steps, new_folder, read_session_file
from app.session.order import DONOR, FACE, newest
from app.session.session import Session, require_session
from app.tabs.shared_state import SharedState
from app.tabs.studio import Studio
from app.widgets.assets import file_url
from app.widgets.event_options import QUIET
from app.widgets.menu import menu
from app.widgets.uploads import uploaded_path

MENU: list[tuple[Kind, str, str]] = [
    ("picture", "Render", "PNG, as in the studio"),
    ("photo", "Whole photo", "PNG, your photo with this face in it"),
    ("turntable", "Turntable", "GIF of the turning head"),
    ("turntable-mp4", "Turntable", "MP4 of the turning head"),
    ("glb", "3-D face", "GLB with texture, for Blender and phones"),
    ("obj", "3-D face", "OBJ with texture, zipped"),
    ("depth", "Depth", "PNG, 16 bit"),
    ("normals", "Normals", "PNG"),
    ("albedo", "Albedo", "PNG"),
    ("codes-npz", "Codes, light, pose", "NumPy archive"),
    ("codes-json", "Codes, light, pose", "JSON, with warnings"),
    ("session", "Session", "reopens this page's state exactly"),
]
"""Kind, name and explanation of each file."""
NOTIFY = "() => document.querySelector('#export details').dispatchEvent(new Event('{}', {{ bubbles: true }}))"
"""Tells the menu that its work has ended or failed."""
OTHER_WEIGHTS = ("This session was saved with other weights of the model. Its face was analyzed again; its edits are "
                 "as they were.")


class ExportMenu:
    """The menu's components and handlers."""

    def __init__(self, shared: SharedState):
        self.shared = shared
        with gr.Row(elem_id="file-menu"):
            self.open = gr.UploadButton("Open session", file_types=[".latentface"], size="sm", elem_id="open-session")
            self.menu = menu("export", "Export", MENU)
        self.open.preprocess = uploaded_path  # core.export.session_file reads the file, with its checks

    def connect(self, studio: Studio) -> None:
        """Read the edits of the studio."""
        self.studio, session = studio, self.shared.session
        saving = self.menu.save(self.save, [session, *studio.stack], self.menu, **QUIET)
        saving.failure(None, js=NOTIFY.format("failed"), **QUIET)
        saving.then(None, js=NOTIFY.format("ended"), **QUIET)
        self.menu.stop(None, cancels=[saving], **QUIET)
        self.open.upload(self.open_session, self.open, session, **QUIET)

    @newest(FACE, DONOR)
    @handle_errors
    def open_session(self, path: str) -> Session:
        """Restore the state that a session file holds."""
        session, same_weights = read_session_file(path)
        if not same_weights:
            gr.Info(OTHER_WEIGHTS)
        return session

    def save(self, session: Session | None, event: gr.EventData, *stack: Any) -> Iterator[dict]:
        """Write one file of the edited face, report the progress, and hand the file to the browser."""
        if event.kind not in KINDS:
            return
        face = handle_errors(require_session)(session)
        edits = handle_errors(self.studio.edits_of)(*stack)[2] if stack[0][0] is face else face.initial
        steps = export_steps(event.kind, face, edits, event.watermark is True, new_folder())
        while isinstance(step := handle_errors(next)(steps), str):
            yield gr.update(progress=step)
        yield gr.update(file={"url": file_url(step), "name": step.name})
