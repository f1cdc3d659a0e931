"""The Pose & light tab: one live picture of the face, turned by dragging it and lit by dragging a ball."""

from __future__ import annotations

from dataclasses import astuple, replace

import gradio as gr

from app.server.errors import told
from app.session import session as state
from app.session.session import Session, known
from app.session.settings import FRONT, LAMPS, POSES, Lamp, Pose, Settings
from app.tabs.shared_state import Page
from app.widgets import controls, notes
from app.widgets.images import jpeg_url, pixels, png_url
from app.widgets.light import ball_url, light_ball
from app.widgets.picture import picture

DRAFT, FINAL = 256, 512
"""Pixels of the picture while a control moves, and once it rests."""
RESET = "Double-click a slider, or press Delete on it, to take it back to what was found in the photo."


class PoseLight:
    """The tab's components, and the handlers that read and write them.

    Handlers return a dictionary of what changes; what they leave out stays as it is.
    """

    def __init__(self, page: Page):
        with gr.Row(elem_id="play"):
            with gr.Column(scale=6, min_width=280, elem_id="turn"):
                self.picture = picture()
                self.caution = gr.HTML(elem_id="caution", elem_classes="warnings", apply_default_css=False)
            with gr.Column(scale=4, min_width=260, elem_id="controls"):
                self._lay_out_controls()
        self.settings = [*self.pose, *self.light, *self.choices]
        """The components whose values are `Settings`."""
        self.session = gr.State()
        """The `Session` of the picture, to which the controls belong; the page's comes a moment before it."""
        self.address = page.address
        self._connect(page)

    def _lay_out_controls(self) -> None:
        with gr.Row(elem_classes="aside"):
            gr.HTML("<h4>Pose</h4>", apply_default_css=False)
            self.reset_pose = gr.Button("Reset pose", size="sm", min_width=80, elem_id="reset-pose")
        self.pose = controls.pose_sliders()
        self.pose_presets = controls.presets("pose-presets", list(POSES))
        self.frontalize = gr.Button("Frontalize", size="sm", variant="primary", elem_id="frontalize")
        with gr.Row(elem_classes="aside"):
            gr.HTML("<h4>Light</h4>", apply_default_css=False)
            self.reset_light = gr.Button("Reset light", size="sm", min_width=80, elem_id="reset-light")
        self.ball = light_ball()
        self.light = controls.light_sliders()
        self.light_presets = controls.presets("light-presets", list(LAMPS))
        gr.HTML("<h4>Picture</h4>", apply_default_css=False)
        self.choices = controls.picture_choices()
        gr.HTML(RESET, elem_classes="credit", apply_default_css=False)

    def _connect(self, page: Page) -> None:
        live = [self.picture, self.ball, self.caution, self.address]
        inputs = [self.session, *self.settings]
        page.session.change(self.show, page.session, [self.session, *self.settings, *live], api_visibility="private",
                            show_progress_on=self.picture)
        quick = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
        gr.on([control.input for control in self.settings], self.redraw, inputs, live, **quick)
        self.picture.finish(self.finish, inputs, live, **quick)
        self.picture.save(self.save_picture, inputs, self.picture, **quick)
        turns, lights = [*self.pose, *live], [*self.light, *live]
        self.frontalize.click(self.turn_to_front, inputs, turns, **quick)
        self.reset_pose.click(self.restore_pose, inputs, turns, **quick)
        self.pose_presets.select(self.choose_pose, inputs, turns, **quick)
        self.reset_light.click(self.restore_light, inputs, lights, **quick)
        self.light_presets.select(self.choose_light, inputs, lights, **quick)

    @told
    def show(self, session: Session) -> dict:
        """Another face: its controls, and its picture."""
        settings = session.settings
        updates = self._draw(session, settings, FINAL)
        original = jpeg_url(pixels(session.face.full), FINAL)
        own = Settings.of(session.factors).flat()
        return {self.session: session, **dict(zip(self.settings, settings.values, strict=True)), **updates,
                self.picture: updates[self.picture] | {"photo": original, "own": own}}

    @told
    def redraw(self, session: Session | None, *values) -> dict:
        """A quick picture for where the controls are."""
        return self._draw(known(session), Settings.of_controls(*values), DRAFT)

    @told
    def finish(self, session: Session | None, *values) -> dict:
        """The same picture with all its pixels, once the controls rest."""
        return self._draw(known(session), Settings.of_controls(*values), FINAL)

    @told
    def save_picture(self, session: Session | None, event: gr.EventData, *values) -> dict:
        """The same picture without loss, for the visitor to keep."""
        drawn = state.picture(known(session), Settings.of_controls(*values), FINAL)
        return {self.picture: gr.update(saved=png_url(drawn, event.stamp is not False))}

    @told
    def turn_to_front(self, session: Session | None, *values) -> dict:
        """The face straight on."""
        return self._turn(known(session), FRONT, values)

    @told
    def restore_pose(self, session: Session | None, *values) -> dict:
        """The photo's own pose."""
        return self._turn(known(session), Pose.of(session.factors.view), values)

    @told
    def choose_pose(self, session: Session | None, event: gr.EventData, *values) -> dict:
        """One of the poses to choose from."""
        return self._turn(known(session), list(POSES.values())[event.index], values)

    @told
    def restore_light(self, session: Session | None, *values) -> dict:
        """The photo's own light."""
        return self._light(known(session), Lamp.of(session.factors.light), values)

    @told
    def choose_light(self, session: Session | None, event: gr.EventData, *values) -> dict:
        """One of the lights to choose from."""
        return self._light(known(session), list(LAMPS.values())[event.index], values)

    def _turn(self, session: Session, pose: Pose, values) -> dict:
        settings = replace(Settings.of_controls(*values), pose=pose)
        return self._draw(session, settings, FINAL) | dict(zip(self.pose, astuple(pose), strict=True))

    def _light(self, session: Session, lamp: Lamp, values) -> dict:
        settings = replace(Settings.of_controls(*values), lamp=lamp)
        return self._draw(session, settings, FINAL) | dict(zip(self.light, astuple(lamp), strict=True))

    def _draw(self, session: Session, settings: Settings, size: int) -> dict:
        """What changes with every move of a control."""
        drawn = state.picture(session, settings, size)
        url = jpeg_url(drawn) if drawn.shape[-1] == 3 else png_url(drawn)
        light = settings.lamp.light(session.factors.light)
        return {self.picture: gr.update(value=url, draft=size < FINAL),
                self.ball: ball_url(light), self.caution: notes.caution(settings.pose),
                self.address: gr.update(picture=state.link(session, settings))}
