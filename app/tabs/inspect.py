"""The Inspect tab: the factors of a face as an equation, in numbers and in 3-D."""

from __future__ import annotations

import gradio as gr

from app.server.errors import told
from app.session import export
from app.session import session as state
from app.session.session import Session, known
from app.tabs.shared_state import Page
from app.widgets import equation, notes
from app.widgets.camera import camera, picture_bytes
from app.widgets.compare import compare
from app.widgets.images import jpeg_url, pixels
from core.errors import FaceNotFound

CAMERA = (90, 90, 2.7)
"""Straight in front of the face, which fills the view."""
REFINE = "20 more steps explain this photo more closely; all tabs then show that face."
COMPARED = 512
"""Most pixels of the pictures that are compared."""


class Inspect:
    """The tab's components and handlers."""

    def __init__(self, page: Page):
        self.camera = camera()
        self.equation = equation.equation()
        self.warnings = gr.HTML(elem_id="warnings", elem_classes="warnings", apply_default_css=False)
        with gr.Row(elem_id="found"):
            self.readout = gr.HTML(elem_id="readout", apply_default_css=False)
            self.refine = gr.Checkbox(label="Refine", info=REFINE, container=False, min_width=200, elem_id="refine")
        with gr.Row(elem_id="views"):
            with gr.Column(scale=1, min_width=280):
                self.compare = compare()
                gr.HTML("Drag to compare", elem_classes="credit", apply_default_css=False)
            with gr.Column(scale=1, min_width=280, elem_id="solid"):
                self.model3d = gr.Model3D(label="3-D", show_label=False, camera_position=CAMERA, height=440,
                                          interactive=False, elem_id="model3d")
                gr.HTML("Drag to turn, scroll to zoom", elem_classes="credit", apply_default_css=False)
        shown = [self.equation, self.readout, self.refine, self.warnings, self.compare]
        page.session.change(self.show, page.session, shown, api_visibility="private", show_progress_on=self.equation)
        self.refine.input(self.refine_face, [page.session, self.refine], page.session, api_visibility="private",
                          show_progress_on=self.equation, trigger_mode="always_last")
        page.session.change(self.show_mesh, page.session, self.model3d, api_visibility="private")
        # The next picture is on its way before this one's answer is there; one at a time is looked at, so that answers
        # keep their order and cameras leave a core to the others.
        self.camera.look(self.look, None, [*shown, self.camera], api_visibility="private", show_progress="hidden",
                         trigger_mode="multiple", concurrency_limit=1)
        self.camera.keep(self.keep, None, page.session, api_visibility="private", show_progress_on=self.equation)

    @told
    def show(self, session: Session) -> dict:
        """The equation, numbers and warnings of another face."""
        side = min(COMPARED, session.face.full.shape[-1])
        return {self.equation: equation.draw(session), self.readout: notes.readout(session),
                self.refine: session.refined, self.warnings: notes.warnings(session),
                self.compare: gr.update(value=jpeg_url(pixels(session.factors.recon_image[0]), side),
                                        photo=jpeg_url(pixels(session.face.full), side))}

    @told
    def show_mesh(self, session: Session) -> str:
        """The face as GLB, in the viewer."""
        return str(export.write("glb", session, session.settings, False, export.new_folder(), COMPARED))

    @told
    def refine_face(self, session: Session | None, refined: bool) -> Session:
        """The same face once more, refined or as it was found at first."""
        return state.refine(known(session), refined)

    @told
    def look(self, event: gr.EventData) -> dict:
        """The same for one picture of the camera, which then sends its next one."""
        looked = gr.update(count=getattr(event, "number", 0), said="")
        try:
            return self.show(state.look(picture_bytes(event))) | {self.camera: looked}
        except FaceNotFound:
            return {self.camera: looked | {"said": "No face in view."}}

    @told
    def keep(self, event: gr.EventData) -> Session:
        """The picture that the camera showed last, as any other photo."""
        session = state.open_photo(picture_bytes(event))
        if not session.faces:
            raise FaceNotFound("No face was in view: look into the camera and try again.")
        return session
