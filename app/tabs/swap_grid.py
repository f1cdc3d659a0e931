"""The grid of the Swap tab: every identity with every expression, for up to six faces."""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from app.server.errors import told
from app.session import session as state
from app.session import swap as swaps
from app.session.session import Session
from app.session.swap import Pair
from app.tabs.shared_state import Page
from app.widgets import swap as widget
from app.widgets.images import pixels
from app.widgets.strip import item
from core.errors import LatentFaceError

CELL = 144
"""Pixels of a face in the grid."""
FACES = 6
"""Most faces in it."""
AT_FIRST = 4
"""Faces that it begins with."""
HINT = f"""<p>Choose up to {FACES} faces, then draw. A click on a result opens its two faces above.</p>"""
FULL = f"The grid has room for {FACES} faces: click one of them to take it out first."
FEW = "Choose two faces at least."


class Grid:
    """Its components and handlers. A face is a `Session`, or the number of an example that nobody has opened yet."""

    def __init__(self, page: Page, pair: gr.State, detail: gr.Radio):
        self.page = page
        self.faces = gr.State([])
        """Those to choose from."""
        self.chosen = gr.State([])
        """Their numbers in the grid, in its order."""
        self.drawn = gr.State([])
        """The sessions of the grid that is shown."""
        gr.HTML(HINT, elem_classes="credit", apply_default_css=False)
        self.strip = widget.faces("swap-faces", [])
        with gr.Row(elem_classes="aside", elem_id="swap-grid-buttons"):
            self.draw = gr.Button("Draw the grid", size="sm", variant="primary", elem_id="swap-draw")
            self.cancel = gr.Button("Cancel", size="sm", visible=False, elem_id="swap-cancel")
            self.add = gr.UploadButton("Add photos", file_types=["image"], file_count="multiple", size="sm",
                                       elem_id="swap-add")
        self.add.preprocess = lambda payload: [one.path for one in payload.root] if payload else []
        self.grid = widget.pane("swap-grid")
        self._connect(pair, detail)

    def _connect(self, pair: gr.State, detail: gr.Radio) -> None:
        private = {"api_visibility": "private", "show_progress": "hidden"}
        choice = [self.faces, self.chosen, self.strip]
        pair.change(self.offer, [pair, self.faces], choice, **private)
        # Every click counts, one after the other.
        self.strip.select(self.choose, choice[:2], choice[1:], trigger_mode="multiple", concurrency_limit=1, **private)
        self.add.upload(self.add_photos, [self.add, *choice[:2]], choice, api_visibility="private",
                        show_progress_on=self.strip)
        drawing = self.draw.click(self.fill, [*choice[:2], pair, detail], [self.grid, self.drawn, self.cancel],
                                  concurrency_limit=1, **private)
        drawing.then(_hidden, None, self.cancel, **private)
        self.cancel.click(_hidden, None, self.cancel, cancels=[drawing], **private)
        self.grid.select(self.open, self.drawn, [self.page.session, self.page.donor], trigger_mode="always_last",
                         **private)

    @told
    def offer(self, pair: Pair | None, earlier: list[Session | int]) -> dict:
        """The two faces of the picture, the examples, and the visitor's own photos that were added."""
        if pair is None:
            return gr.skip()
        two = [pair.own, pair.other]
        taken = {one.example for one in two}
        examples = [number for number in range(len(state.examples())) if number not in taken]
        added = [one for one in earlier if _is_own(one) and one not in two]
        faces = [*two, *added, *examples]
        chosen = list(range(min(FACES, max(AT_FIRST, 2 + len(added)))))
        return self._offered(faces, chosen) | {self.faces: faces}

    @told
    def choose(self, faces: list[Session | int], chosen: list[int], event: gr.EventData) -> dict:
        """One face more, or less."""
        if event.index in chosen:
            return self._offered(faces, [one for one in chosen if one != event.index])
        if len(chosen) == FACES:
            gr.Info(FULL)
            return gr.skip()
        return self._offered(faces, [*chosen, event.index])

    @told
    def add_photos(self, paths: list[str], faces: list[Session | int], chosen: list[int]) -> dict:
        """The largest face of each photo. What cannot be used is said, and the rest is taken."""
        opened = []
        for path in paths[:FACES]:
            try:
                opened.append(swaps.open_face(path))
            except LatentFaceError as error:
                gr.Warning(str(error))
        new = range(len(faces), len(faces) + len(opened))
        kept = chosen[:FACES - len(opened)]
        return self._offered([*faces, *opened], [*kept, *new]) | {self.faces: [*faces, *opened]}

    def fill(self, faces: list[Session | int], chosen: list[int], pair: Pair | None, detail: str) -> Iterator[dict]:
        """The grid, row by row."""
        yield {self.cancel: gr.Button(visible=True)}
        sessions, thumbnails, rows, work = told(self._begin)(faces, chosen, pair, detail)
        yield {self.grid: widget.grid(thumbnails, rows), self.drawn: sessions}
        for _ in sessions:
            rows.append(told(next)(work))
            yield {self.grid: widget.grid(thumbnails, rows)}

    @told
    def open(self, drawn: list[Session], event: gr.EventData) -> tuple[Session, Session]:
        """The two faces of a cell."""
        row, column = divmod(event.index, len(drawn))
        return drawn[row], drawn[column]

    def _begin(self, faces, chosen, pair, detail) -> tuple[list[Session], list, list, Iterator]:
        if len(chosen) < 2:
            raise gr.Error(FEW, print_exception=False)
        sessions = [faces[one] if isinstance(faces[one], Session) else state.open_example(faces[one])
                    for one in chosen]
        thumbnails = [pixels(one.face.full) for one in sessions]
        return sessions, thumbnails, [], swaps.grid(sessions, detail, CELL, swaps.known(pair).seed)

    def _offered(self, faces: list[Session | int], chosen: list[int]) -> dict:
        items = []
        for number, face in enumerate(faces):
            known = isinstance(face, Session)
            array = pixels(face.face.full) if known else widget.example_face(face)
            title = state.examples()[face].title if not known else f"Face {number + 1}"
            items.append(item(array, title, number in chosen))
        return {self.chosen: chosen, self.strip: items}


def _hidden() -> gr.Button:
    return gr.Button(visible=False)


def _is_own(face: Session | int) -> bool:
    """A visitor's own photo."""
    return isinstance(face, Session) and face.example is None
