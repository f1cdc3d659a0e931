"""Undo and redo."""

from __future__ import annotations

from core.edits import Edits

LONGEST = 100
"""Steps that can be undone."""


class History:
    """The edits of a page in the order in which its controls came to rest. Changed in place, by one page."""

    def __init__(self) -> None:
        self._past: list[Edits] = []
        """The last one is shown."""
        self._future: list[Edits] = []
        """What was undone, the next to redo last."""

    def restart(self, edits: Edits) -> None:
        """Forget everything: another face is shown."""
        self._past, self._future = [edits], []

    def record(self, edits: Edits) -> None:
        """Add a step, unless it is the one that is shown."""
        if self._past and self._past[-1] == edits:
            return
        self._past = [*self._past, edits][-LONGEST:]
        self._future = []

    def undo(self, shown: Edits) -> Edits:
        """The step before `shown`; `shown` itself where there is none."""
        self.record(shown)
        if len(self._past) > 1:
            self._future.append(self._past.pop())
        return self._past[-1]

    def redo(self, shown: Edits) -> Edits:
        """The step that was undone last; `shown` itself where there is none."""
        self.record(shown)
        if self._future:
            self._past.append(self._future.pop())
        return self._past[-1]
