"""The panel beside the tabs: where a photo comes in, and which of its faces is shown everywhere."""

from __future__ import annotations

import gradio as gr

from app.server.errors import told
from app.session import session as state
from app.session.session import Session, known
from app.tabs.shared_state import Page
from app.widgets import photo
from app.widgets.images import pixels
from app.widgets.strip import item, strip
from core.faces.load_image import read_photo

NO_FACE = "No face was found in this photo. Mark one by hand below it, or choose a photo with a larger face."
NOT_KEPT = "Your photo is not kept when the page is loaded again: please choose it once more."
EARLIER = "<p>No face was found in this photo: what is shown beside it is still the earlier one.</p>"


class Source:
    """The panel's components, and the handlers that read and write them.

    Handlers return a dictionary of what changes; what they leave out stays as it is.
    """

    def __init__(self, page: Page, demo: gr.Blocks):
        self.session, self.address = page.session, page.address
        self.pending = gr.State()
        """The `Session` of the photo opened last, perhaps without a face: what a crop by hand cuts."""
        self.own = gr.State()
        """The `Session` that this panel has shown everywhere last."""
        self.photo_input = photo.photo_input()
        gr.HTML("Photos are not kept, see About.", elem_classes="credit", apply_default_css=False)
        self.photo = photo.photo_view()
        self.note = gr.HTML(elem_id="source-note", elem_classes="warnings", apply_default_css=False)
        self.faces = strip("faces", visible=False)
        with gr.Accordion("Crop by hand", open=False) as self.crop_panel:
            with gr.Column(elem_id="crop-controls"):
                self.crop = photo.crop_sliders()
                with gr.Row(elem_classes="aside"):
                    self.cut = gr.HTML(elem_id="cut", apply_default_css=False)
                    self.use_crop = gr.Button("Use this crop", size="sm", elem_id="use-crop")
        gr.HTML("<h4>Examples</h4>", apply_default_css=False)
        self.examples = strip("examples", [item(read_photo(one.path), one.title) for one in state.examples()])
        gr.HTML(state.examples()[0].credit, elem_classes="credit", apply_default_css=False)
        self._connect(demo)

    def _connect(self, demo: gr.Blocks) -> None:
        panel = [self.pending, self.photo, self.note, self.faces, self.crop_panel, *self.crop, self.cut]

        def opens(event, handler, inputs):
            return event(handler, inputs, [self.session, self.own, self.address, self.photo_input, *panel],
                         api_visibility="private", show_progress_on=self.photo, trigger_mode="always_last")

        self.loaded = opens(demo.load, self.open_first, [])
        """What follows the first photo."""
        opens(self.examples.select, self.open_example, [])
        opens(self.photo_input.input, self.open_photo, [self.photo_input]).failure(
            lambda: None, None, self.photo_input, api_visibility="private")
        for choice in (self.faces, self.photo):
            opens(choice.select, self.choose_face, [self.pending])
        opens(self.use_crop.click, self.crop_by_hand, [self.pending, *self.crop])
        self.session.change(self.follow, [self.session, self.own], [self.own, *panel], api_visibility="private",
                            show_progress="hidden")
        gr.on([slider.input for slider in self.crop], self.move_crop, [self.pending, *self.crop],
              [self.photo, self.cut], show_progress="hidden", api_visibility="private", trigger_mode="always_last")

    @told
    def open_first(self, request: gr.Request) -> dict:
        """The first screen: the example, pose and light that the address names, or the first example."""
        if "photo" in request.query_params:
            gr.Info(NOT_KEPT)
        return self._show(state.open_link(request.query_params))

    @told
    def open_example(self, event: gr.EventData) -> dict:
        """Another example."""
        return self._show(state.open_example(_index(event)))

    @told
    def open_photo(self, path: str | None) -> dict:
        """The visitor's own photo. Where no face is found, it waits to be cropped and the earlier result stays."""
        if path is None:
            return {self.photo_input: None}
        session = state.open_photo(path)
        if session.faces:
            return self._show(session)
        gr.Warning(NO_FACE)
        return {**self._panel(session), self.photo_input: None, self.crop_panel: gr.Accordion(open=True),
                self.note: EARLIER}

    @told
    def choose_face(self, pending: Session | None, event: gr.EventData) -> dict:
        """Another face of the same photo."""
        return self._show(state.choose_face(known(pending), _index(event)))

    @told
    def crop_by_hand(self, pending: Session | None, x, y, size, roll) -> dict:
        """The part of the photo that the sliders mark."""
        crop = photo.crop_of(known(pending).photo, x, y, size, roll)
        return self._show(state.crop_by_hand(pending, crop))

    @told
    def move_crop(self, pending: Session | None, *sliders) -> dict:
        """The square over the photo, and what it holds."""
        crop = photo.crop_of(known(pending).photo, *sliders)
        return {self.cut: photo.cut(pending, crop), self.photo: photo.marks(pending, crop)}

    @told
    def follow(self, session: Session, own: Session | None) -> dict:
        """The photo of a face that was chosen elsewhere on the page. Coming late, it leaves a newer photo alone."""
        return gr.skip() if session is own else {self.own: session, **self._panel(session)}

    def _show(self, session: Session) -> dict:
        return {self.session: session, self.own: session, self.photo_input: None, **self._panel(session),
                self.address: gr.update(picture=state.link(session, session.settings))}

    def _panel(self, session: Session) -> dict:
        """What the panel shows of a photo, whether or not it has a face."""
        sliders = photo.slider_values(session)
        several = len(session.faces) > 1
        thumbnails = [item(pixels(face.image), f"Face {index + 1}", index == session.index)
                      for index, face in enumerate(session.faces)]
        return {self.pending: session, self.photo: photo.opened(session), self.note: "",
                self.faces: gr.HTML(thumbnails, visible=several),
                self.cut: photo.cut(session, photo.crop_of(session.photo, *sliders)),
                **dict(zip(self.crop, sliders, strict=True))}


def _index(event: gr.EventData) -> int | None:
    """Which thumbnail was clicked, None where the event does not say."""
    return getattr(event, "index", None)
