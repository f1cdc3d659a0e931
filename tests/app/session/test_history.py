"""Undo and redo of edits."""

from app.session.history import History
from core.edits import Edits

PLAIN, SMILE, BLINK = Edits(), Edits({"smile": 1.0}), Edits({"blink": 1.0})


def test_steps_are_undone_and_done_again():
    history = History()
    history.restart(PLAIN)
    for step in (PLAIN, SMILE, SMILE, BLINK):
        history.record(step)
    assert [history.undo(shown) for shown in (BLINK, SMILE, PLAIN)] == [SMILE, PLAIN, PLAIN]
    assert [history.redo(shown) for shown in (PLAIN, SMILE, BLINK)] == [SMILE, BLINK, BLINK]


def test_controls_that_did_not_come_to_rest_can_be_undone_and_end_what_could_be_redone():
    history = History()
    history.restart(PLAIN)
    assert history.undo(SMILE) == PLAIN
    assert history.undo(BLINK) == PLAIN
    assert history.redo(PLAIN) == BLINK
    history.restart(SMILE)
    assert history.undo(SMILE) == SMILE
