"""The sections of controls beside the live render."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from app.session.session import model
from app.session.settings import LIGHT_PRESETS, NEUTRAL, OTHER, OWN, POSE_PRESETS
from app.widgets import controls
from app.widgets import swap as widget
from app.widgets.controls import slider
from app.widgets.section import section_header
from app.widgets.semantics import semantic_sliders
from app.widgets.uploads import uploaded_path
from core.arguments import MAX_STRENGTH
from core.edits import MAX_SEED, Edits
from core.model.diffusion import SEED

FIRST = ("smile", "jaw open", "brows up", "blink", "pucker", "frown")
"""Expressions that are shown before the list is opened."""
RESET = "Double-click a slider, or press Delete on it, to reset it."


class StudioControls:
    """The components, section by section."""

    def __init__(self) -> None:
        self.headers: list[gr.HTML] = []
        """Headers of the sections; their event `reset` names the section."""
        self.identity_names = {one.name for one in model().semantics if one.part == "identity"}
        self._lay_out_expression()
        self._lay_out_identity()
        self._lay_out_pose()
        self._lay_out_light()
        self._lay_out_background()
        self.seed = slider(0, MAX_SEED, SEED, 1, "Seed", "swap-seed")
        self.seed.unrender()  # the pane that explains it shows it
        self.values: list[Component] = [
            *self.pose, *self.light, *self.choices, self.expressions, self.semantics, self.locked, self.resemblance,
            self.source, self.strength, self.depth, self.seed]
        """The components whose values are `app.session.settings.Controls`."""

    def _section(self, name: str, title: str, is_open: bool) -> gr.Column:
        column = f"{name}-controls"
        self.headers.append(section_header(name, title, is_open, column))
        return gr.Column(elem_id=column, elem_classes="section")

    def _lay_out_expression(self) -> None:
        with self._section("expression", "Expression", True):
            found = [one for one in model().semantics if one.part == "expression"]
            found.sort(key=lambda one: FIRST.index(one.name) if one.name in FIRST else len(FIRST))
            self.expressions = semantic_sliders("expressions", found, len(FIRST))
            self.source = gr.Radio([OWN, OTHER, NEUTRAL], value=OWN, label="Source", elem_id="swap-source")
            self.donors = widget.faces("swap-donors", widget.example_thumbnails())
            with gr.Row(elem_classes="aside"):
                self.upload = gr.UploadButton("From a photo", file_types=["image"], size="sm", elem_id="swap-upload")
                self.swap_roles = gr.Button("Swap roles", size="sm", elem_id="swap-roles")
            self.upload.preprocess = uploaded_path
            self.depth = slider(0, MAX_STRENGTH, 1, 0.05, "Depth", "swap-depth")
            self.depth.visible = "hidden"
            self.strength = slider(0, MAX_STRENGTH, 1, 0.05, "Strength", "swap-albedo")

    def _lay_out_identity(self) -> None:
        with self._section("identity", "Identity", False):
            found = [one for one in model().semantics if one.part == "identity"]
            self.semantics = semantic_sliders("semantics", found, len(found))
            with gr.Row(elem_classes="aside"):
                self.locked = gr.Checkbox(True, label="Lock identity", container=False, elem_id="lock-identity")
                self.surprise = gr.Button("Surprise me", size="sm", elem_id="surprise")
            gr.HTML("Blend in another face", elem_classes="credit", apply_default_css=False)
            self.identities = widget.faces("identity-donors", widget.example_thumbnails())
            self.resemblance = slider(0, 1, Edits.resemblance, 0.05, "Strength", "resemblance")

    def _lay_out_pose(self) -> None:
        with self._section("pose", "Pose", True):
            self.pose = controls.pose_sliders()
            controls.presets("pose-presets", POSE_PRESETS)

    def _lay_out_light(self) -> None:
        with self._section("light", "Light", False):
            self.light = controls.light_sliders()
            controls.presets("light-presets", LIGHT_PRESETS)

    def _lay_out_background(self) -> None:
        with self._section("background", "Background", False):
            self.choices = controls.render_choices()
            self.detail = self.choices[0]
            gr.HTML(RESET, elem_classes="credit", apply_default_css=False)
