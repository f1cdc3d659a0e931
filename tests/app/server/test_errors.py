"""Errors become messages on the page."""

import logging

import gradio as gr
import pytest

from app.server.errors import handle_errors
from core.errors import ImageTooSmall


def test_errors_of_the_project_are_shown_as_they_are():
    @handle_errors
    def handler(text):
        raise ImageTooSmall(text)

    with pytest.raises(gr.Error, match="at least 16") as caught:
        handler("at least 16")
    assert not caught.value.print_exception


def test_other_errors_are_logged_and_become_a_general_message(caplog):
    @handle_errors
    def handler():
        raise ZeroDivisionError("secret path")

    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error, match="earlier result") as caught:
        handler()
    assert "secret path" in caplog.text and "secret path" not in str(caught.value)
