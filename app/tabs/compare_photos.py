"""The page's face beside another photo's, factor by factor; the other face is the expression source of the page."""

from __future__ import annotations

import gradio as gr

from app.server.errors import handle_errors
from app.session.order import DONOR, newest
from app.session.session import Session
from app.session.swap import open_face
from app.tabs.shared_state import SharedState
from app.widgets.assets import read_style
from app.widgets.event_options import LIVE, PRIVATE
from app.widgets.photo_pair import photo_pair
from app.widgets.uploads import uploaded_path

HINT = "<p>Choose the other photo.</p>"


class ComparePhotos:
    """The pane's components and handlers. Nothing is computed for it before it is first opened."""

    def __init__(self, shared: SharedState):
        self.opened = gr.State(False)
        with gr.Tab("Two photos") as pane:
            self.upload = gr.UploadButton("Choose the other photo", file_types=["image"], size="sm",
                                          elem_id="compare-upload")
            self.pair = gr.HTML(HINT, elem_id="photo-pair", apply_default_css=False,
                                css_template=read_style("photo_pair"))
        self.upload.preprocess = uploaded_path
        self.upload.upload(self.open_other, self.upload, shared.donor, **PRIVATE)
        pane.select(lambda: True, None, self.opened, **PRIVATE)
        inputs = [self.opened, shared.session, shared.donor]
        for event in (self.opened.change, shared.session.change, shared.donor.change):
            event(self.show, inputs, self.pair, **LIVE)

    @newest(DONOR)
    @handle_errors
    def open_other(self, path: str) -> Session:
        """Analyze the other photo."""
        return open_face(path)

    @handle_errors
    def show(self, opened: bool, session: Session | None, other: Session | None) -> str | dict:
        """Show both faces, once the pane was opened."""
        if not opened or session is None:
            return gr.skip()
        return photo_pair(session, other) if other else HINT
