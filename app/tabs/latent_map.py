"""The Latent map tab: faces arranged by their codes, the current face among them, and the faces in between."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.server.errors import handle_errors
from app.session import latent_map as maps
from app.session.export import new_folder
from app.session.order import DONOR, FACE, newest
from app.session.session import Session, require_session
from app.tabs.shared_state import SharedState
from app.widgets import latent_map as widget
from app.widgets.event_options import LIVE, PRIVATE, QUIET
from app.widgets.images import jpeg_url
from app.widgets.uploads import uploaded_path, uploaded_paths
from core.export.visualize import to_uint8
from core.latent_map.map import LatentMap

HINT = "Move over the map: the face at the pointer is decoded, also between the points."
CAPTIONS = {"identity": "Decoded: the identity at this position, the expression of {}",
            "expression": "Decoded: the expression at this position, the identity of {}",
            "code": "Decoded: the whole code at this position"}
CURRENT_FACE = "the current face"
PREVIEW_SIZE = 224
"""Pixels of the decoded face at the pointer."""
DOWNLOAD = "() => setTimeout(() => document.querySelector('#map-download').click(), 300)"


class MapTab:
    """The tab's components and handlers."""

    def __init__(self, shared: SharedState):
        self.own = gr.State()
        """The map of the visitor's own photos; None stands for the bundled one."""
        self.chosen = gr.State()
        """Number of the chosen face; None stands for the current face of the page."""
        self.selected = gr.State([])
        """Numbers of the faces in the lasso."""
        self.opened = gr.State(False)
        """Whether the tab was opened; before that, nothing is computed for it."""
        self.files = gr.State([])
        """The folder's files. Gradio would check an upload button's value again with every progress message."""
        self.plots = widget.plots()
        self.credit = gr.HTML(elem_classes="credit", apply_default_css=False)
        with gr.Row(elem_id="map-below"):
            with gr.Column(scale=4, min_width=230):
                self.preview = widget.preview(HINT)
            with gr.Column(scale=4, min_width=200):
                self.about = widget.side_panel("map-about")
                self._lay_out_buttons()
            with gr.Column(scale=6, min_width=300):
                self.near = widget.side_panel("map-near", "thumbnails")
        self._connect(shared)

    def _lay_out_buttons(self) -> None:
        self.renders = gr.Checkbox(label="With renders", container=False, min_width=80, elem_id="map-renders")
        with gr.Row(elem_classes="buttons"):
            self.subject = _button("Show this face", "map-subject", interactive=False)
            self.donor = _button("Use as expression source", "map-donor", interactive=False)
        with gr.Row(elem_classes="buttons"):
            self.export = _button("Export all", "map-export")
            self.save = _button("Save map", "map-save", visible=False)
            with gr.Row(elem_classes="buttons") as self.start:
                self.folder = gr.UploadButton("Map my own folder", file_count="directory", size="sm",
                                              elem_id="map-folder")
                self.open = gr.UploadButton("Open map", file_types=[".npz"], size="sm", elem_id="map-open")
            self.cancel = _button("Cancel", "map-cancel", visible=False)
            self.back = _button("Back to the gallery", "map-back", visible=False)
        # Set after the constructor, which warns about file types of a folder. The page then lists files of other types.
        self.folder.file_types = ["image"]
        # Gradio's own preprocess leaves an empty file per upload. An update of the button would restore it.
        self.folder.preprocess = uploaded_paths
        self.open.preprocess = uploaded_path
        self.progress = widget.side_panel("map-progress", script="map_progress")
        self.download = gr.DownloadButton(visible="hidden", elem_id="map-download")

    def _connect(self, shared: SharedState) -> None:
        inputs = [shared.session, self.own, self.renders]
        follows = [self.plots, self.chosen, self.near, self.about, self.subject, self.donor]
        shown = [*follows, self.preview, self.opened, self.credit, self.selected, self.export, self.save, self.back,
                 self.renders]
        for event in (self.plots.open, self.renders.input):
            event(self.show, inputs, shown, show_progress_on=self.plots, **PRIVATE)
        shared.session.change(self.follow, [*inputs, self.opened], follows, **LIVE)
        self.plots.select(self.choose, inputs, follows, **LIVE)
        self.plots.point(self.point, [*inputs, self.chosen], self.preview, **LIVE)
        self.plots.lasso(self.select, None, [self.selected, self.export], **LIVE)
        for event, state, part in ((self.plots.show, shared.session, FACE),
                                   (self.plots.use_expression, shared.donor, DONOR)):
            event(newest(part)(self.open_face), [self.own, self.renders], state, trigger_mode="always_last", **PRIVATE)
        for button, handler in ((self.export, self.write_faces), (self.save, self.write_map)):
            button.click(handler, [self.own, self.renders, self.selected], self.download, **PRIVATE).success(
                None, None, None, js=DOWNLOAD, **PRIVATE)
        self._connect_folder(shared, shown)

    def _connect_folder(self, shared: SharedState, shown: list) -> None:
        working = [self.progress, self.start, self.cancel]
        mapping = self.folder.upload(self.wait, self.folder, [self.files, *working], queue=False, **QUIET).then(
            self.map_folder, [self.files, shared.session], [self.own, *working, *shown], concurrency_limit=1, **QUIET)
        mapping.failure(self.stop, None, working, **PRIVATE)
        self.open.upload(self.open_map, [self.open, shared.session], [self.own, self.progress, *shown], **PRIVATE)
        self.cancel.click(self.stop, None, working, cancels=[mapping], queue=False, **QUIET)
        self.back.click(self.leave, [shared.session, self.renders], [self.own, self.progress, *shown], **PRIVATE)

    # --- The map ----------------------------------------------------------------------------------------------

    @handle_errors
    def show(self, session: Session | None, own: LatentMap | None, renders: bool) -> dict[Any, Any]:
        """Show a map."""
        shown, session = _map(own, renders), require_session(session)
        updates = self._mark(shown, session, None)
        own_only = gr.Button(visible=own is not None)
        face = jpeg_url(to_uint8(session.factors.canon_image[0]), PREVIEW_SIZE)
        return updates | {
            self.plots: updates[self.plots] | {"value": _drawing(shown) if own else _gallery_drawing(bool(renders))},
            self.opened: True, self.selected: [], self.preview: gr.update(value=face, caption=HINT),
            self.credit: escape(shown.credit), self.export: "Export all", self.save: own_only, self.back: own_only,
            self.renders: gr.Checkbox(visible=own is None)}

    @handle_errors
    def follow(self, session: Session | None, own: LatentMap | None, renders: bool, opened: bool) -> dict[Any, Any]:
        """Mark the page's face on the map."""
        return self._mark(_map(own, renders), require_session(session), None) if opened else gr.skip()

    @handle_errors
    def choose(self, session: Session | None, own: LatentMap | None, renders: bool,
               event: gr.EventData) -> dict[Any, Any]:
        """Choose a face of the map."""
        shown = _map(own, renders)
        updates = self._mark(shown, require_session(session), _number(shown, event.index))
        updates[self.plots]["marks"]["number"] = getattr(event, "number", None)
        return updates

    @handle_errors
    def point(self, session: Session | None, own: LatentMap | None, renders: bool, chosen: int | None,
              event: gr.EventData) -> dict[Any, Any]:
        """Decode the face at the pointer's position."""
        shown, codes = _map(own, renders), require_session(session).codes
        subject, name = (codes, CURRENT_FACE) if chosen is None else (shown.codes[chosen], shown.names[chosen])
        kind = event.kind if event.kind in shown.kinds else "code"
        image = maps.render_at(shown, (float(event.x), float(event.y)), kind, subject)
        caption = escape(CAPTIONS[kind].format(name))
        return {self.preview: gr.update(value=jpeg_url(image, PREVIEW_SIZE), caption=caption)}

    @handle_errors
    def select(self, event: gr.EventData) -> dict[Any, Any]:
        """Select the faces in the lasso; an empty lasso selects all."""
        count = len(event.indices)
        label = f"Export {count} face{'s' if count > 1 else ''}" if count else "Export all"
        return {self.selected: event.indices, self.export: label}

    def _mark(self, shown: LatentMap, session: Session, chosen: int | None) -> dict[Any, Any]:
        """Updates for the face that is chosen."""
        codes, usable = session.codes, gr.Button(interactive=chosen is not None)
        return {self.plots: gr.update(marks=widget.marks(shown, codes, chosen)), self.chosen: chosen,
                self.near: widget.neighbours(shown, codes, chosen), self.about: widget.description(shown, chosen),
                self.subject: usable, self.donor: usable}

    # --- From the map to the page and to files -----------------------------------------------------------------

    @handle_errors
    def open_face(self, own: LatentMap | None, renders: bool, event: gr.EventData) -> Session:
        """Analyze the chosen face as a photo, for the page or as the donor."""
        return maps.open_face(_map(own, renders), _number(_map(own, renders), event.index))

    @handle_errors
    def write_faces(self, own: LatentMap | None, renders: bool, selected: list[int]) -> dict[Any, Any]:
        """Export names, columns, positions, codes and images of the selected faces, or of all."""
        shown, path = _map(own, renders), new_folder() / "faces.zip"
        shown.export([_number(shown, one) for one in selected] or list(range(len(shown))), path)
        return {self.download: gr.DownloadButton(value=str(path))}

    @handle_errors
    def write_map(self, own: LatentMap | None, renders: bool, _selected: list[int]) -> dict[Any, Any]:
        """Save the visitor's own map as a file that `LatentMap.read` reads."""
        path = new_folder() / "map.npz"
        _map(own, renders).write(path)
        return {self.download: gr.DownloadButton(value=str(path))}

    @handle_errors
    def open_map(self, path: str, session: Session | None) -> dict[Any, Any]:
        """Show a map that was saved here, or made with `python -m core map`."""
        made = maps.read_map(path)
        return self.show(session, made, False) | {self.own: made, self.progress: ""}

    # --- A visitor's own folder --------------------------------------------------------------------------------

    @handle_errors
    def wait(self, files: list[str]) -> dict[Any, Any]:
        """Queue a folder, since one is mapped at a time. It can be cancelled while it waits."""
        return {self.files: maps.take_files(files), self.progress: "<p>Waiting for its turn …</p>",
                self.cancel: gr.Button(visible=True), self.start: gr.Row(visible=False)}

    def map_folder(self, files: list[Path], session: Session | None) -> Iterator[dict[Any, Any]]:
        """Make a map of the visitor's photos and report the progress."""
        work = maps.map_photos(files)
        try:
            while isinstance(step := handle_errors(next)(work), str):
                yield {self.progress: f"<p>{escape(step)}</p>"}
        finally:
            work.close()
        made, refused = step
        yield (self.show(session, made, False) | {self.own: made} | self.stop()
               | {self.progress: widget.left_out(refused)})

    def stop(self) -> dict[Any, Any]:
        """Reset the controls when no work is running."""
        return {self.progress: "", self.cancel: gr.Button(visible=False), self.start: gr.Row(visible=True)}

    @handle_errors
    def leave(self, session: Session | None, renders: bool) -> dict[Any, Any]:
        """Return to the bundled map and delete the visitor's own."""
        return self.show(session, None, renders) | {self.own: None, self.progress: ""}


def _button(label: str, elem_id: str, visible: bool = True, interactive: bool = True) -> gr.Button:
    return gr.Button(label, size="sm", min_width=80, elem_id=elem_id, visible=visible, interactive=interactive)


@functools.cache
def _gallery_drawing(renders: bool) -> dict[str, Any]:
    return _drawing(maps.gallery(renders))


def _drawing(shown: LatentMap) -> dict[str, Any]:
    return widget.drawing(shown, maps.found_directions(shown))


def _map(own: LatentMap | None, renders: bool) -> LatentMap:
    return own or maps.gallery(bool(renders))


def _number(shown: LatentMap, index: Any) -> int:
    """A face's number as the page sends it, or 0 where it is invalid."""
    return index if isinstance(index, int) and 0 <= index < len(shown) else 0
