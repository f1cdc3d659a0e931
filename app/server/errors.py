"""The one place where the project's errors become messages on the page."""

from __future__ import annotations

import functools
import logging

import gradio as gr
from fastapi import Request
from fastapi.responses import JSONResponse

from core.errors import LatentFaceError

SECONDS = 8
"""How long a message stays."""
UNEXPECTED = "This is nothing that the page asks for: load it again, and choose files as it offers."


class Answering(gr.Blocks):
    """A page that answers with a sentence whatever is sent to it, be it nothing that the page itself would send."""

    async def preprocess_data(self, *arguments, **options):
        """What a handler is called with; gradio refuses files that were not sent here, wrong numbers of values, ..."""
        try:
            return await super().preprocess_data(*arguments, **options)
        except Exception as error:
            logging.getLogger(__name__).warning("A request was refused: %s", type(error).__name__)
            words = error.message if isinstance(error, gr.Error) else UNEXPECTED
            raise gr.Error(words, duration=SECONDS, print_exception=False) from error


async def unknown(request: Request, error: KeyError) -> JSONResponse:
    """The answer where gradio looks for a handler that there is not."""
    return JSONResponse({"detail": UNEXPECTED}, 404)


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
