"""Keep the app offline: it sends no telemetry, and refuses every connection to another machine."""

from __future__ import annotations

import ipaddress
import socket
import sys

ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
"""Set before gradio is imported."""
INTERNET = (socket.AF_INET, socket.AF_INET6)


def stay_offline(host: str) -> None:
    """Refuse, from now on in this process, to look up or reach any address of another machine (PermissionError).

    Without this, gradio downloads a URL that a visitor sends in place of a file, and looks its name up.

    Args:
        host: name or address that the app listens on.
    """
    own = {host, "localhost", *(address[0] for *_, address in socket.getaddrinfo(host, None))}

    def watch(event: str, arguments: tuple) -> None:
        if event in ("socket.connect", "socket.sendto"):
            connection, address = arguments
            if connection.family in INTERNET and not _is_own(address[0], own):
                raise PermissionError(f"{address[0]} is another machine: the app stays offline.")
        elif event == "socket.getaddrinfo" and arguments[0] and not _is_own(_text(arguments[0]), own):
            raise PermissionError(f"{_text(arguments[0])} is another machine: the app stays offline.")

    sys.addaudithook(watch)


def _is_own(name: str, own: set[str]) -> bool:
    if name in own:
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def _text(name: str | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name
