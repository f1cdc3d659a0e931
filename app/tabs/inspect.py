"""The Inspect tab: a photo goes in; its factors come out as an equation, as a live picture and in 3-D."""

from __future__ import annotations

import tempfile
from pathlib import Path

import gradio as gr
import numpy as np
import torch
from gradio.utils import get_upload_folder

from app import state
from app.errors import told
from app.state import Session
from app.widgets import equation, notes, photo
from app.widgets.controls import FRONT, Lamp, Pose, light_sliders, pose_sliders, values
from app.widgets.images import jpeg_url, pixels, png_url
from app.widgets.light import ball_url, light_ball
from app.widgets.picture import picture
from app.widgets.strip import item, strip
from core.errors import FaceNotFound
from core.photo import read_photo
from core.render import draw, draw_layer
from core.types import Light, View

OWN_DETAIL, DECODED = "Photo", "Decoded"
BACKGROUNDS = {"Photo": "photo", "White": (1.0, 1.0, 1.0), "Black": (0.0, 0.0, 0.0), "Clear": None}
NO_FACE = "No face was found in this photo. Mark one by hand below it, or choose a photo with a larger face."
EARLIER = "<p>No face was found in the photo opened last: this is still the earlier one.</p>"
EXPIRED = "This photo has been forgotten, as nobody used the page for long: please choose it again."
CAMERA = (90, 90, 2.7)
"""Straight in front of the face, which fills the view."""


