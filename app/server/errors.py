"""The one place where the project's errors become messages on the page."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import gradio as gr
from fastapi import Request
from fastapi.responses import JSONResponse

from core.errors import LatentFaceError

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
SECONDS = 8
"""How long a message is shown."""
UNEXPECTED = "This request is not valid. Reload the page, and choose files with its buttons."
FAILED = "Something went wrong; the log has the details. Your earlier result is kept. Try again, or use another photo."


class SafeBlocks(gr.Blocks):
    """A page that answers malformed requests with a message instead of an internal error."""

    async def preprocess_data(self, *arguments, **options):
        """Convert a request's values for its handler.

        Gradio raises here for files that were not uploaded, a wrong number of values, and other malformed requests.

        Raises:
            gr.Error: the request is malformed.
        """
        try:
            return await super().preprocess_data(*arguments, **options)
        except Exception as error:
            logging.getLogger(__name__).warning("A request was refused: %s", type(error).__name__)
            message = error.message if isinstance(error, gr.Error) else UNEXPECTED
            raise gr.Error(message, duration=SECONDS, print_exception=False) from error


async def handle_missing(request: Request, error: KeyError) -> JSONResponse:
    """Answer 404 where gradio looks up a handler that does not exist."""
    return JSONResponse({"detail": UNEXPECTED}, 404)


def handle_errors(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Wrap a handler: show a LatentFaceError as it is; log any other error and show a general message.

    A handler that fails changes nothing on the page, so that the earlier result stays.
    """

    @functools.wraps(function)
    def wrapper(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        try:
            return function(*arguments, **options)
        except LatentFaceError as error:
            raise gr.Error(str(error), duration=SECONDS, print_exception=False) from error
        except gr.Error:
            raise
        except Exception as error:
            logging.getLogger(__name__).exception("%s failed", function.__name__)
            raise gr.Error(FAILED, duration=SECONDS, print_exception=False) from error

    return wrapper
