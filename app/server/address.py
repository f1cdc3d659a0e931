"""The address that the app listens on: defaults, limits, and whether it can be had."""

from __future__ import annotations

import argparse
import os
import socket

from core.errors import LatentFaceError

NAME, PORT = "GRADIO_SERVER_NAME", "GRADIO_SERVER_PORT"
"""Environment variables that give the defaults, as for every gradio app."""


class AddressUnavailable(LatentFaceError):
    """The app cannot listen on the chosen address."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --host and --port to a command line."""
    host = os.environ.get(NAME) or ("0.0.0.0" if "SPACE_ID" in os.environ else "127.0.0.1")
    parser.add_argument("--host", type=lambda text: text.strip("[]"), default=host,
                        help=f"address to listen on, {NAME} sets the default; 0.0.0.0 opens the app to your network")
    parser.add_argument("--port", type=_port, default=os.environ.get(PORT) or "7860",
                        help=f"port to listen on, {PORT} sets the default")


def require_free(host: str, port: int) -> None:
    """Raise AddressUnavailable where the app cannot listen on a port of a host."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does: a port just left is free
            probe.bind(address)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "not a name"
        raise AddressUnavailable(f"The app cannot listen on {host}:{port} ({reason}): choose another --port or "
                                 "--host.") from error


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"choose a whole number from 1 to 65535 (or set {PORT} to it), got {text!r}")
    return int(text)
