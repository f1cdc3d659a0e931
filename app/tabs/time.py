"""The Time tab: a film's face over time, and the page's face, which follows the film or the camera."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from app.server.errors import handle_errors
from app.session.film import DriveSettings, FilmSession, track_film
from app.session.latent_map import take_files
from app.session.session import Session, require_session
from app.tabs.shared_state import SharedState
from app.tabs.time_camera import Camera
from app.tabs.time_export import FilmExport
from app.widgets import time as widget
from app.widgets.controls import slider
from app.widgets.event_options import LIVE, PRIVATE, QUIET
from app.widgets.images import data_url, jpeg_url
from app.widgets.uploads import uploaded_path
from core.arguments import MAX_STRENGTH
from core.config import ASSETS
from core.errors import FilmUnreadable
from core.export.visualize import to_uint8

EXAMPLE = ASSETS / "film" / "example.mp4"
SIZE = 256
"""Side of the renders on the page, pixels."""
ABOUT = """<p>The face of a film of at most 30 seconds drives the photo's: its expression, its pose and, if you want,
its light. Films are not kept, see About.</p>"""
OTHERS = "<p>{} frames may show somebody else, or the person badly; the first at {:.1f} s.</p>"


class TimeTab:
    """The tab's components and handlers."""

    def __init__(self, shared: SharedState, tab: gr.Tab):
        self.session = shared.session
        self.opened = gr.State(False)
        """Whether the tab was opened; before that, nothing is computed for it."""
        self.film = gr.State()
        """The `FilmSession` that is shown, or None."""
        self.taken = gr.State()
        """Path of the film that is being followed."""
        self.second = gr.State(0.0)
        """Time of the cursor."""
        self.span = gr.State((0.0, math.inf))
        """First and last second that are exported."""
        with gr.Row(elem_id="time-play"):
            with gr.Column(scale=6, min_width=280, elem_id="time-turn"):
                self.hero = widget.hero()
            with gr.Column(scale=4, min_width=260, elem_id="time-controls"):
                self._lay_out_film()
                self._lay_out_settings()
                export = FilmExport()
        self.note = gr.HTML(elem_id="time-note", elem_classes="warnings", apply_default_css=False)
        self.timeline = widget.timeline()
        self._connect(tab)
        self._connect_film()
        camera = Camera(self.hero, self.session, self.settings)
        export.connect(camera, self.hero, self.session, self.film, self.second, self.span, self.settings)

    def _lay_out_film(self) -> None:
        gr.HTML("<h4>Film</h4>", apply_default_css=False)
        with gr.Column(min_width=80) as self.start:
            self.upload = gr.File(label="Film", file_types=["video"], show_label=False, height=84, elem_id="time-film")
            self.example = gr.Button("Example film", size="sm", min_width=80, elem_id="time-example")
        # An update of the component would restore gradio's own preprocess: handlers only ever set None.
        self.upload.preprocess = uploaded_path
        self.progress = gr.HTML(elem_id="time-progress", elem_classes="credit", apply_default_css=False)
        self.cancel = gr.Button("Cancel", size="sm", visible=False, elem_id="time-cancel")
        gr.HTML(ABOUT, elem_classes="credit", apply_default_css=False)

    def _lay_out_settings(self) -> None:
        gr.HTML("<h4>How much is followed</h4>", apply_default_css=False)
        self.settings = [slider(0, MAX_STRENGTH, 1, 0.05, "Expression", "time-expression"),
                         slider(0, 1, 1, 0.05, "Pose", "time-pose"), slider(0, 1, 0, 0.05, "Light", "time-light"),
                         gr.Checkbox(True, label="Only changes from the film's neutral frame", container=False,
                                     elem_id="time-relative")]
        """The components whose values are `DriveSettings`."""

    def _connect(self, tab: gr.Tab) -> None:
        drawn, shown = [self.session, self.film, self.second, *self.settings], [self.opened, self.hero]
        tab.select(self.open, drawn, shown, show_progress_on=self.hero, **PRIVATE)
        self.session.change(self.follow, [self.opened, *drawn], self.hero, **LIVE)
        gr.on([control.input for control in self.settings], self.redraw, drawn, self.hero, **LIVE)
        self.hero.stopped(self.redraw, drawn, self.hero, **LIVE)
        self.timeline.scrub(self.scrub, [self.session, self.film, *self.settings], [self.second, self.hero], **LIVE)
        self.timeline.span(self.choose_span, None, self.span, **LIVE)

    def _connect_film(self) -> None:
        working = [self.start, self.cancel, self.progress]
        found = [self.film, self.timeline, self.second, self.span, self.note, *working]
        for event, handler, inputs in ((self.upload.upload, self.take_upload, [self.upload]),
                                       (self.example.click, self.take_example, [])):
            taken = event(handler, inputs, [self.taken, self.upload, *working], queue=False, **QUIET)
            following = taken.success(self.open_film, self.taken, found, concurrency_limit=1,
                                      concurrency_id="time-film", **QUIET)
            following.failure(self.stop, None, working, **PRIVATE)
            following.success(self.redraw, [self.session, self.film, self.second, *self.settings], self.hero, **QUIET)
            self.cancel.click(self.stop, None, working, cancels=[following], queue=False, **QUIET)

    # --- The face that follows ------------------------------------------------------------------------------------

    @handle_errors
    def open(self, session: Session | None, *drawn) -> dict[Any, Any]:
        """Show the page's face when the tab is opened."""
        return {self.opened: True, self.hero: _drawn(require_session(session), *drawn)}

    @handle_errors
    def follow(self, opened: bool, session: Session | None, *drawn) -> dict[Any, Any]:
        """Show another face of the page; nothing is rendered before the tab is opened."""
        return {self.hero: _drawn(require_session(session), *drawn)} if opened else gr.skip()

    @handle_errors
    def redraw(self, session: Session | None, *drawn) -> dict[Any, Any]:
        """Show the face with other settings, or after the camera."""
        return {self.hero: _drawn(require_session(session), *drawn)}

    @handle_errors
    def scrub(self, session: Session | None, film: FilmSession | None, event: gr.EventData,
              *settings) -> dict[Any, Any]:
        """Show the face at the cursor."""
        second = widget.seconds(event, "second")
        return {self.second: second, self.hero: _drawn(require_session(session), film, second, *settings)}

    @handle_errors
    def choose_span(self, event: gr.EventData) -> tuple[float, float]:
        """Choose the part of the film that is exported."""
        return widget.seconds(event, "begin"), widget.seconds(event, "end")

    # --- A film ---------------------------------------------------------------------------------------------------

    @handle_errors
    def take_upload(self, path: str | None) -> dict[Any, Any]:
        """Take over an uploaded film; it is followed when its turn comes, and can be cancelled before."""
        try:
            return self._taken(take_files([path or ""])[0])
        except FileNotFoundError as error:
            raise FilmUnreadable("The film is no longer there: open it again.") from error

    @handle_errors
    def take_example(self) -> dict[Any, Any]:
        """Take the example film."""
        return self._taken(EXAMPLE)

    def _taken(self, path: Path) -> dict[Any, Any]:
        return {self.taken: path, self.upload: None, self.progress: "Waiting for its turn …",
                self.cancel: gr.Button(visible=True), self.start: gr.Column(visible=False)}

    def open_film(self, path: Path) -> Iterator[dict[Any, Any]]:
        """Follow the film's face and report the progress; then show its timeline."""
        steps = track_film(path)
        try:
            while isinstance(step := handle_errors(next)(steps), str):
                yield {self.progress: escape(step)}
        finally:
            steps.close()
        other, neutral = step.track.disagreeing, step.track.frames.time[step.track.neutral].item()
        yield {self.film: step, self.second: neutral, self.span: (0.0, math.inf),
               self.timeline: gr.update(value=widget.timeline_data(step), visible=True),
               self.note: OTHERS.format(len(other), other[0]) if other else "", **self.stop()}

    def stop(self) -> dict[Any, Any]:
        """Reset the controls when no film is being followed."""
        return {self.progress: "", self.cancel: gr.Button(visible=False), self.start: gr.Column(visible=True)}


def _drawn(session: Session, film: FilmSession | None, second: float, *settings) -> dict:
    """Update of the hero: the face as the film moves it at a time; the photo where there is no film."""
    face = str(id(session))
    if film is None:
        return gr.update(value=jpeg_url(to_uint8(session.face.full), SIZE), driver="", face=face)
    image = film.render_at(second, session, DriveSettings.of_controls(*settings), SIZE)
    return gr.update(value=jpeg_url(image), driver=data_url(film.image_at(second), "jpeg"), face=face)
