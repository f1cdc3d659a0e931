"""The one place where the project's errors become messages on the page."""

from __future__ import annotations

import functools
import logging

import gradio as gr

from core.errors import LatentFaceError

SECONDS = 8
"""How long a message stays."""


def told(function):
    """Wrap a handler: a LatentFaceError is shown as it is, anything else as a sentence and in the log.

    A handler that fails changes nothing on the page, so the earlier result stays.
    """

    @functools.wraps(function)
    def wrapper(*arguments):
        try:
            return function(*arguments)
        except LatentFaceError as error:
            raise gr.Error(str(error), duration=SECONDS, print_exception=False) from error
        except gr.Error:
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", function.__name__)
            raise gr.Error("Something went wrong here, and the log says what. Your earlier result is still there: "
                           "try again, or another photo.", duration=SECONDS, print_exception=False) from error

    return wrapper