class Inspect:
    """The tab's components, and the handlers that read and write them.

    Handlers return a dictionary of what changes; what they leave out stays as it is.
    """

    def __init__(self, demo: gr.Blocks):
        self.session = gr.State()
        """The `Session` that is shown."""
        self.pending = gr.State()
        """The `Session` of the photo opened last, perhaps without a face: what a crop by hand cuts."""
        with gr.Row(elem_id="panels"):
            with gr.Column(scale=4, min_width=260, elem_id="source"):
                self._lay_out_source()
            with gr.Column(scale=17, min_width=300, elem_id="work"):
                self.equation = equation.equation()
                self.warnings = gr.HTML(elem_id="warnings", apply_default_css=False)
                self.readout = gr.HTML(elem_id="readout", apply_default_css=False)
                with gr.Row(elem_id="play"):
                    with gr.Column(scale=6, min_width=280, elem_id="turn"):
                        self.picture = picture()
                        self.caution = gr.HTML(elem_id="caution", apply_default_css=False)
                    with gr.Column(scale=5, min_width=240, elem_id="controls"):
                        self._lay_out_controls()
                    with gr.Column(scale=6, min_width=280, elem_id="solid"):
                        self._lay_out_solid()
        self._connect(demo)

    def _lay_out_source(self) -> None:
        self.photo_input = photo.photo_input()
        gr.HTML("Photos are not kept, see About.", elem_classes="credit", apply_default_css=False)
        self.photo = photo.photo_view()
        self.faces = strip("faces", visible=False)
        with gr.Accordion("Crop by hand", open=False) as self.crop_panel:
            with gr.Column(elem_id="crop"):
                self.crop = photo.crop_sliders()
                with gr.Row(elem_classes="aside"):
                    self.cut = gr.HTML(elem_id="cut", apply_default_css=False)
                    self.use_crop = gr.Button("Use this crop", size="sm", elem_id="use-crop")
        gr.HTML("<h4>Examples</h4>", apply_default_css=False)
        self.examples = strip("examples", [item(read_photo(one.path), one.title) for one in state.examples()])
        gr.HTML(state.examples()[0].credit, elem_classes="credit", apply_default_css=False)

    def _lay_out_controls(self) -> None:
        gr.HTML("<h4>Pose</h4>", apply_default_css=False)
        self.pose = pose_sliders()
        with gr.Row(elem_classes="buttons"):
            self.frontalize = gr.Button("Frontalize", size="sm", variant="primary", min_width=80, elem_id="frontalize")
            self.reset_pose = gr.Button("Reset pose", size="sm", min_width=80, elem_id="reset-pose")
        gr.HTML("<h4>Light</h4>", apply_default_css=False)
        with gr.Row(elem_classes="aside"):
            self.ball = light_ball()
            self.reset_light = gr.Button("Reset light", size="sm", min_width=80, elem_id="reset-light")
        self.light = light_sliders()
        gr.HTML("<h4>Picture</h4>", apply_default_css=False)
        self.options = [
            gr.Radio([OWN_DETAIL, DECODED], value=OWN_DETAIL, label="Detail", elem_id="detail"),
            gr.Radio(list(BACKGROUNDS), value="Photo", label="Background", elem_id="background"),
            gr.Radio([256, 512], value=512, label="Pixels", elem_id="size"),
        ]

    def _lay_out_solid(self) -> None:
        self.model3d = gr.Model3D(label="3-D", show_label=False, camera_position=CAMERA, height=380, interactive=False,
                                  elem_id="model3d")
        with gr.Row(elem_classes="tools"):
            gr.HTML("Drag to turn, scroll to zoom", apply_default_css=False)
            self.glb = gr.DownloadButton("Save GLB", size="sm", elem_id="glb", interactive=False, min_width=80)

    def _connect(self, demo: gr.Blocks) -> None:
        opened = [self.session, self.pending, self.photo, self.photo_input, self.faces, self.crop_panel, *self.crop,
                  self.cut]
        live = [self.picture, self.ball, self.caution]
        shown = [*opened, self.equation, self.readout, self.warnings, *self.pose, *self.light, *live]
        settings = [self.session, *self.pose, *self.light, *self.options]

        def opens(event, handler, inputs):
            done = event(handler, [*inputs, *self.options], shown, api_visibility="private",
                         show_progress_on=[self.equation, self.picture])
            done.success(self.build_mesh, [self.session, self.pending], [self.model3d, self.glb],
                         api_visibility="private", show_progress_on=self.model3d)
            return done

        opens(demo.load, self.open_first, [])
        opens(self.examples.select, self.open_example, [])
        opens(self.photo_input.input, self.open_photo, [self.photo_input]).failure(
            lambda: None, None, self.photo_input, api_visibility="private")
        for choice in (self.faces, self.photo):
            opens(choice.select, self.choose_face, [self.pending])
        opens(self.use_crop.click, self.crop_by_hand, [self.pending, *self.crop])

        quick = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "always_last"}
        gr.on([slider.input for slider in self.crop], self.move_crop, [self.pending, *self.crop],
              [self.photo, self.cut], **quick)
        gr.on([control.input for control in (*self.pose, *self.light, *self.options)], self.redraw, settings, live,
              **quick)
        self.picture.save(self.save_picture, settings, self.picture, **quick)
        self.frontalize.click(self.turn_to_front, settings, [*self.pose, *live], **quick)
        self.reset_pose.click(self.restore_pose, settings, [*self.pose, *live], **quick)
        self.reset_light.click(self.restore_light, settings, [*self.light, *live], **quick)

    # --- A photo, a face --------------------------------------------------------------------------------------

    @told
    def open_first(self, *options) -> dict:
        """The first screen: an example, analysed."""
        return self._show(state.open_example(0), *options)

    @told
    def open_example(self, event: gr.EventData, *options) -> dict:
        """Another example."""
        return self._show(state.open_example(event.index), *options)

    @told
    def open_photo(self, path: str | None, *options) -> dict:
        """The visitor's own photo. Where no face is found, it waits to be cropped and the earlier result stays."""
        if path is None:
            return {self.photo_input: None}
        session = state.open_photo(path)
        if session.faces:
            return self._show(session, *options)
        gr.Warning(NO_FACE)
        return self._open(session) | {self.crop_panel: gr.Accordion(open=True), self.warnings: EARLIER}

    @told
    def choose_face(self, pending: Session | None, event: gr.EventData, *options) -> dict:
        """Another face of the same photo."""
        return self._show(state.choose_face(_known(pending), event.index), *options)

    @told
    def crop_by_hand(self, pending: Session | None, x, y, size, roll, *options) -> dict:
        """The part of the photo that the sliders mark."""
        crop = photo.crop_of(_known(pending).photo, x, y, size, roll)
        return self._show(state.crop_by_hand(pending, crop), *options)

    @told
    def move_crop(self, pending: Session | None, *sliders) -> dict:
        """The square over the photo, and what it holds."""
        crop = photo.crop_of(_known(pending).photo, *sliders)
        return {self.cut: photo.cut(pending, crop), self.photo: photo.marks(pending, crop)}

    def _open(self, session: Session) -> dict:
        """What changes with the photo, whether or not it has a face."""
        sliders = photo.slider_values(session)
        several = len(session.faces) > 1
        thumbnails = [item(pixels(face.image), f"Face {index + 1}", index == session.index)
                      for index, face in enumerate(session.faces)]
        return {self.pending: session, self.photo_input: None, self.photo: photo.opened(session),
                self.faces: gr.HTML(thumbnails, visible=several),
                self.cut: photo.cut(session, photo.crop_of(session.photo, *sliders)),
                **dict(zip(self.crop, sliders, strict=True))}

    def _show(self, session: Session, *options) -> dict:
        """What changes with the face."""
        pose, lamp = Pose.of(session.factors.view), Lamp.of(session.factors.light)
        original = jpeg_url(pixels(session.face.full), 512)
        updates = self._open(session) | self._set(self.pose, pose) | self._set(self.light, lamp)
        updates |= self._draw(session, pose, lamp, *options)
        return updates | {
            self.session: session,
            self.equation: equation.draw(session),
            self.readout: notes.readout(session),
            self.warnings: notes.warnings(session),
            self.picture: gr.HTML(updates[self.picture], photo=original),
        }

    @told
    def build_mesh(self, session: Session | None, pending: Session | None) -> dict:
        """The face as GLB, in the viewer and to save; the earlier one stays where the photo had no face."""
        if pending is not session:
            return gr.skip()
        path = Path(tempfile.mkdtemp(dir=get_upload_folder())) / "latentface.glb"
        state.write_mesh(_known(session), path)
        return {self.model3d: str(path), self.glb: gr.DownloadButton(value=str(path), interactive=True)}

    # --- The live picture -------------------------------------------------------------------------------------

    @told
    def redraw(self, session: Session | None, *settings) -> dict:
        """The picture for where the sliders are."""
        return self._draw(_known(session), Pose(*settings[:3]), Lamp(*settings[3:7]), *settings[7:])

    @told
    def save_picture(self, session: Session | None, *settings) -> dict:
        """The same picture without loss, for the visitor to keep."""
        view, light = _chosen(_known(session), Pose(*settings[:3]), Lamp(*settings[3:7]))
        return {self.picture: gr.HTML(saved=png_url(_render(session, view, light, *settings[7:])))}

    @told
    def turn_to_front(self, session: Session | None, *settings) -> dict:
        """The face straight on."""
        return self._set(self.pose, FRONT) | self.redraw(session, *values(FRONT), *settings[3:])

    @told
    def restore_pose(self, session: Session | None, *settings) -> dict:
        """The photo's own pose."""
        pose = Pose.of(_known(session).factors.view)
        return self._set(self.pose, pose) | self.redraw(session, *values(pose), *settings[3:])

    @told
    def restore_light(self, session: Session | None, *settings) -> dict:
        """The photo's own light."""
        lamp = Lamp.of(_known(session).factors.light)
        return self._set(self.light, lamp) | self.redraw(session, *settings[:3], *values(lamp), *settings[7:])

    def _draw(self, session: Session, pose: Pose, lamp: Lamp, *options) -> dict:
        """What changes at every move of a slider."""
        view, light = _chosen(session, pose, lamp)
        drawn = _render(session, view, light, *options)
        url = jpeg_url(drawn) if drawn.shape[-1] == 3 else png_url(drawn)
        return {self.picture: url, self.ball: ball_url(light), self.caution: notes.caution(pose)}

    @staticmethod
    def _set(sliders: list[gr.Slider], setting: Pose | Lamp) -> dict:
        return dict(zip(sliders, values(setting), strict=True))


def _chosen(session: Session, pose: Pose, lamp: Lamp) -> tuple[View, Light]:
    """What the sliders stand for."""
    return pose.view(session.factors.view), lamp.light(session.factors.light)


@torch.inference_mode()
def _render(session: Session, view: View, light: Light, detail: str, background: str, size: int) -> np.ndarray:
    """The live picture, (size, size, 3 or 4) uint8."""
    face = session.detailed if detail == OWN_DETAIL else session.decoded
    if BACKGROUNDS[background] is None:
        image = torch.cat(draw_layer(face, view, light, size), 1)
    else:
        image = draw(face, view, light, size, BACKGROUNDS[background])
    return pixels(image[0])


def _known(session: Session | None) -> Session:
    """The session, which is gone when a page was left open for long."""
    if session is None:
        raise FaceNotFound(EXPIRED)
    return session
