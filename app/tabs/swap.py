"""The panes on two faces: interpolation, a grid of expressions, and how the model finds the identity."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.server.errors import handle_errors
from app.session.session import Session, examples, model, require_session
from app.session.swap import Pair, denoising
from app.tabs.shared_state import SharedState
from app.tabs.swap_grid import Grid
from app.widgets import swap as widget
from app.widgets.event_options import LIVE, PRIVATE
from app.widgets.images import jpeg_url
from core.edits import DECODED
from core.export.visualize import to_uint8
from core.model.code_ops import Kind
from core.model.diffusion import SAMPLES

STEPS, STEP_SIZE = 7, 192
"""Renders of an interpolation, both ends included, and their size, pixels."""
PHOTO_SIZE = 256
"""Pixels of the two faces."""
INTERPOLATE: dict[str, Kind] = {"Expression": "expression", "Identity": "identity", "Both": "code"}
DECODED_ONLY = "To interpolate the identity too, set Detail to Decoded."
DENOISING = """<p>The diffusion model finds the identity by denoising in five steps, conditioned on the photo. These are
the decoded steps, from the front. Another seed starts from other noise.</p>"""
UNCERTAINTY = f"""<p>Uncertainty across seeds: standard deviation of {SAMPLES} identities from different seeds.</p>"""


class SwapPanes:
    """The components and handlers of the panes; nothing is computed before one of them is opened."""

    def __init__(self, shared: SharedState, seed: gr.Slider, detail: gr.Radio):
        """Args: the page's state, and two controls of the studio; the seed is shown here."""
        with gr.Tab("Interpolation") as interpolation:  # the states too: gr.Tabs counts everything between its tabs
            self.pair = gr.State()
            """The `Pair` that is shown; None until a pane is opened."""
            self.pane = gr.State("")
            """Which of the panes is open."""
            self.faces = widget.pair()
            with gr.Column(elem_id="swap-interpolation-controls"):
                self.what = gr.Radio(["Expression"], value="Expression", label="Interpolate", elem_id="swap-what")
            self.decoded_only = gr.HTML(DECODED_ONLY, elem_classes="credit", apply_default_css=False)
            self.interpolation = widget.pane("swap-interpolation")
        with gr.Tab("Grid") as grid:
            Grid(shared, self.pair, detail)
        with gr.Tab("Denoising") as denoise:
            gr.HTML(DENOISING, elem_classes="credit", apply_default_css=False)
            with gr.Column(elem_id="swap-denoising-controls"):
                seed.render()
            self.steps = widget.pane("swap-steps")
            gr.HTML(UNCERTAINTY, elem_classes="credit", apply_default_css=False)
            self.uncertainty = widget.pane("swap-uncertainty")
        inputs, shown = [shared.session, shared.donor, self.pair, seed], [self.pair, self.faces]
        for name, tab in (("interpolation", interpolation), ("grid", grid), ("denoising", denoise)):
            tab.select(lambda name=name: name, None, self.pane, **LIVE)
            tab.select(self.open, inputs, shown, show_progress_on=self.faces, **PRIVATE)
        gr.on([shared.session.change, shared.donor.change, seed.input], self.follow, inputs, shown,
              show_progress_on=self.faces, trigger_mode="always_last", **PRIVATE)
        detail.change(self.offer, detail, [self.what, self.decoded_only], **LIVE)
        panes = [self.interpolation, self.steps, self.uncertainty]
        gr.on([self.pair.change, self.pane.change, self.what.input, detail.change], self.fill,
              [self.pair, self.pane, self.what, detail], panes, show_progress_on=panes,
              trigger_mode="always_last", **PRIVATE)

    @handle_errors
    def open(self, session: Session | None, donor: Session | None, pair: Pair | None, seed: float) -> dict[Any, Any]:
        """Show the two faces when a pane is opened, unless they are shown already."""
        if pair and pair.subject is session and donor in (None, pair.donor):
            return gr.skip()
        return self._show(require_session(session), donor, seed)

    @handle_errors
    def follow(self, session: Session | None, donor: Session | None, pair: Pair | None, seed: float) -> dict[Any, Any]:
        """Show another face, donor or seed; nothing is rendered before a pane is opened."""
        return self._show(require_session(session), donor, seed) if pair else gr.skip()

    @handle_errors
    def offer(self, detail: str) -> dict[Any, Any]:
        """Offer what can be interpolated with this detail."""
        decoded = detail == DECODED
        return {self.what: gr.update(choices=list(INTERPOLATE) if decoded else ["Expression"], value="Expression"),
                self.decoded_only: gr.update(visible=not decoded)}

    @handle_errors
    def fill(self, pair: Pair | None, pane: str, what: str, detail: str) -> dict[Any, Any]:
        """Fill the open pane."""
        if pair is None:
            return gr.skip()
        if pane == "interpolation":
            part = INTERPOLATE[what] if detail == DECODED else "expression"
            renders = pair.interpolation(part, detail, STEPS, STEP_SIZE)
            captions = [f"{step / (STEPS - 1):.0%}" for step in range(STEPS)]
            return {self.interpolation: widget.steps(renders, captions)}
        if pane == "denoising":
            steps = denoising(pair.subject, pair.seed)
            return {self.steps: widget.steps(steps, [f"step {number}" for number in range(1, len(steps) + 1)]),
                    self.uncertainty: widget.uncertainty(model().uncertainty(pair.subject.factors, pair.seed))}
        return gr.skip()

    def _show(self, session: Session, donor: Session | None, seed: float) -> dict[Any, Any]:
        pair = Pair.of(session, donor, int(seed))
        photo, other = (jpeg_url(to_uint8(one.face.full), PHOTO_SIZE) for one in (session, pair.donor))
        title = "another photo" if pair.donor.example is None else examples()[pair.donor.example].title
        return {self.pair: pair, self.faces: {"subject": photo, "donor": other, "title": title}}
