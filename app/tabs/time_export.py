"""Files of the Time tab: the film of the face that follows, the track, recordings and snapshots."""

from __future__ import annotations

import functools
from collections.abc import Generator, Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.components import Component

from app.server.errors import handle_errors
from app.session.export import new_folder
from app.session.film import DriveSettings, FilmSession
from app.session.live import LiveSession
from app.session.session import Session, require_session
from app.tabs.time_camera import NO_CAMERA, Camera
from app.widgets import time as widget
from app.widgets.assets import file_url
from app.widgets.event_options import LIVE, PRIVATE, QUIET
from app.widgets.images import png_url
from core.errors import FilmUnreadable
from core.export.provenance import CONSENT

SIZES = {"256 px": 256, "512 px": 512}
"""Sides of exported films, pixels."""
SNAPSHOT_SIZE = 512
NO_FILM = "There is no film yet: drop one here, or open the example film."
BUTTONS = {"mp4": "MP4", "gif": "GIF", "csv": "Track, CSV", "parquet": "Track, Parquet"}
"""Labels of the files, by kind."""
RECORDING = "recording"
"""Kind of the film that the camera has made."""
NEED_CONSENT = ("mp4", "gif", RECORDING)
"""Kinds that make a face move."""


class FilmExport:
    """The components and handlers of the files."""

    def __init__(self):
        self.agreed = gr.State(False)
        """Whether the visitor has agreed to the sentence about consent, once for the page."""
        self.pending = gr.State()
        """Kind of the file that waits for it."""
        gr.HTML("<h4>Export</h4>", apply_default_css=False)
        self.size = gr.Radio(list(SIZES), value="256 px", label="Size", elem_id="time-size")
        with gr.Row(elem_classes="buttons"):
            self.mark = gr.Checkbox(True, label="Watermark", container=False, min_width=80, elem_id="time-mark")
            self.sound = gr.Checkbox(True, label="The film's sound", container=False, min_width=80,
                                     elem_id="time-sound")
        with gr.Row(elem_classes="buttons", elem_id="time-export"):
            self.buttons = {kind: gr.Button(label, size="sm", min_width=60, elem_id=f"time-{kind}")
                            for kind, label in BUTTONS.items()}
        with gr.Column(visible=False, elem_id="time-consent") as self.consent:
            gr.HTML(f"<p>{CONSENT}</p>", elem_classes="warnings", apply_default_css=False)
            self.agree = gr.Button("They have agreed", size="sm", variant="primary", elem_id="time-agree")
        self.saved = widget.saved()
        self.stop = gr.Button("Cancel", size="sm", visible=False, elem_id="time-stop")

    def connect(self, camera: Camera, hero: gr.HTML, session: gr.State, film: gr.State, second: gr.State,
                span: gr.State, settings: list[Component]) -> None:
        """Read the parts of the tab."""
        self.hero = hero
        inputs = [self.agreed, camera.live, film, session, span, self.size, self.mark, self.sound, *settings]
        outputs, own = [self.saved, self.stop, self.consent, self.pending], {"concurrency_id": "time-export", **QUIET}
        agreed = self.agree.click(lambda: (True, gr.Column(visible=False)), None, [self.agreed, self.consent], **QUIET)
        runs = [button.click(functools.partial(self.write_file, kind), inputs, outputs, concurrency_limit=1, **own)
                for kind, button in self.buttons.items()]
        runs += [hero.record(self.record, inputs, outputs, concurrency_limit=1, **own),
                 agreed.then(self.write_file, [self.pending, *inputs], outputs, concurrency_limit=1, **own)]
        for run in runs:
            run.failure(self.reset, None, outputs, **PRIVATE)
        self.stop.click(self.reset, None, outputs, cancels=[*runs], queue=False, **QUIET)
        hero.snapshot(self.snapshot, [camera.live, session, film, second, self.mark, *settings], hero, **LIVE)

    def write_file(self, kind: str | None, agreed: bool, live: LiveSession | None, film: FilmSession | None,
               session: Session | None, span: tuple[float, float], size: str, mark: bool, sound: bool,
               *settings) -> Iterator[dict[Any, Any]]:
        """Write one file, and report the progress; films wait for the visitor's agreement."""
        if kind is None:
            return
        if kind in NEED_CONSENT and not agreed:
            yield {self.consent: gr.Column(visible=True), self.pending: kind}
            return
        steps = _steps(kind, live, film, session, span, SIZES.get(size, min(SIZES.values())), mark is True,
                       sound is True, settings)
        try:
            while isinstance(step := handle_errors(next)(steps), str):
                yield {self.saved: escape(step), self.stop: gr.Button(visible=True)}
        finally:
            steps.close()
        yield self.reset() | {self.saved: gr.update(value="", file={"url": file_url(step), "name": step.name})}

    def record(self, agreed: bool, live: LiveSession | None, film: FilmSession | None, session: Session | None,
               span: tuple[float, float], size: str, mark: bool, sound: bool, event: gr.EventData,
               *settings) -> Iterator[dict[Any, Any]]:
        """Begin a recording of the face that follows the camera; or end it, and write it."""
        if live is not None:
            live.record(event.on is True)
        if event.on is not True:
            yield from self.write_file(RECORDING, agreed, live, film, session, span, size, mark, sound, *settings)

    @handle_errors
    def snapshot(self, live: LiveSession | None, session: Session | None, film: FilmSession | None, second: float,
                 mark: bool, event: gr.EventData, *settings) -> dict[Any, Any]:
        """Encode the face that is shown as PNG, for download."""
        if getattr(event, "live", False) is True and live is not None:
            image = live.image
        elif film is not None:
            image = film.render_at(second, require_session(session), DriveSettings.of_controls(*settings),
                                   SNAPSHOT_SIZE)
        else:
            raise FilmUnreadable(NO_FILM)
        return {self.hero: gr.update(saved=png_url(image, mark is not False))}

    def reset(self) -> dict[Any, Any]:
        """Nothing is being exported."""
        return {self.saved: "", self.stop: gr.Button(visible=False), self.pending: None}


def _steps(kind: str, live: LiveSession | None, film: FilmSession | None, session: Session | None,
           span: tuple[float, float], size: int, mark: bool, sound: bool, settings: tuple) -> Generator[str | Path]:
    """Messages on the progress of one file, and its path."""
    if kind == RECORDING:
        if live is None:
            raise FilmUnreadable(NO_CAMERA)
        yield live.write(new_folder() / "recording.mp4", mark)
    elif film is None:
        raise FilmUnreadable(NO_FILM)
    else:
        amounts = DriveSettings.of_controls(*settings)
        yield from film.export(kind, require_session(session), amounts, span, size, mark, sound, new_folder())
