"""The pane Grid: every identity with every expression, for up to six faces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr
import numpy as np

from app.server.errors import handle_errors
from app.session.order import DONOR, FACE, newest
from app.session.session import Session, examples, open_example
from app.session.swap import Pair, open_face, render_grid, require_pair
from app.tabs.shared_state import SharedState
from app.widgets import swap as widget
from app.widgets.event_options import PRIVATE, QUIET
from app.widgets.thumbnails import thumbnail
from app.widgets.uploads import uploaded_paths
from core.errors import LatentFaceError
from core.export.visualize import to_uint8

CELL_SIZE = 144
"""Pixels of a face in the grid."""
MAX_FACES = 6
INITIAL_FACES = 4
HINT = f"""<p>Choose up to {MAX_FACES} faces, then draw the grid. Click a result to open its two faces above.</p>"""
FULL = f"The grid has room for {MAX_FACES} faces. Click one of them to remove it first."
TOO_FEW = "Choose at least two faces."


class Grid:
    """The grid's components and handlers. A face is a `Session`, or the number of an example not analyzed yet."""

    def __init__(self, shared: SharedState, pair: gr.State, detail: gr.Radio):
        self.shared = shared
        self.faces = gr.State([])
        """The faces to choose from."""
        self.chosen = gr.State([])
        """Numbers of the chosen faces, in the order of the grid."""
        self.drawn = gr.State([])
        """The sessions of the grid that is shown."""
        gr.HTML(HINT, elem_classes="credit", apply_default_css=False)
        self.choices = widget.faces("swap-faces", [])
        with gr.Row(elem_classes="aside", elem_id="swap-grid-buttons"):
            self.draw = gr.Button("Draw the grid", size="sm", variant="primary", elem_id="swap-draw")
            self.cancel = gr.Button("Cancel", size="sm", visible=False, elem_id="swap-cancel")
            self.add = gr.UploadButton("Add photos", file_types=["image"], file_count="multiple", size="sm",
                                       elem_id="swap-add")
        self.add.preprocess = uploaded_paths
        self.grid = widget.pane("swap-grid")
        self._connect(pair, detail)

    def _connect(self, pair: gr.State, detail: gr.Radio) -> None:
        choice = [self.faces, self.chosen, self.choices]
        pair.change(self.offer, [pair, self.faces], choice, **QUIET)
        # No click is dropped, and they are handled in order.
        self.choices.select(self.choose, choice[:2], choice[1:], trigger_mode="multiple", concurrency_limit=1, **QUIET)
        self.add.upload(self.add_photos, [self.add, *choice[:2]], choice, show_progress_on=self.choices, **PRIVATE)
        drawing = self.draw.click(self.fill, [*choice[:2], pair, detail], [self.grid, self.drawn, self.cancel],
                                  concurrency_limit=1, **QUIET)
        drawing.then(_hidden, None, self.cancel, **QUIET)
        self.cancel.click(_hidden, None, self.cancel, cancels=[drawing], **QUIET)
        self.grid.select(self.open, self.drawn, [self.shared.session, self.shared.donor], trigger_mode="always_last",
                         **QUIET)

    @handle_errors
    def offer(self, pair: Pair | None, earlier: list[Session | int]) -> dict[Any, Any]:
        """Offer the two faces of the swap, the visitor's added photos, and the examples."""
        if pair is None:
            return gr.skip()
        two = [pair.subject, pair.donor]
        used = {one.example for one in two}
        unused = [number for number in range(len(examples())) if number not in used]
        added = [one for one in earlier if _is_own(one) and one not in two]
        faces = [*two, *added, *unused]
        chosen = list(range(min(MAX_FACES, max(INITIAL_FACES, 2 + len(added)))))
        return self._offered(faces, chosen) | {self.faces: faces}

    @handle_errors
    def choose(self, faces: list[Session | int], chosen: list[int], event: gr.EventData) -> dict[Any, Any]:
        """Choose a face, or remove it where it was chosen."""
        if event.index in chosen:
            return self._offered(faces, [one for one in chosen if one != event.index])
        if len(chosen) == MAX_FACES:
            gr.Info(FULL)
            return gr.skip()
        return self._offered(faces, [*chosen, event.index])

    @handle_errors
    def add_photos(self, paths: list[str], faces: list[Session | int], chosen: list[int]) -> dict[Any, Any]:
        """Add the largest face of each photo. A photo that cannot be used is reported; the others are added."""
        opened = []
        for path in paths[:MAX_FACES]:
            try:
                opened.append(open_face(path))
            except LatentFaceError as error:
                gr.Warning(str(error))
        new = range(len(faces), len(faces) + len(opened))
        kept = chosen[:MAX_FACES - len(opened)]
        return self._offered([*faces, *opened], [*kept, *new]) | {self.faces: [*faces, *opened]}

    def fill(self, faces: list[Session | int], chosen: list[int], pair: Pair | None,
             detail: str) -> Iterator[dict[Any, Any]]:
        """Render the grid row by row."""
        yield {self.cancel: gr.Button(visible=True)}
        sessions, thumbnails, work = handle_errors(self._begin)(faces, chosen, pair, detail)
        rows = []
        yield {self.grid: widget.grid(thumbnails, rows), self.drawn: sessions}
        for _ in sessions:
            rows.append(handle_errors(next)(work))
            yield {self.grid: widget.grid(thumbnails, rows)}

    @newest(FACE, DONOR)
    @handle_errors
    def open(self, drawn: list[Session], event: gr.EventData) -> tuple[Session, Session]:
        """Open the two faces of a cell."""
        row, column = divmod(event.index, len(drawn))
        return drawn[row], drawn[column]

    def _begin(self, faces: list[Session | int], chosen: list[int], pair: Pair | None,
               detail: str) -> tuple[list[Session], list[np.ndarray], Iterator[list[np.ndarray]]]:
        if len(chosen) < 2:
            raise gr.Error(TOO_FEW, print_exception=False)
        sessions = [face if isinstance(face, Session) else open_example(face) for face in (faces[n] for n in chosen)]
        thumbnails = [to_uint8(one.face.full) for one in sessions]
        return sessions, thumbnails, render_grid(sessions, detail, CELL_SIZE, require_pair(pair).seed)

    def _offered(self, faces: list[Session | int], chosen: list[int]) -> dict[Any, Any]:
        items = []
        for number, face in enumerate(faces):
            if isinstance(face, Session):
                array, title = to_uint8(face.face.full), f"Face {number + 1}"
            else:
                array, title = widget.example_face(face), examples()[face].title
            items.append(thumbnail(array, title, number in chosen))
        return {self.chosen: chosen, self.choices: items}


def _hidden() -> gr.Button:
    return gr.Button(visible=False)


def _is_own(face: Session | int) -> bool:
    """Whether this is a visitor's own photo."""
    return isinstance(face, Session) and face.example is None
