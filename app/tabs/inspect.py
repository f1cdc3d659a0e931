"""The factors of the page's face: as an equation, as numbers and in 3-D."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.server.errors import handle_errors
from app.session.order import FACE, newest
from app.session.session import Session, analyze_frame, open_photo, refine, require_session
from app.tabs.shared_state import SharedState
from app.widgets.camera import camera, frame_bytes
from app.widgets.equation import equation, show_equation
from app.widgets.event_options import LIVE, PRIVATE
from app.widgets.head_viewer import head_viewer, show_face, show_surface
from app.widgets.readout import readout, warnings
from core.errors import FaceNotFound

REFINE = "20 more steps fit this photo more closely."


class Inspect:
    """The components and handlers of the panes Equation and 3-D."""

    def __init__(self, shared: SharedState):
        with gr.Tab("Equation"):
            self.camera = camera()
            self.equation = equation()
            self.warnings = gr.HTML(elem_id="warnings", elem_classes="warnings", apply_default_css=False)
            with gr.Row(elem_id="found"):
                self.readout = gr.HTML(elem_id="readout", apply_default_css=False)
                self.refine = gr.Checkbox(label="Refine", info=REFINE, container=False, min_width=200, elem_id="refine")
        with gr.Tab("3-D") as solid, gr.Column(elem_id="solid"):
            self.opened = gr.State(False)
            """Whether this pane was opened: before, gradio would lose what the viewer is told."""
            self.viewer = head_viewer()
            gr.HTML("Drag to turn, scroll to zoom", elem_classes="credit", apply_default_css=False)
        shown = [self.equation, self.readout, self.refine, self.warnings]
        for event in (shared.session.change, self.camera.stopped):
            event(self.show_factors, shared.session, [*shown, self.camera], show_progress_on=self.equation,
                  trigger_mode="always_last", **PRIVATE)
        self.refine.input(self.refine_face, [shared.session, self.refine], shared.session,
                          show_progress_on=self.equation, trigger_mode="always_last", **PRIVATE)
        solid.select(lambda: True, None, self.opened, **LIVE)
        gr.on([self.opened.change, shared.session.change], self.show_head, [shared.session, self.opened], self.viewer,
              **PRIVATE)
        self.viewer.fetch(self.show_surface, shared.session, self.viewer, trigger_mode="always_last", **PRIVATE)
        # The browser sends the next frame ahead of this one's answer. One frame is analyzed at a time, so that answers
        # keep their order and one CPU core stays free for other visitors.
        self.camera.frame(self.show_frame, None, [*shown, self.camera], show_progress="hidden",
                          trigger_mode="multiple", concurrency_limit=1, **PRIVATE)
        self.camera.keep(self.keep_frame, None, shared.session, show_progress_on=self.equation, **PRIVATE)

    @handle_errors
    def show_factors(self, session: Session | None) -> dict[Any, Any]:
        """Show the page's face, also after the camera. Another face than before stops the camera."""
        return gr.skip() if session is None else self._show(session) | {self.camera: gr.update(face=str(id(session)))}

    def _show(self, session: Session) -> dict[Any, Any]:
        """Updates of equation, numbers and warnings."""
        return {self.equation: show_equation(session), self.readout: readout(session),
                self.refine: session.refined, self.warnings: warnings(session)}

    @handle_errors
    def show_head(self, session: Session | None, opened: bool) -> dict[str, Any]:
        """Another face for the viewer."""
        return gr.skip() if session is None or not opened else show_face(session)

    @handle_errors
    def show_surface(self, session: Session | None, event: gr.EventData) -> dict[str, Any]:
        """The surface that the viewer asks for."""
        return show_surface(require_session(session), event)

    @newest(FACE, edits=True)
    @handle_errors
    def refine_face(self, session: Session | None, refined: bool) -> Session:
        """Refine the face, or undo that."""
        return refine(require_session(session), refined)

    @handle_errors
    def show_frame(self, event: gr.EventData) -> dict[Any, Any]:
        """A camera frame in place of the page's face; the page then sends the next one."""
        number = getattr(event, "number", 0)
        try:
            shown = self._show(analyze_frame(frame_bytes(event)))
        except FaceNotFound:
            return {self.camera: gr.update(count=number, message="No face in view.")}
        return shown | {self.camera: gr.update(count=number, message="")}

    @newest(FACE)
    @handle_errors
    def keep_frame(self, event: gr.EventData) -> Session:
        """Open the camera's latest frame as a photo."""
        session = open_photo(frame_bytes(event))
        if not session.faces:
            raise FaceNotFound("No face was in view. Look into the camera and try again.")
        return session
