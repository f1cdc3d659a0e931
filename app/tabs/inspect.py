"""The Inspect tab: the factors of a face as an equation, in numbers and in 3-D."""

from __future__ import annotations

import time

import gradio as gr

from app import export, state
from app.errors import told
from app.page import Page
from app.state import Session
from app.widgets import equation, notes
from app.widgets.camera import camera, picture_bytes
from app.widgets.compare import compare
from app.widgets.images import jpeg_url, pixels
from core.errors import FaceNotFound

CAMERA = (90, 90, 2.7)
"""Straight in front of the face, which fills the view."""
COMPARED = 512
"""Pixels of the pictures that are compared."""


class Inspect:
    """The tab's components and handlers."""

    def __init__(self, page: Page):
        self.camera = camera()
        self.equation = equation.equation()
        self.warnings = gr.HTML(elem_id="warnings", elem_classes="warnings", apply_default_css=False)
        self.readout = gr.HTML(elem_id="readout", apply_default_css=False)
        with gr.Row(elem_id="views"):
            with gr.Column(scale=1, min_width=280):
                self.compare = compare()
                gr.HTML("Drag to compare", elem_classes="credit", apply_default_css=False)
            with gr.Column(scale=1, min_width=280, elem_id="solid"):
                self.model3d = gr.Model3D(label="3-D", show_label=False, camera_position=CAMERA, height=440,
                                          interactive=False, elem_id="model3d")
                gr.HTML("Drag to turn, scroll to zoom", elem_classes="credit", apply_default_css=False)
        shown = [self.equation, self.readout, self.warnings, self.compare]
        page.session.change(self.show, page.session, shown, api_visibility="private", show_progress_on=self.equation)
        page.session.change(self.show_mesh, page.session, self.model3d, api_visibility="private")
        self.camera.look(self.look, None, [*shown, self.camera], api_visibility="private", show_progress="hidden",
                         trigger_mode="multiple")  # the next picture is on its way before this answer counts as done
        self.camera.keep(self.keep, None, page.session, api_visibility="private", show_progress_on=self.equation)

    @told
    def show(self, session: Session) -> dict:
        """The equation, numbers and warnings of another face."""
        return {self.equation: equation.draw(session), self.readout: notes.readout(session),
                self.warnings: notes.warnings(session),
                self.compare: gr.update(value=jpeg_url(pixels(session.factors.recon_image[0]), COMPARED),
                                        photo=jpeg_url(pixels(session.face.full), COMPARED))}

    @told
    def show_mesh(self, session: Session) -> str:
        """The face as GLB, in the viewer."""
        return str(export.write("glb", session, session.settings, False, export.new_folder()))

    @told
    def look(self, event: gr.EventData) -> dict:
        """The same for one picture of the camera, which then sends its next one."""
        looked = gr.update(count=time.monotonic_ns(), said="")
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
