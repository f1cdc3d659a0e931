"""The Pose & light tab: a live render of the face, turned by dragging it and lit by dragging a ball."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.server.errors import handle_errors
from app.session.session import Session, link_parameters, render_face, require_session
from app.session.settings import LIGHT_PRESETS, POSE_PRESETS, Settings
from app.tabs.shared_state import SharedState
from app.widgets import controls
from app.widgets.event_options import LIVE, PRIVATE
from app.widgets.images import jpeg_url, png_url
from app.widgets.light import ball_url, light_control
from app.widgets.readout import pose_warning
from app.widgets.render import FINAL, Drawn, live_render, redrawn, settle_event
from core.export.visualize import to_uint8

RESET = "Double-click a slider, or press Delete on it, to reset it to the estimated value."


class PoseLight:
    """The tab's components and handlers."""

    def __init__(self, shared: SharedState):
        with gr.Row(elem_id="play"):
            with gr.Column(scale=6, min_width=280, elem_id="turn"):
                self.render = live_render()
                self.pose_warning = gr.HTML(elem_id="pose-warning", elem_classes="warnings", apply_default_css=False)
            with gr.Column(scale=4, min_width=260, elem_id="controls"):
                self._lay_out_controls()
        self.settings = [*self.pose, *self.light, *self.choices]
        """The components whose values are `Settings`."""
        self.session = gr.State()
        """The `Session` that render and controls show; it follows the page's session with a short delay."""
        self.drawn = gr.State()
        """The `Drawn` of the render."""
        self.url = shared.url
        self._connect(shared)

    def _lay_out_controls(self) -> None:
        with gr.Row(elem_classes="aside"):
            gr.HTML("<h4>Pose</h4>", apply_default_css=False)
            gr.Button("Reset pose", size="sm", min_width=80, elem_id="reset-pose")
        self.pose = controls.pose_sliders()
        controls.presets("pose-presets", POSE_PRESETS)
        gr.Button("Frontalize", size="sm", variant="primary", elem_id="frontalize")
        with gr.Row(elem_classes="aside"):
            gr.HTML("<h4>Light</h4>", apply_default_css=False)
            gr.Button("Reset light", size="sm", min_width=80, elem_id="reset-light")
        self.ball = light_control()
        self.light = controls.light_sliders()
        controls.presets("light-presets", LIGHT_PRESETS)
        gr.HTML("<h4>Render</h4>", apply_default_css=False)
        self.choices = controls.render_choices()
        gr.HTML(RESET, elem_classes="credit", apply_default_css=False)

    def _connect(self, shared: SharedState) -> None:
        shown = [self.drawn, self.render, self.ball, self.pose_warning, self.url]
        inputs = [self.session, *self.settings, self.drawn]
        shared.session.change(self.show, [shared.session, *inputs[:-1]], [self.session, *self.settings, *shown],
                              show_progress_on=self.render, **PRIVATE)
        # One event for both, so that a page has one redraw at a time: answers could overtake each other otherwise.
        redraws = [*(control.input for control in self.settings), settle_event(self.render)]
        gr.on(redraws, self.redraw, inputs, shown, **LIVE)
        self.render.save(self.save_render, inputs[:-1], self.render, **LIVE)

    @handle_errors
    def show(self, session: Session, earlier: Session | None, *values) -> dict[Any, Any]:
        """Render and controls of another face; of the same face after refinement, pose and light stay as chosen."""
        settings = session.settings
        if earlier and session.face is earlier.face:
            settings = Settings.of_controls(*values).moved(Settings.of(earlier.factors), settings)
        updates = self._draw(session, settings, FINAL)
        photo = jpeg_url(to_uint8(session.face.full), FINAL)
        estimated = Settings.of(session.factors).to_dict()
        return {self.session: session, **dict(zip(self.settings, settings.values, strict=True)), **updates,
                self.render: updates[self.render] | {"photo": photo, "estimated": estimated}}

    @handle_errors
    def redraw(self, session: Session | None, *controls) -> dict[Any, Any]:
        """The render that the controls ask for: a draft, and the final one once the controls rest."""
        *values, drawn = controls
        session, settings = require_session(session), Settings.of_controls(*values)
        size = drawn.next_size(session, settings)
        return self._draw(session, settings, size) if size else gr.skip()

    @handle_errors
    def save_render(self, session: Session | None, event: gr.EventData, *values) -> dict[Any, Any]:
        """Encode the full-size render as PNG, for download."""
        array = render_face(require_session(session), Settings.of_controls(*values), FINAL)
        return {self.render: gr.update(saved=png_url(array, event.watermark is not False))}

    def _draw(self, session: Session, settings: Settings, size: int) -> dict[Any, Any]:
        """Updates of render, ball, warning and URL for these settings."""
        array = render_face(session, settings, size)
        url = jpeg_url(array) if array.shape[-1] == 3 else png_url(array)
        light = settings.light.to_light(session.factors.light)
        return {self.drawn: Drawn(session, settings, size), self.render: redrawn(url),
                self.ball: ball_url(light), self.pose_warning: pose_warning(settings.pose),
                self.url: gr.update(pose=link_parameters(session, settings))}
