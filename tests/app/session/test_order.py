"""Answers that come late: what a newer request has set stays."""

import threading
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.context import LocalContext

from app.session.order import DONOR, FACE, newest

SKIPPED = gr.skip()


@pytest.fixture
def page(request):
    """A function that runs a handler as a request of a page, in a thread of its own."""

    def run(handler, name=request.node.name):
        answers = []

        def work():
            LocalContext.request.set(SimpleNamespace(session_hash=name))
            answers.append(handler())

        thread = threading.Thread(target=work)
        thread.start()
        return lambda: (thread.join(10), answers[0])[1]

    return run


class Slow:
    """A handler that starts, and answers once it is told to."""

    def __init__(self):
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self):
        self.started.set()
        self.go.wait(10)
        return "old"


def begun(page, *parts, **options):
    """A slow request that has started, and the function that lets it answer."""
    slow = Slow()
    answer = page(newest(*parts, **options)(slow))
    slow.started.wait(10)

    def finish():
        slow.go.set()
        return answer()

    return finish


def quick(page, *parts, **options):
    return page(newest(*parts, **options)(lambda: "new"))()


def test_an_older_answer_is_dropped_after_a_newer_one(page):
    old = begun(page, FACE)
    assert quick(page, FACE) == "new"
    assert old() == SKIPPED


def test_answers_in_order_are_all_shown(page):
    assert begun(page, FACE)() == "old" and quick(page, FACE) == "new"


def test_another_page_or_another_part_drops_nothing(page):
    old = begun(page, FACE)
    assert page(newest(FACE)(lambda: "new"), name="another page")() == quick(page, DONOR) == "new"
    assert old() == "old"


def test_an_edit_of_a_face_is_dropped_after_another_face_and_does_not_outdate_one_that_still_comes(page):
    face, edit = begun(page, FACE), begun(page, FACE, edits=True)
    assert quick(page, FACE, edits=True) == "new"
    assert face() == "old" and edit() == SKIPPED


def test_a_request_that_fails_drops_nothing(page):
    def fail():
        raise ValueError("no photo")

    def ask():
        with pytest.raises(ValueError, match="no photo"):
            newest(FACE)(fail)()

    old = begun(page, FACE)
    page(ask)()
    assert old() == "old"
