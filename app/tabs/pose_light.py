"""The Pose & light tab: a live render of the face, turned by dragging it and lit by dragging a ball."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import gradio as gr

from app.server.errors import handle_errors
from app.session.session import Session, link_parameters, render_face, require_session
from app.session.settings import FRONT, LIGHT_PRESETS, POSE_PRESETS, LightSettings, Pose, Settings
from app.tabs.shared_state import SharedState
from app.widgets import controls
from app.widgets.event_options import LIVE, PRIVATE
from app.widgets.images import jpeg_url, png_url
from app.widgets.light import ball_url, light_control
from app.widgets.readout import pose_warning
from app.widgets.render import live_render
from core.export.visualize import to_uint8

DRAFT, FINAL = 256, 512
"""Size of the render while a control moves, and once it rests, pixels."""
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
        self.url = shared.url
        self._connect(shared)

    def _lay_out_controls(self) -> None:
        with gr.Row(elem_classes="aside"):
            gr.HTML("<h4>Pose</h4>", apply_default_css=False)
            self.reset_pose = gr.Button("Reset pose", size="sm", min_width=80, elem_id="reset-pose")
        self.pose = controls.pose_sliders()
        self.pose_presets = controls.presets("pose-presets", list(POSE_PRESETS))
        self.frontalize = gr.Button("Frontalize", size="sm", variant="primary", elem_id="frontalize")
        with gr.Row(elem_classes="aside"):
            gr.HTML("<h4>Light</h4>", apply_default_css=False)
            self.reset_light = gr.Button("Reset light", size="sm", min_width=80, elem_id="reset-light")
        self.ball = light_control()
        self.light = controls.light_sliders()
        self.light_presets = controls.presets("light-presets", list(LIGHT_PRESETS))
        gr.HTML("<h4>Render</h4>", apply_default_css=False)
        self.choices = controls.render_choices()
        gr.HTML(RESET, elem_classes="credit", apply_default_css=False)

    def _connect(self, shared: SharedState) -> None:
        shown = [self.render, self.ball, self.pose_warning, self.url]
        inputs = [self.session, *self.settings]
        shared.session.change(self.show, shared.session, [self.session, *self.settings, *shown],
                              show_progress_on=self.render, **PRIVATE)
        gr.on([control.input for control in self.settings], self.redraw, inputs, shown, **LIVE)
        self.render.finish(self.finish, inputs, shown, **LIVE)
        self.render.save(self.save_render, inputs, self.render, **LIVE)
        poses, lights = [*self.pose, *shown], [*self.light, *shown]
        self.frontalize.click(self.turn_to_front, inputs, poses, **LIVE)
        self.reset_pose.click(self.restore_pose, inputs, poses, **LIVE)
        self.pose_presets.select(self.choose_pose, inputs, poses, **LIVE)
        self.reset_light.click(self.restore_light, inputs, lights, **LIVE)
        self.light_presets.select(self.choose_light, inputs, lights, **LIVE)

    @handle_errors
    def show(self, session: Session) -> dict[Any, Any]:
        """Render and controls of another face."""
        settings = session.settings
        updates = self._draw(session, settings, FINAL)
        photo = jpeg_url(to_uint8(session.face.full), FINAL)
        estimated = Settings.of(session.factors).to_dict()
        return {self.session: session, **dict(zip(self.settings, settings.values, strict=True)), **updates,
                self.render: updates[self.render] | {"photo": photo, "estimated": estimated}}

    @handle_errors
    def redraw(self, session: Session | None, *values) -> dict[Any, Any]:
        """A draft while a control moves."""
        return self._draw(require_session(session), Settings.of_controls(*values), DRAFT)

    @handle_errors
    def finish(self, session: Session | None, *values) -> dict[Any, Any]:
        """The final render, once the controls rest."""
        return self._draw(require_session(session), Settings.of_controls(*values), FINAL)

    @handle_errors
    def save_render(self, session: Session | None, event: gr.EventData, *values) -> dict[Any, Any]:
        """The final render as PNG, for download."""
        array = render_face(require_session(session), Settings.of_controls(*values), FINAL)
        return {self.render: gr.update(saved=png_url(array, event.watermark is not False))}

    @handle_errors
    def turn_to_front(self, session: Session | None, *values) -> dict[Any, Any]:
        """The frontal pose."""
        return self._set_pose(require_session(session), FRONT, values)

    @handle_errors
    def restore_pose(self, session: Session | None, *values) -> dict[Any, Any]:
        """The estimated pose."""
        session = require_session(session)
        return self._set_pose(session, Pose.of(session.factors.view), values)

    @handle_errors
    def choose_pose(self, session: Session | None, event: gr.EventData, *values) -> dict[Any, Any]:
        """A preset of the pose."""
        return self._set_pose(require_session(session), list(POSE_PRESETS.values())[event.index], values)

    @handle_errors
    def restore_light(self, session: Session | None, *values) -> dict[Any, Any]:
        """The estimated light."""
        session = require_session(session)
        return self._set_light(session, LightSettings.of(session.factors.light), values)

    @handle_errors
    def choose_light(self, session: Session | None, event: gr.EventData, *values) -> dict[Any, Any]:
        """A preset of the light."""
        return self._set_light(require_session(session), list(LIGHT_PRESETS.values())[event.index], values)

    def _set_pose(self, session: Session, pose: Pose, values: tuple) -> dict[Any, Any]:
        settings = replace(Settings.of_controls(*values), pose=pose)
        return self._draw(session, settings, FINAL) | dict(zip(self.pose, astuple(pose), strict=True))

    def _set_light(self, session: Session, light: LightSettings, values: tuple) -> dict[Any, Any]:
        settings = replace(Settings.of_controls(*values), light=light)
        return self._draw(session, settings, FINAL) | dict(zip(self.light, astuple(light), strict=True))

    def _draw(self, session: Session, settings: Settings, size: int) -> dict[Any, Any]:
        """Updates after every change of a control."""
        array = render_face(session, settings, size)
        url = jpeg_url(array) if array.shape[-1] == 3 else png_url(array)
        light = settings.light.to_light(session.factors.light)
        return {self.render: gr.update(value=url, draft=size < FINAL),
                self.ball: ball_url(light), self.pose_warning: pose_warning(settings.pose),
                self.url: gr.update(pose=link_parameters(session, settings))}
