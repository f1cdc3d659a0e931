"""The panel beside the tabs: opens photos, and chooses the face that is shown everywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import Dependency

from app.server.errors import handle_errors
from app.session.order import FACE, newest
from app.session.session import (
    Session,
    choose_face,
    crop_by_hand,
    examples,
    link_parameters,
    open_example,
    open_link,
    open_photo,
    require_session,
)
from app.tabs.shared_state import SharedState
from app.widgets import photo
from app.widgets.event_options import LIVE, PRIVATE, QUIET
from app.widgets.thumbnails import thumbnail, thumbnails
from core.export.visualize import to_uint8
from core.faces.load_image import read_photo

NO_FACE = "No face was found in this photo. Mark one by hand below it, or choose a photo with a larger face."
NOT_KEPT = "Your photo is not kept when the page is reloaded. Choose it again."
EARLIER = "<p>No face was found in this photo. The tabs still show the earlier one.</p>"


class PhotoPanel:
    """The panel's components and handlers."""

    def __init__(self, shared: SharedState, demo: gr.Blocks):
        self.session, self.url = shared.session, shared.url
        self.pending = gr.State()
        """The `Session` of the photo opened last, perhaps without a face: what a crop by hand refers to."""
        self.own = gr.State()
        """The `Session` that this panel has set last."""
        self.photo_input = photo.photo_input()
        gr.HTML("Photos are not kept, see About.", elem_classes="credit", apply_default_css=False)
        self.photo = photo.photo_view()
        self.note = gr.HTML(elem_id="photo-note", elem_classes="warnings", apply_default_css=False)
        self.faces = thumbnails("faces", visible=False)
        with gr.Accordion("Crop by hand", open=False) as self.crop_panel:
            with gr.Column(elem_id="crop-controls"):
                self.crop = photo.crop_sliders()
                with gr.Row(elem_classes="aside"):
                    self.crop_preview = gr.HTML(elem_id="crop-preview", apply_default_css=False)
                    self.use_crop = gr.Button("Use this crop", size="sm", elem_id="use-crop")
        gr.HTML("<h4>Examples</h4>", apply_default_css=False)
        self.examples = thumbnails("examples", [thumbnail(read_photo(one.path), one.title) for one in examples()])
        gr.HTML(examples()[0].credit, elem_classes="credit", apply_default_css=False)
        self._connect(demo)

    def _connect(self, demo: gr.Blocks) -> None:
        panel = [self.pending, self.photo, self.note, self.faces, self.crop_panel, *self.crop, self.crop_preview]

        def opens(event: Callable[..., Dependency], handler: Callable, inputs: list) -> Dependency:
            return event(handler, inputs, [self.session, self.own, self.url, *panel],
                         show_progress_on=self.photo, trigger_mode="always_last", **PRIVATE)

        self.loaded = opens(demo.load, self.open_first, [])
        """The event after which the first photo is shown."""
        opens(self.examples.select, self.open_example, [])
        uploaded = opens(self.photo_input.input, self.open_photo, [self.photo_input])
        for ended in (uploaded.success, uploaded.failure):
            ended(None, None, self.photo_input, js="() => null", **PRIVATE)
        for choice in (self.faces, self.photo):
            opens(choice.select, self.choose_face, [self.pending])
        opens(self.use_crop.click, self.crop_by_hand, [self.pending, *self.crop])
        self.session.change(self.follow, [self.session, self.own], [self.own, *panel], **QUIET)
        gr.on([slider.input for slider in self.crop], self.move_crop, [self.pending, *self.crop],
              [self.photo, self.crop_preview], **LIVE)

    @newest(FACE)
    @handle_errors
    def open_first(self, request: gr.Request) -> dict[Any, Any]:
        """Show what the URL names: example, pose and light; by default the first example."""
        if "photo" in request.query_params:
            gr.Info(NOT_KEPT)
        return self._show(open_link(request.query_params))

    @newest(FACE)
    @handle_errors
    def open_example(self, event: gr.EventData) -> dict[Any, Any]:
        """Open an example."""
        return self._show(open_example(_index(event)))

    @newest(FACE)
    @handle_errors
    def open_photo(self, path: str | None) -> dict[Any, Any]:
        """Open the visitor's own photo. Without a face in it, offer a crop by hand and keep the earlier result."""
        if path is None:
            return gr.skip()
        session = open_photo(path)
        if session.faces:
            return self._show(session)
        gr.Warning(NO_FACE)
        return {**self._panel(session), self.crop_panel: gr.Accordion(open=True), self.note: EARLIER}

    @newest(FACE)
    @handle_errors
    def choose_face(self, pending: Session | None, event: gr.EventData) -> dict[Any, Any]:
        """Choose another face of the same photo."""
        return self._show(choose_face(require_session(pending), _index(event)))

    @newest(FACE)
    @handle_errors
    def crop_by_hand(self, pending: Session | None, x, y, size, roll) -> dict[Any, Any]:
        """Use the part of the photo that the sliders mark as the face."""
        session = require_session(pending)
        return self._show(crop_by_hand(session, photo.crop_of(session.photo, x, y, size, roll)))

    @handle_errors
    def move_crop(self, pending: Session | None, *sliders) -> dict[Any, Any]:
        """Redraw the marked square on the photo, and the preview of its content."""
        session = require_session(pending)
        crop = photo.crop_of(session.photo, *sliders)
        return {self.crop_preview: photo.crop_preview(session, crop), self.photo: photo.marks(session, crop)}

    @handle_errors
    def follow(self, session: Session, own: Session | None) -> dict[Any, Any]:
        """Show the photo of a face that another part of the page has set."""
        return gr.skip() if session is own else {self.own: session, **self._panel(session)}

    def _show(self, session: Session) -> dict[Any, Any]:
        return {self.session: session, self.own: session, **self._panel(session),
                self.url: gr.update(parameters=link_parameters(session, session.initial))}

    def _panel(self, session: Session) -> dict[Any, Any]:
        """Updates of the panel for a photo with or without a face."""
        sliders = photo.slider_values(session)
        several = len(session.faces) > 1
        items = [thumbnail(to_uint8(face.image), f"Face {index + 1}", index == session.index)
                 for index, face in enumerate(session.faces)]
        return {self.pending: session, self.photo: photo.show_photo(session), self.note: "",
                self.faces: gr.update(value=items, visible=several),
                self.crop_preview: photo.crop_preview(session, photo.crop_of(session.photo, *sliders)),
                **dict(zip(self.crop, sliders, strict=True))}


def _index(event: gr.EventData) -> int | None:
    """Index of the thumbnail that was clicked; None where the event has none."""
    return getattr(event, "index", None)
