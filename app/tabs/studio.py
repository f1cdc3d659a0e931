"""The Studio tab: one face, a large live render, and one stack of edits that every control changes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr
from gradio.components import Component

from app.server.errors import handle_errors
from app.session.history import History
from app.session.order import DONOR, FACE, newest
from app.session.session import (
    Session,
    link_parameters,
    model,
    open_example,
    render_edited,
    require_session,
)
from app.session.settings import OTHER, Controls
from app.session.swap import default_donor, open_face
from app.tabs.shared_state import SharedState
from app.tabs.studio_controls import StudioControls
from app.widgets.equation import enlarged
from app.widgets.event_options import LIVE, PRIVATE
from app.widgets.images import jpeg_url, overlay_url, png_url
from app.widgets.light import ball_url
from app.widgets.readout import pose_warning
from app.widgets.render import DRAFT, FINAL, Drawn, event_of, live_render, redrawn
from app.widgets.swap import example_thumbnails
from app.widgets.tour import frames
from core.edits import DECODED, EditedFace, Edits
from core.export.visualize import to_uint8

PARTS: dict[str, Callable[[Edits, set[str]], Edits]] = {
    "expression": lambda edits, identity: replace(
        edits, expression_from=None, strength=1.0, depth=1.0,
        amounts={name: amount for name, amount in edits.amounts.items() if name in identity}),
    "identity": lambda edits, identity: replace(
        edits, identity_from=None, resemblance=Edits.resemblance, identity_locked=True,
        amounts={name: amount for name, amount in edits.amounts.items() if name not in identity}),
    "pose": lambda edits, identity: replace(edits, pose=None),
    "light": lambda edits, identity: replace(edits, light=None),
    "background": lambda edits, identity: replace(edits, background=Edits.background, detail=Edits.detail),
    "all": lambda edits, identity: Edits(seed=edits.seed),
}
"""How each part of the edits is reset."""


class Studio:
    """The tab's components and handlers."""

    def __init__(self, shared: SharedState):
        self.shared = shared
        self.shown = gr.State((None, None))
        """The `Session` and the donor that render and controls show; they follow the page's with a short delay."""
        self.edited = gr.State()
        """The `EditedFace` of that session."""
        self.history = gr.State(History())
        self.drawn = gr.State()
        """The `Drawn` of the render."""
        self.identity_donor = gr.State()
        """The `Session` whose identity is blended in, or None."""
        with gr.Row(elem_id="play"):
            with gr.Column(scale=6, min_width=280, elem_id="turn"):
                self.render = live_render()
                enlarged()
                self.pose_warning = gr.HTML(elem_id="pose-warning", elem_classes="warnings", apply_default_css=False)
            with gr.Column(scale=4, min_width=280, elem_id="sections"):
                self.ui = StudioControls()
        self.controls: list[Component] = self.ui.values
        """The components whose values are `Controls`."""
        self.stack = [self.shown, self.edited, shared.donor, self.identity_donor, *self.controls]
        """What the edits are read from, see `edits_of`."""
        self._connect()

    def _connect(self) -> None:
        session, donor, ui = self.shared.session, self.shared.donor, self.ui
        drawing = [self.drawn, self.render, self.pose_warning, self.shared.url]
        everything = [*drawing, self.shown, self.edited, donor, self.identity_donor, *self.controls, ui.donors,
                      ui.identities]
        gr.on([session.change, donor.change], self.show, [session, self.history, *self.stack], everything,
              **LIVE)
        # One event for all, so that a page has one redraw at a time: answers could overtake each other otherwise.
        redraws = [event_of(one, "input") for one in self.controls]
        gr.on([*redraws, event_of(self.render, "settle")], self.redraw, [self.history, self.drawn, *self.stack],
              drawing, **LIVE)
        for handler, events in ((self.undo, [event_of(self.render, "undo")]),
                                (self.redo, [event_of(self.render, "redo")]),
                                (self.reset, [event_of(one, "reset") for one in (self.render, *ui.headers)]),
                                (self.surprise, [ui.surprise.click]),
                                (self.blend_identity, [event_of(ui.identities, "select")])):
            gr.on(events, handler, [self.history, *self.stack], everything, **LIVE)
        self.render.save(self.save_render, self.stack, self.render, **LIVE)
        self.render.tour(self.play_tour, self.stack, self.render, **LIVE)
        gr.on([event_of(one, "hover") for one in (ui.expressions, ui.semantics)], self.show_influence, self.stack,
              self.render, **LIVE)
        ui.detail.change(self.offer_controls, ui.detail, [ui.depth, ui.strength], **LIVE)
        ui.source.input(self.choose_source, [ui.source, self.shown, donor], donor, **LIVE)
        ui.donors.select(self.choose_donor, donor, donor, show_progress_on=ui.donors, trigger_mode="always_last",
                         **PRIVATE)
        ui.upload.upload(self.open_donor, ui.upload, donor, show_progress_on=ui.donors, **PRIVATE)
        ui.swap_roles.click(self.exchange, [self.shown, donor], [session, donor], **LIVE)

    def edits_of(self, shown: tuple[Session | None, Session | None], edited: EditedFace | None, donor: Session | None,
                 identity_donor: Session | None, *values: Any) -> tuple[Session, EditedFace, Edits]:
        """The face that is shown and its edits, from the values of `stack`."""
        session = require_session(shown[0] if edited else None)
        assert edited is not None  # set together with the session
        return session, edited, Controls(*values).edits(session.factors, donor, identity_donor)

    # --- The render follows the controls ------------------------------------------------------------------------

    @handle_errors
    def show(self, session: Session | None, history: History, shown: tuple[Session | None, Session | None],
             edited: EditedFace | None, donor: Session | None, identity_donor: Session | None,
             *values: Any) -> dict[Any, Any]:
        """Another face, or another donor for the same one. A refined face keeps its edits."""
        session, (earlier, lent) = require_session(session), shown
        if session is earlier and donor is lent:
            return gr.skip()
        if edited and session is earlier:
            edits = Controls(*values).edits(session.factors, donor, identity_donor)
            edits = replace(edits, expression_from=donor)
            history.record(edits)
            return self._everything(session, edited, edits, DRAFT)
        if earlier and session.face is earlier.face:
            edits = Controls(*values).edits(earlier.factors, donor, identity_donor)
        else:
            edits = session.initial if donor is lent else replace(session.initial, expression_from=donor)
        history.restart(edits)
        updates = self._everything(session, EditedFace(model(), session.textured), edits, FINAL)
        photo, estimated = jpeg_url(to_uint8(session.face.full), FINAL), Edits().values(session.factors)
        return updates | {self.render: updates[self.render] | {"photo": photo, "estimated": estimated}}

    @handle_errors
    def redraw(self, history: History, drawn: Drawn, *stack: Any) -> dict[Any, Any]:
        """The render that the controls ask for: a draft, and the final one once the controls rest."""
        session, edited, edits = self.edits_of(*stack)
        size = drawn.next_size(session, edits)
        if size == FINAL:
            history.record(edits)
        return self._draw(session, edited, edits, size) if size else gr.skip()

    @handle_errors
    def save_render(self, event: gr.EventData, *stack: Any) -> dict[Any, Any]:
        """Encode the full-size render as PNG, for download."""
        _, edited, edits = self.edits_of(*stack)
        array = render_edited(edited, edits, FINAL)
        return {self.render: gr.update(saved=png_url(array, event.watermark is not False))}

    @handle_errors
    def play_tour(self, *stack: Any) -> dict[Any, Any]:
        """The frames of the first visit, for an unedited example."""
        session, _, edits = self.edits_of(*stack)
        if session.example is None or edits != Edits():
            return gr.skip()
        return {self.render: gr.update(frames=frames(session.example))}

    @handle_errors
    def show_influence(self, event: gr.EventData, *stack: Any) -> dict[Any, Any]:
        """Where the slider under the pointer changes the face."""
        _, edited, edits = self.edits_of(*stack)
        influence = edited.influence(str(event.name), edits, DRAFT)
        return {self.render: gr.update(influence={"name": event.name, "src": overlay_url(influence[0, 0])})}

    def offer_controls(self, detail: str) -> dict[Any, Any]:
        """Show the strengths of the detail: one at full resolution, depth and albedo if decoded."""
        decoded = detail == DECODED
        return {self.ui.depth: gr.update(visible=True if decoded else "hidden"),
                self.ui.strength: gr.update(label="Albedo" if decoded else "Strength")}

    # --- Changes of several controls at once --------------------------------------------------------------------

    @handle_errors
    def undo(self, history: History, *stack: Any) -> dict[Any, Any]:
        """The edits before the last change."""
        session, edited, edits = self.edits_of(*stack)
        return self._everything(session, edited, history.undo(edits), DRAFT)

    @handle_errors
    def redo(self, history: History, *stack: Any) -> dict[Any, Any]:
        """The edits that were undone last."""
        session, edited, edits = self.edits_of(*stack)
        return self._everything(session, edited, history.redo(edits), DRAFT)

    @handle_errors
    def reset(self, event: gr.EventData, history: History, *stack: Any) -> dict[Any, Any]:
        """One part of the edits as in the photo, or all."""
        session, edited, edits = self.edits_of(*stack)
        part = PARTS.get(str(event.part), PARTS["all"])
        return self._changed(session, edited, history, edits, part(edits, self.ui.identity_names))

    @handle_errors
    def surprise(self, history: History, *stack: Any) -> dict[Any, Any]:
        """Another likely face: found directions of the identity, drawn at random within what is seen in data."""
        session, edited, edits = self.edits_of(*stack)
        drawn = {one.name: round(min(max(random.gauss(0, 1), one.range[0]), one.range[1]), 1)
                 for one in model().semantics if one.name in self.ui.identity_names}
        return self._changed(session, edited, history, edits, replace(edits, amounts={**edits.amounts, **drawn}))

    @handle_errors
    def blend_identity(self, event: gr.EventData, history: History, *stack: Any) -> dict[Any, Any]:
        """Blend in the identity of an example; none if it was that one."""
        session, edited, edits = self.edits_of(*stack)
        donor = open_example(getattr(event, "index", None))
        chosen = None if donor is edits.identity_from else donor
        return self._changed(session, edited, history, edits, replace(edits, identity_from=chosen))

    # --- Donors -------------------------------------------------------------------------------------------------

    @handle_errors
    def choose_source(self, source: str, shown: tuple[Session | None, Session | None],
                      donor: Session | None) -> Session | dict:
        """Take an example's expression where no other face was chosen yet."""
        return default_donor(require_session(shown[0])) if source == OTHER and donor is None else gr.skip()

    @newest(DONOR)
    @handle_errors
    def choose_donor(self, event: gr.EventData, donor: Session | None) -> Session | None:
        """Use the expression of an example; the face's own if it was that one."""
        chosen = open_example(getattr(event, "index", None))
        return None if chosen is donor else chosen

    @newest(DONOR)
    @handle_errors
    def open_donor(self, path: str | None) -> Session | dict:
        """Use the expression of the largest face of a photo."""
        return open_face(path) if path else gr.skip()

    @newest(FACE, DONOR, edits=True)
    @handle_errors
    def exchange(self, shown: tuple[Session | None, Session | None],
                 donor: Session | None) -> tuple[Session, Session]:
        """Swap the roles of the two faces."""
        session = require_session(shown[0])
        return donor or default_donor(session), session

    # --- Updates ------------------------------------------------------------------------------------------------

    def _changed(self, session: Session, edited: EditedFace, history: History, before: Edits,
                 after: Edits) -> dict[Any, Any]:
        history.record(before)
        history.record(after)
        return self._everything(session, edited, after, DRAFT)

    def _everything(self, session: Session, edited: EditedFace, edits: Edits, size: int) -> dict[Any, Any]:
        """Updates of the render and of all controls."""
        donor, identity = (one if isinstance(one, Session) else None
                           for one in (edits.expression_from, edits.identity_from))
        controls = Controls.of(edits, session.factors, self.ui.identity_names)
        return {**self._draw(session, edited, edits, size), self.shown: (session, donor), self.edited: edited,
                self.shared.donor: donor, self.identity_donor: identity,
                **dict(zip(self.controls, controls.values, strict=True)),
                self.ui.donors: example_thumbnails(donor and donor.example),
                self.ui.identities: example_thumbnails(identity and identity.example)}

    def _draw(self, session: Session, edited: EditedFace, edits: Edits, size: int) -> dict[Any, Any]:
        """Updates of render, warning and URL for these edits."""
        array = render_edited(edited, edits, size)
        url = jpeg_url(array) if array.shape[-1] == 3 else png_url(array)
        warning = pose_warning(edits.pose) if edits.pose else ""
        return {self.drawn: Drawn(session, edits, size), self.render: redrawn(url, ball_url(edited.light(edits))),
                self.pose_warning: warning, self.shared.url: gr.update(parameters=link_parameters(session, edits))}
