"""The Inspect tab: the factors of a face as an equation, in numbers and in 3-D."""

from __future__ import annotations

import gradio as gr

from app import export
from app.errors import told
from app.page import Page
from app.state import Session
from app.widgets import equation, notes

CAMERA = (90, 90, 2.7)
"""Straight in front of the face, which fills the view."""


class Inspect:
    """The tab's components and handlers."""

    def __init__(self, page: Page):
        self.equation = equation.equation()
        self.warnings = gr.HTML(elem_id="warnings", elem_classes="warnings", apply_default_css=False)
        self.readout = gr.HTML(elem_id="readout", apply_default_css=False)
        with gr.Row(elem_id="play"):
            with gr.Column(elem_id="solid"):
                self.model3d = gr.Model3D(label="3-D", show_label=False, camera_position=CAMERA, height=380,
                                          interactive=False, elem_id="model3d")
                gr.HTML("Drag to turn, scroll to zoom", elem_classes="credit", apply_default_css=False)
        page.session.change(self.show, page.session, [self.equation, self.readout, self.warnings],
                            api_visibility="private", show_progress_on=self.equation)
        page.session.change(self.show_mesh, page.session, self.model3d, api_visibility="private")

    @told
    def show(self, session: Session) -> list[str]:
        """The equation, numbers and warnings of another face."""
        return [equation.draw(session), notes.readout(session), notes.warnings(session)]

    @told
    def show_mesh(self, session: Session) -> str:
        """The face as GLB, in the viewer."""
        return str(export.write("glb", session, session.settings, False, export.new_folder()))
