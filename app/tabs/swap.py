"""The Swap tab: the face with another face's expression, and how the model separates identity from expression."""

from __future__ import annotations

from dataclasses import astuple
from typing import Any

import gradio as gr
from gradio.events import Dependency

from app.server.errors import handle_errors
from app.session.order import DONOR, FACE, newest
from app.session.session import (
    Session,
    examples,
    linked_example,
    model,
    open_example,
    require_session,
)
from app.session.settings import DECODED
from app.session.swap import (
    MAX_SEED,
    NEUTRAL,
    OTHER,
    Pair,
    SwapStrength,
    denoising,
    open_face,
    require_pair,
)
from app.tabs.shared_state import SharedState
from app.tabs.swap_grid import Grid
from app.widgets import swap as widget
from app.widgets.controls import detail_choice, slider
from app.widgets.event_options import LIVE, PRIVATE, QUIET
from app.widgets.images import jpeg_url, png_url
from app.widgets.render import FINAL, Drawn, redrawn, settle_event
from app.widgets.uploads import uploaded_path
from core.arguments import MAX_STRENGTH
from core.export.visualize import to_uint8
from core.model.code_ops import Kind
from core.model.diffusion import SAMPLES, SEED

STEPS, STEP_SIZE = 7, 192
"""Renders of an interpolation, both ends included, and their size, pixels."""
INTERPOLATE: dict[str, Kind] = {"Expression": "expression", "Identity": "identity", "Both": "code"}
DECODED_ONLY = "To interpolate the identity too, set Detail to Decoded."
DENOISING = """<p>The diffusion model finds the identity by denoising in five steps, conditioned on the photo. These are
the decoded steps, from the front. Another seed starts from other noise.</p>"""
UNCERTAINTY = f"""<p>Uncertainty across seeds: standard deviation of {SAMPLES} identities from different seeds.</p>"""


