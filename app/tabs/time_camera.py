"""The camera of the Time tab: it drives the page's face, frame by frame."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from app.server.errors import handle_errors
from app.session.film import DriveSettings
from app.session.live import LiveSession
from app.session.session import Session, require_session
from app.widgets import time as widget
from app.widgets.camera import frame_bytes
from app.widgets.event_options import QUIET
from app.widgets.images import jpeg_url
from core.errors import FilmUnreadable

NO_CAMERA = "The camera was off for a long time: start it again."


class Camera:
    """Handlers of the camera's events of the widget `hero`."""

    def __init__(self, hero: gr.HTML, session: gr.State, settings: list[Component]):
        self.hero = hero
        self.live = gr.State()
        """The `LiveSession` of the camera, or None."""
        hero.start(self.start, [session, *settings], [self.live, hero], **QUIET)
        # Two frames at once: while one is rendered, the next one is analyzed.
        hero.frame(self.show_frame, [self.live, session, *settings], hero, trigger_mode="multiple",
                   concurrency_limit=2, **QUIET)
        hero.neutral(self.set_neutral, self.live, None, **QUIET)

    @handle_errors
    def start(self, session: Session | None, *settings) -> dict[Any, Any]:
        """Prepare the page's face for the camera's frames."""
        live = LiveSession(require_session(session), DriveSettings.of_controls(*settings))
        return {self.live: live, self.hero: gr.update(ready=str(id(live)), second=0)}

    @handle_errors
    def show_frame(self, live: LiveSession | None, session: Session | None, event: gr.EventData,
                   *settings) -> dict[Any, Any]:
        """The page's face as a camera frame moves it; the page then sends the next one."""
        second = widget.seconds(event, "second")
        if live is None:
            raise FilmUnreadable(NO_CAMERA)
        seen = live.follow(second, frame_bytes(event), require_session(session), DriveSettings.of_controls(*settings))
        if seen is None:
            return {self.hero: gr.update(second=second, message="No face in view.")}
        image = live.render(second, seen)
        return gr.skip() if image is None else {self.hero: gr.update(value=jpeg_url(image), second=second, message="")}

    @handle_errors
    def set_neutral(self, live: LiveSession | None) -> None:
        """Count all changes from the camera's latest frame on."""
        if live is not None:
            live.set_neutral()
