"""The page's face beside another photo's, factor by factor."""

from __future__ import annotations

import gradio as gr

from app.server.errors import handle_errors
from app.session.session import Session
from app.session.swap import open_face
from app.tabs.shared_state import SharedState
from app.widgets.assets import read_style
from app.widgets.event_options import LIVE, PRIVATE
from app.widgets.photo_pair import photo_pair
from app.widgets.uploads import uploaded_path

HINT = "<p>Choose the other photo.</p>"


class ComparePhotos:
    """The pane's components and handlers. Nothing is computed for it before another photo is chosen."""

    def __init__(self, shared: SharedState):
        with gr.Tab("Two photos"):  # the state too: gr.Tabs counts everything between its tabs
            self.other = gr.State()
            """The `Session` of the other photo."""
            self.upload = gr.UploadButton("Choose the other photo", file_types=["image"], size="sm",
                                          elem_id="compare-upload")
            self.pair = gr.HTML(HINT, elem_id="photo-pair", apply_default_css=False,
                                css_template=read_style("photo_pair"))
        self.upload.preprocess = uploaded_path
        self.upload.upload(self.open_other, self.upload, self.other, **PRIVATE)
        for event in (self.other.change, shared.session.change):
            event(self.show, [shared.session, self.other], self.pair, **LIVE)

    @handle_errors
    def open_other(self, path: str) -> Session:
        """Analyze the other photo."""
        return open_face(path)

    @handle_errors
    def show(self, session: Session | None, other: Session | None) -> str | dict:
        """Show both faces, once another photo was chosen."""
        return photo_pair(session, other) if session and other else gr.skip()
