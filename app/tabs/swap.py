"""The Swap tab: the face of the page with somebody else's expression, live, and how the model tells the two apart."""

from __future__ import annotations

from dataclasses import astuple

import gradio as gr

from app.server.errors import told
from app.session import session as state
from app.session import swap as swaps
from app.session.session import Session, known
from app.session.settings import DECODED, OWN_DETAIL
from app.session.swap import MOST, NONE, SAMPLES, THEIRS, Amounts, Pair
from app.tabs.shared_state import Page
from app.tabs.swap_grid import Grid
from app.widgets import swap as widget
from app.widgets.images import jpeg_url, pixels, png_url
from core.model.diffusion import SEED

DRAFT, FINAL = 256, 512
"""Pixels of the picture while a control moves, and once it rests."""
WAY, STEP = 7, 192
"""Faces on the way, both ends included, and their pixels."""
MIXED = {"Expression": "expression", "Identity": "identity", "Both": "code"}
NOISE = """<p>The identity is found by taking noise away in five steps, guided by the photo: this is what each step has
reached, seen from the front. Another seed starts from other noise.</p>"""
OPEN = f"""<p>What the photo leaves open: how far {SAMPLES} identities found from different noise lie apart.</p>"""


class SwapTab:
    """The tab's components, and the handlers that read and write them.

    Handlers return a dictionary of what changes; what they leave out stays as it is.
    """

    def __init__(self, page: Page, tab: gr.Tab):
        self.pair = gr.State()
        """The `Pair` that is shown; None until the tab is opened."""
        self.pane = gr.State("way")
        """Which of the tabs below the picture is open."""
        with gr.Row(elem_id="play"):
            with gr.Column(scale=6, min_width=280, elem_id="swap-turn"):
                self.picture = widget.picture()
            with gr.Column(scale=4, min_width=260, elem_id="swap-controls"):
                self._lay_out_controls()
        with gr.Tabs():
            with gr.Tab("On the way") as way:
                with gr.Column(elem_id="swap-way-controls"):
                    self.what = gr.Radio(list(MIXED), value="Expression", label="What moves", elem_id="swap-what")
                self.way = widget.pane("swap-way")
            with gr.Tab("Grid"):
                Grid(page, self.pair, self.detail)
            with gr.Tab("Identity from noise") as noise:
                self._lay_out_noise()
        self.controls = [self.seed, *self.settings]
        """The components whose values are the seed and `Amounts`."""
        self.page = page
        self._connect(page, tab)
        self._connect_panes(way, noise)

    def _lay_out_controls(self) -> None:
        self.faces = widget.pair()
        with gr.Row(elem_classes="aside"):
            self.upload = gr.UploadButton("Expression from a photo", file_types=["image"], size="sm",
                                          elem_id="swap-upload")
            self.exchange = gr.Button("Exchange the two", size="sm", elem_id="swap-exchange")
        self.upload.preprocess = lambda payload: payload and payload.path  # core.faces.load_image checks it before decoding
        self.donors = widget.faces("swap-donors", widget.examples())
        gr.HTML("<h4>How much of the expression</h4>", apply_default_css=False)
        amounts = [gr.Slider(0, MOST, 1, step=0.05, label=name, elem_id=f"swap-{name.lower()}", buttons=[])
                   for name in ("Depth", "Albedo")]
        whose = gr.Radio([THEIRS, NONE], value=THEIRS, label="Expression", elem_id="swap-whose")
        self.detail = gr.Radio([OWN_DETAIL, DECODED], value=OWN_DETAIL, label="Detail", elem_id="swap-detail")
        self.settings = [*amounts, whose, self.detail]
        """The components whose values are `Amounts`."""

    def _lay_out_noise(self) -> None:
        gr.HTML(NOISE, elem_classes="credit", apply_default_css=False)
        with gr.Column(elem_id="swap-noise-controls"):
            self.seed = gr.Slider(0, swaps.LAST_SEED, SEED, step=1, label="Seed", elem_id="swap-seed", buttons=[])
        self.steps = widget.pane("swap-steps")
        gr.HTML(OPEN, elem_classes="credit", apply_default_css=False)
        self.spread = widget.pane("swap-spread")

    def _connect(self, page: Page, tab: gr.Tab) -> None:
        private = {"api_visibility": "private"}
        quick = {**private, "show_progress": "hidden", "trigger_mode": "always_last"}
        inputs = [page.session, page.donor, self.pair, self.seed, *self.settings]
        shown = [self.pair, self.picture, self.faces, self.donors, page.address]
        tab.select(self.open, inputs, shown, show_progress_on=self.picture, **private)
        gr.on([page.session.change, page.donor.change, self.seed.input], self.follow, inputs, shown,
              show_progress_on=self.picture, trigger_mode="always_last", **private)
        drawn = [self.pair, *self.settings]
        gr.on([control.input for control in self.settings], self.redraw, drawn, [self.picture, page.address], **quick)
        self.picture.finish(self.finish, drawn, [self.picture, page.address], **quick)
        self.picture.save(self.save, drawn, self.picture, **quick)
        self.donors.select(self.choose_donor, None, page.donor, show_progress_on=self.faces, trigger_mode="always_last",
                           **private)
        self.upload.upload(self.open_donor, self.upload, page.donor, show_progress_on=self.faces, **private)
        self.exchange.click(self.exchange_faces, self.pair, [page.session, page.donor], **quick)

    def _connect_panes(self, way: gr.Tab, noise: gr.Tab) -> None:
        quick = {"api_visibility": "private", "trigger_mode": "always_last"}
        for name, tab in (("way", way), ("noise", noise)):
            tab.select(lambda name=name: name, None, self.pane, show_progress="hidden", **quick)
        gr.on([self.pair.change, self.pane.change, self.what.input, self.detail.input], self.fill,
              [self.pair, self.pane, self.what, self.detail], [self.way, self.steps, self.spread],
              show_progress_on=[self.way, self.steps, self.spread], **quick)

    def restored_after(self, loaded: gr.events.Dependency) -> gr.events.Dependency:
        """Bring back what the page's address says, once the page is loaded; what may follow then."""
        return loaded.then(self.restore, None, [self.page.donor, *self.settings[:3]], api_visibility="private",
                           show_progress="hidden")

    # --- The live picture -------------------------------------------------------------------------------------

    @told
    def restore(self, request: gr.Request) -> dict:
        """What the page's address says of donor and amounts."""
        given, amounts = request.query_params, self.settings[:3]
        if given.keys().isdisjoint({"donor", *Amounts().link()}):
            return gr.skip()
        donor = state.linked_example(given.get("donor"))
        return {self.page.donor: None if donor is None else state.open_example(donor),
                **dict(zip(amounts, astuple(Amounts.read(given)), strict=False))}

    @told
    def open(self, session: Session | None, donor: Session | None, pair: Pair | None, *rest) -> dict:
        """The tab is looked at: what it shows, unless it shows that already."""
        if pair and pair.own is session and donor in (None, pair.other):
            return gr.skip()
        return self._show(known(session), donor, *rest)

    @told
    def follow(self, session: Session | None, donor: Session | None, pair: Pair | None, *rest) -> dict:
        """Another face, donor or seed. Before the tab was opened nothing has to be drawn."""
        return self._show(known(session), donor, *rest) if pair else gr.skip()

    @told
    def redraw(self, pair: Pair | None, *values) -> dict:
        """A quick picture for where the controls are."""
        return self._draw(swaps.known(pair), Amounts(*values), DRAFT)

    @told
    def finish(self, pair: Pair | None, *values) -> dict:
        """The same picture with all its pixels, once the controls rest."""
        return self._draw(swaps.known(pair), Amounts(*values), FINAL)

    @told
    def save(self, pair: Pair | None, event: gr.EventData, *values) -> dict:
        """The same picture without loss, for the visitor to keep."""
        drawn = swaps.known(pair).picture(Amounts(*values), FINAL)
        return {self.picture: gr.update(saved=png_url(drawn, event.stamp is not False))}

    @told
    def choose_donor(self, event: gr.EventData) -> Session:
        """The expression of an example."""
        return state.open_example(event.index)

    @told
    def open_donor(self, path: str | None) -> Session:
        """The expression of the largest face of a photo."""
        return swaps.open_face(path) if path else gr.skip()

    @told
    def exchange_faces(self, pair: Pair | None) -> tuple[Session, Session]:
        """Each gives what the other gave."""
        return swaps.known(pair).other, pair.own

    def _show(self, session: Session, donor: Session | None, seed: float, *values) -> dict:
        pair = Pair.of(session, donor, int(seed))
        donor = pair.other
        updates = self._draw(pair, Amounts(*values), FINAL)
        photo, other = (jpeg_url(pixels(one.face.full), FINAL) for one in (session, donor))
        title = "another photo" if donor.example is None else state.examples()[donor.example].title
        return {**updates, self.pair: pair, self.picture: updates[self.picture] | {"photo": photo},
                self.faces: {"own": photo, "other": other, "title": title},
                self.donors: widget.examples(donor.example)}

    def _draw(self, pair: Pair, amounts: Amounts, size: int) -> dict:
        donor = None if pair.other.example is None else pair.other.example + 1
        return {self.picture: gr.update(value=jpeg_url(pair.picture(amounts, size)), draft=size < FINAL),
                self.page.address: gr.update(swap={"donor": donor, **amounts.link()})}

    # --- Below it ---------------------------------------------------------------------------------------------

    @told
    def fill(self, pair: Pair | None, pane: str, what: str, detail: str) -> dict:
        """What the open tab below the picture shows of the two faces."""
        if pair is None:
            return gr.skip()
        if pane == "way":
            pictures = pair.way(MIXED[what], detail, WAY, STEP)
            captions = ["this face", *(f"{step / (WAY - 1):.0%}" for step in range(1, WAY - 1)), "all of it"]
            return {self.way: widget.steps(pictures, captions)}
        reached = swaps.denoising(pair.own, pair.seed)
        return {self.steps: widget.steps(reached, [f"step {number}" for number in range(1, len(reached) + 1)]),
                self.spread: widget.spread(swaps.spread(pair.own, pair.seed))}
