"""The Latent map tab: faces laid out by their codes, the visitor's own among them, and what lies between them."""

from __future__ import annotations

from html import escape
from pathlib import Path

import gradio as gr

from app.server.errors import told
from app.session import latent_map as maps
from app.session.export import new_folder
from app.session.session import Session, known
from app.tabs.shared_state import Page
from app.widgets import latent_map as widget
from app.widgets.images import jpeg_url, pixels
from core.latent_map.map import LatentMap

HINT = "Move over the map: the face that lies at the pointer is decoded, between the points too."
MIXED = {"identity": "Decoded: the identity of this place, the expression of {}",
         "expression": "Decoded: the expression of this place, the identity of {}",
         "code": "Decoded: the whole code of this place"}
OWN_FACE = "the face of the page"
DOWNLOAD = "() => setTimeout(() => document.querySelector('#map-download').click(), 300)"


class MapTab:
    """The tab's components, and the handlers that read and write them.

    Handlers return a dictionary of what changes; what they leave out stays as it is.
    """

    def __init__(self, page: Page):
        self.own = gr.State()
        """The map of the visitor's own photos; None is the bundled one."""
        self.chosen = gr.State()
        """Number of the chosen face; None is the face of the page's session."""
        self.enclosed = gr.State([])
        """Numbers of the faces within the lasso."""
        self.seen = gr.State(False)
        """Whether the tab has been looked at: before that, nothing is worked out for it."""
        self.files = gr.State([])
        """The folder's files. Gradio checks the button's own value anew at every word on how far it is."""
        self.plots = widget.plots()
        self.credit = gr.HTML(elem_classes="credit", apply_default_css=False)
        with gr.Row(elem_id="map-below"):
            with gr.Column(scale=4, min_width=230):
                self.preview = widget.preview(HINT)
            with gr.Column(scale=4, min_width=200):
                self.about = widget.about()
                self._lay_out_buttons()
            with gr.Column(scale=6, min_width=300):
                self.near = widget.near()
        self._connect(page)

    def _lay_out_buttons(self) -> None:
        small = {"size": "sm", "min_width": 80}
        with gr.Row(elem_classes="buttons"):
            self.subject = gr.Button("Show this face", interactive=False, elem_id="map-subject", **small)
            self.donor = gr.Button("Lend its expression", interactive=False, elem_id="map-donor", **small)
        with gr.Row(elem_classes="buttons"):
            self.export = gr.Button("Export all", elem_id="map-export", **small)
            self.save = gr.Button("Save map", visible=False, elem_id="map-save", **small)
            with gr.Column(min_width=80) as self.start:
                self.folder = gr.UploadButton("Map my own folder", file_count="directory", size="sm",
                                              elem_id="map-folder")
            self.cancel = gr.Button("Cancel", visible=False, elem_id="map-cancel", **small)
            self.back = gr.Button("Back to the gallery", visible=False, elem_id="map-back", **small)
        self.folder.file_types = ["image"]  # the page then names what else is there and leaves it; Python would warn
        # Gradio's own leaves an empty file behind for each one sent; to update the button would bring it back.
        self.folder.preprocess = lambda payload: [file.path for file in payload or []]
        self.progress = widget.progress()
        self.download = gr.DownloadButton(visible="hidden", elem_id="map-download")

    def _connect(self, page: Page) -> None:
        inputs = [page.session, self.own]
        follows = [self.plots, self.chosen, self.near, self.about, self.subject, self.donor]
        shown = [*follows, self.preview, self.seen, self.credit, self.enclosed, self.export, self.save, self.back]
        private = {"api_visibility": "private"}
        quick = {**private, "show_progress": "hidden", "trigger_mode": "always_last"}
        self.plots.open(self.show, inputs, shown, show_progress_on=self.plots, **private)
        page.session.change(self.follow, [*inputs, self.seen], follows, **quick)
        self.plots.select(self.choose, inputs, follows, **quick)
        self.plots.point(self.point, [*inputs, self.chosen], self.preview, **quick)
        self.plots.lasso(self.enclose, None, [self.enclosed, self.export], **quick)
        for event, state in ((self.plots.show, page.session), (self.plots.lend, page.donor)):
            event(self.open_face, self.own, state, trigger_mode="always_last", **private)
        for button, handler in ((self.export, self.write_faces), (self.save, self.write_map)):
            button.click(handler, [self.own, self.enclosed], self.download, **private).success(
                None, None, None, js=DOWNLOAD, **private)
        working = [self.progress, self.start, self.cancel]
        mapping = self.folder.upload(
            self.wait, self.folder, [self.files, *working], queue=False, show_progress="hidden", **private).then(
            self.map_folder, [self.files, page.session], [self.own, *working, *shown], show_progress="hidden",
            concurrency_limit=1, **private)
        mapping.failure(self.stop, None, working, **private)
        self.cancel.click(self.stop, None, working, cancels=[mapping], queue=False, show_progress="hidden", **private)
        self.back.click(self.leave, page.session, [self.own, self.progress, *shown], **private)

    # --- The map ----------------------------------------------------------------------------------------------

    @told
    def show(self, session: Session | None, own: LatentMap | None) -> dict:
        """A map, drawn anew."""
        shown = _map(own)
        drawn = widget.drawing(shown) if own else maps.gallery_drawing()
        updates = self._mark(shown, known(session), None)
        own_only = gr.Button(visible=own is not None)
        own_face = jpeg_url(pixels(session.factors.canon_image[0]), maps.SIZE)
        return updates | {self.plots: updates[self.plots] | {"value": drawn}, self.seen: True, self.enclosed: [],
                          self.preview: gr.update(value=own_face, caption=HINT),
                          self.credit: escape(shown.credit), self.export: "Export all", self.save: own_only,
                          self.back: own_only}

    @told
    def follow(self, session: Session | None, own: LatentMap | None, seen: bool) -> dict:
        """The face of the page, where it lands."""
        return self._mark(_map(own), known(session), None) if seen else gr.skip()

    @told
    def choose(self, session: Session | None, own: LatentMap | None, event: gr.EventData) -> dict:
        """A face of the map."""
        shown = _map(own)
        updates = self._mark(shown, known(session), _number(shown, event.index))
        updates[self.plots]["marks"]["number"] = getattr(event, "number", None)
        return updates

    @told
    def point(self, session: Session | None, own: LatentMap | None, chosen: int | None, event: gr.EventData) -> dict:
        """The face at the pointer's place."""
        shown, codes = _map(own), known(session).factors.codes
        subject, name = (codes, OWN_FACE) if chosen is None else (shown.codes[chosen], shown.names[chosen])
        kind = event.kind if event.kind in shown.kinds else "code"
        image = maps.face_at(shown, (float(event.x), float(event.y)), kind, subject)
        return {self.preview: gr.update(value=jpeg_url(image), caption=escape(MIXED[kind].format(name)))}

    @told
    def enclose(self, event: gr.EventData) -> dict:
        """The faces within the lasso; outside of any lasso all of them."""
        count = len(event.indices)
        label = f"Export {count} face{'s' if count > 1 else ''}" if count else "Export all"
        return {self.enclosed: event.indices, self.export: label}

    def _mark(self, shown: LatentMap, session: Session, chosen: int | None) -> dict:
        """What changes with the face that is chosen."""
        codes, usable = session.factors.codes, gr.Button(interactive=chosen is not None)
        return {self.plots: gr.update(marks=widget.marks(shown, codes, chosen)), self.chosen: chosen,
                self.near: widget.neighbours(shown, codes, chosen), self.about: widget.description(shown, chosen),
                self.subject: usable, self.donor: usable}

    # --- From the map to the page and to files -----------------------------------------------------------------

    @told
    def open_face(self, own: LatentMap | None, event: gr.EventData) -> Session:
        """The chosen face as a photo, to be shown everywhere or to lend its expression."""
        return maps.open_face(_map(own), _number(_map(own), event.index))

    @told
    def write_faces(self, own: LatentMap | None, enclosed: list[int]) -> dict:
        """Names, columns, positions, codes and pictures of the faces within the lasso, or of all."""
        shown, path = _map(own), new_folder() / "faces.zip"
        shown.export([_number(shown, one) for one in enclosed] or list(range(len(shown))), path)
        return {self.download: gr.DownloadButton(value=str(path))}

    @told
    def write_map(self, own: LatentMap | None, _enclosed: list[int]) -> dict:
        """The visitor's own map, as `LatentMap.read` reads it."""
        path = new_folder() / "map.npz"
        _map(own).write(path)
        return {self.download: gr.DownloadButton(value=str(path))}

    # --- A folder of one's own ---------------------------------------------------------------------------------

    @told
    def wait(self, files: list[str]) -> dict:
        """One folder at a time: until it is this one's turn, it can be given up."""
        return {self.files: maps.take(files), self.progress: "<p>Waiting for its turn …</p>",
                self.cancel: gr.Button(visible=True), self.start: gr.Column(visible=False)}

    def map_folder(self, files: list[Path], session: Session | None):
        """A map of the visitor's photos, with word of how far it has come."""
        work = maps.map_photos(files)
        try:
            while isinstance(step := told(next)(work), str):
                yield {self.progress: f"<p>{escape(step)}</p>"}
        finally:
            work.close()
        made, refused = step
        yield self.show(session, made) | {self.own: made} | self.stop() | {self.progress: widget.left_out(refused)}

    def stop(self) -> dict:
        """No work goes on."""
        return {self.progress: "", self.cancel: gr.Button(visible=False), self.start: gr.Column(visible=True)}

    @told
    def leave(self, session: Session | None) -> dict:
        """The bundled map again; the visitor's own is forgotten."""
        return self.show(session, None) | {self.own: None, self.progress: ""}


def _map(own: LatentMap | None) -> LatentMap:
    return own or maps.gallery()


def _number(shown: LatentMap, index) -> int:
    """A face's number as the page sends it, or the first one's where it makes no sense."""
    return index if isinstance(index, int) and 0 <= index < len(shown) else 0