class SwapTab:
    """The tab's components and handlers."""

    def __init__(self, shared: SharedState, tab: gr.Tab):
        self.shared = shared
        self.pair = gr.State()
        """The `Pair` that is shown; None until the tab is opened."""
        self.drawn = gr.State()
        """The `Drawn` of the render."""
        self.pane = gr.State("interpolation")
        """Which of the inner tabs is open."""
        with gr.Row(elem_id="play"):
            with gr.Column(scale=6, min_width=280, elem_id="swap-turn"):
                self.render = widget.live_render()
            with gr.Column(scale=4, min_width=260, elem_id="swap-controls"):
                self._lay_out_controls()
        with gr.Tabs():
            with gr.Tab("Interpolation") as interpolation:
                with gr.Column(elem_id="swap-interpolation-controls"):
                    self.what = gr.Radio(["Expression"], value="Expression", label="Interpolate", elem_id="swap-what")
                self.decoded_only = gr.HTML(DECODED_ONLY, elem_classes="credit", apply_default_css=False)
                self.interpolation = widget.pane("swap-interpolation")
            with gr.Tab("Grid"):
                Grid(shared, self.pair, self.detail)
            with gr.Tab("Denoising") as denoising:
                self._lay_out_denoising()
        self.controls = [self.seed, *self.settings]
        """The components whose values are the seed and `SwapStrength`."""
        self._connect(tab)
        self._connect_panes(interpolation, denoising)

    def _lay_out_controls(self) -> None:
        self.faces = widget.pair()
        with gr.Row(elem_classes="aside"):
            self.upload = gr.UploadButton("Expression from a photo", file_types=["image"], size="sm",
                                          elem_id="swap-upload")
            self.swap_roles = gr.Button("Swap roles", size="sm", elem_id="swap-roles")
        self.upload.preprocess = uploaded_path
        self.donors = widget.faces("swap-donors", widget.example_thumbnails())
        gr.HTML("<h4>Expression</h4>", apply_default_css=False)
        self.depth = slider(0, MAX_STRENGTH, 1, 0.05, "Depth", "swap-depth")
        self.depth.visible = "hidden"
        self.strength = slider(0, MAX_STRENGTH, 1, 0.05, "Strength", "swap-albedo")
        """Strength of the expression at full resolution; of its albedo, and labelled so, where the swap is decoded."""
        source = gr.Radio([OTHER, NEUTRAL], value=OTHER, label="Source", elem_id="swap-source")
        self.detail = detail_choice("swap-detail")
        self.settings = [self.depth, self.strength, source, self.detail]
        """The components whose values are `SwapStrength`."""

    def _lay_out_denoising(self) -> None:
        gr.HTML(DENOISING, elem_classes="credit", apply_default_css=False)
        with gr.Column(elem_id="swap-denoising-controls"):
            self.seed = slider(0, MAX_SEED, SEED, 1, "Seed", "swap-seed")
        self.steps = widget.pane("swap-steps")
        gr.HTML(UNCERTAINTY, elem_classes="credit", apply_default_css=False)
        self.uncertainty = widget.pane("swap-uncertainty")

    def _connect(self, tab: gr.Tab) -> None:
        session, donor, url = self.shared.session, self.shared.donor, self.shared.url
        inputs = [session, donor, self.pair, self.seed, *self.settings]
        render = [self.drawn, self.render, url]
        shown = [*render, self.pair, self.faces, self.donors]
        tab.select(self.open, inputs, shown, show_progress_on=self.render, **PRIVATE)
        gr.on([session.change, donor.change, self.seed.input], self.follow, inputs, shown,
              show_progress_on=self.render, trigger_mode="always_last", **PRIVATE)
        drawn = [self.pair, self.drawn, *self.settings]
        # One event for both, see PoseLight.
        redraws = [*(control.input for control in self.settings), settle_event(self.render)]
        gr.on(redraws, self.redraw, drawn, render, **LIVE)
        self.detail.change(self.offer_controls, self.detail, [self.depth, self.strength, self.what, self.decoded_only],
                           **LIVE)
        self.render.save(self.save_render, [self.pair, *self.settings], self.render, **LIVE)
        self.donors.select(self.choose_donor, None, donor, show_progress_on=self.faces, trigger_mode="always_last",
                           **PRIVATE)
        self.upload.upload(self.open_donor, self.upload, donor, show_progress_on=self.faces, **PRIVATE)
        self.swap_roles.click(self.exchange, self.pair, [session, donor], **LIVE)

    def _connect_panes(self, interpolation: gr.Tab, denoising: gr.Tab) -> None:
        for name, tab in (("interpolation", interpolation), ("denoising", denoising)):
            tab.select(lambda name=name: name, None, self.pane, **LIVE)
        panes = [self.interpolation, self.steps, self.uncertainty]
        gr.on([self.pair.change, self.pane.change, self.what.input, self.detail.input], self.fill,
              [self.pair, self.pane, self.what, self.detail], panes, show_progress_on=panes,
              trigger_mode="always_last", **PRIVATE)

    def restored_after(self, loaded: Dependency) -> Dependency:
        """Restore the swap from the page's URL once the page is loaded; returns the event that follows."""
        return loaded.then(self.restore, None, [self.shared.donor, *self.settings[:3]], **QUIET)

    # --- The live render --------------------------------------------------------------------------------------

    @handle_errors
    def restore(self, request: gr.Request) -> dict[Any, Any]:
        """Read donor and strength from the page's URL."""
        given = request.query_params
        if given.keys().isdisjoint({"donor", *SwapStrength().link_parameters()}):
            return gr.skip()
        donor = linked_example(given.get("donor"))
        strength = dict(zip(self.settings[:3], astuple(SwapStrength.parse(given)), strict=False))
        return {self.shared.donor: None if donor is None else open_example(donor), **strength}

    @handle_errors
    def open(self, session: Session | None, donor: Session | None, pair: Pair | None, *rest) -> dict[Any, Any]:
        """Show the swap when the tab is opened, unless it is shown already."""
        if pair and pair.subject is session and donor in (None, pair.donor):
            return gr.skip()
        return self._show(require_session(session), donor, *rest)

    @handle_errors
    def follow(self, session: Session | None, donor: Session | None, pair: Pair | None, *rest) -> dict[Any, Any]:
        """Show the swap of another face, donor or seed; nothing is rendered before the tab is opened."""
        return self._show(require_session(session), donor, *rest) if pair else gr.skip()

    @handle_errors
    def redraw(self, pair: Pair | None, drawn: Drawn, *values) -> dict[Any, Any]:
        """The render that the controls ask for: a draft, and the final one once the controls rest."""
        pair, strength = require_pair(pair), SwapStrength(*values)
        size = drawn.next_size(pair, strength)
        return self._draw(pair, strength, size) if size else gr.skip()

    @handle_errors
    def save_render(self, pair: Pair | None, event: gr.EventData, *values) -> dict[Any, Any]:
        """Encode the full-size render as PNG, for download."""
        array = require_pair(pair).render(SwapStrength(*values), FINAL)
        return {self.render: gr.update(saved=png_url(array, event.watermark is not False))}

    def offer_controls(self, detail: str) -> dict[Any, Any]:
        """Show the controls of the detail: one strength at full resolution; depth, albedo and identity if decoded."""
        decoded = detail == DECODED
        return {self.depth: gr.update(visible=True if decoded else "hidden"),
                self.strength: gr.update(label="Albedo" if decoded else "Strength"),
                self.what: gr.update(choices=list(INTERPOLATE) if decoded else ["Expression"], value="Expression"),
                self.decoded_only: gr.update(visible=not decoded)}

    @newest(DONOR)
    @handle_errors
    def choose_donor(self, event: gr.EventData) -> Session:
        """Use the expression of an example."""
        return open_example(event.index)

    @newest(DONOR)
    @handle_errors
    def open_donor(self, path: str | None) -> Session | dict:
        """Use the expression of the largest face of a photo."""
        return open_face(path) if path else gr.skip()

    @newest(FACE, DONOR, edits=True)
    @handle_errors
    def exchange(self, pair: Pair | None) -> tuple[Session, Session]:
        """Swap the roles of the two faces."""
        pair = require_pair(pair)
        return pair.donor, pair.subject

    def _show(self, session: Session, donor: Session | None, seed: float, *values) -> dict[Any, Any]:
        pair = Pair.of(session, donor, int(seed))
        donor = pair.donor
        updates = self._draw(pair, SwapStrength(*values), FINAL)
        photo, other = (jpeg_url(to_uint8(one.face.full), FINAL) for one in (session, donor))
        title = "another photo" if donor.example is None else examples()[donor.example].title
        return {**updates, self.pair: pair, self.render: updates[self.render] | {"photo": photo},
                self.faces: {"subject": photo, "donor": other, "title": title},
                self.donors: widget.example_thumbnails(donor.example)}

    def _draw(self, pair: Pair, strength: SwapStrength, size: int) -> dict[Any, Any]:
        donor = None if pair.donor.example is None else pair.donor.example + 1
        return {self.drawn: Drawn(pair, strength, size), self.render: redrawn(jpeg_url(pair.render(strength, size))),
                self.shared.url: gr.update(swap={"donor": donor, **strength.link_parameters()})}

    # --- The tabs below: interpolation and denoising ----------------------------------------------------------

    @handle_errors
    def fill(self, pair: Pair | None, pane: str, what: str, detail: str) -> dict[Any, Any]:
        """Fill the open inner tab."""
        if pair is None:
            return gr.skip()
        if pane == "interpolation":
            part = INTERPOLATE[what] if detail == DECODED else "expression"
            renders = pair.interpolation(part, detail, STEPS, STEP_SIZE)
            captions = [f"{step / (STEPS - 1):.0%}" for step in range(STEPS)]
            return {self.interpolation: widget.steps(renders, captions)}
        steps = denoising(pair.subject, pair.seed)
        return {self.steps: widget.steps(steps, [f"step {number}" for number in range(1, len(steps) + 1)]),
                self.uncertainty: widget.uncertainty(model().uncertainty(pair.subject.factors, pair.seed))}
