"""Keep the app offline: it sends no telemetry, and refuses every connection to another machine."""

from __future__ import annotations

import ipaddress
import socket
import sys

ENVIRONMENT = {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
               "NO_PROXY": "*", "no_proxy": "*"}
"""Set before gradio is imported. At its start gradio calls the app itself, which must not go through a proxy."""
INTERNET = (socket.AF_INET, socket.AF_INET6)
REACHING = ("socket.connect", "socket.sendto", "socket.sendmsg")
"""Audit events with a socket and an address, of connect_ex too; None is the address of a connected socket."""
LOOKING_UP = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
"""Audit events whose first argument is, or begins with, a name or address; of gethostbyname_ex and getfqdn too."""


def stay_offline(host: str, *others: str) -> None:
    """Refuse, from now on in this process, to look up or reach any address of another machine (PermissionError).

    Without this, gradio downloads a URL that a visitor sends in place of a file, and looks its name up. One gap: a name
    given to `socket.connect` itself is looked up before the hook is asked. Libraries call `getaddrinfo` first.

    Args:
        host: name or address that the app listens on.
        others: machines that may be reached.
    """
    own = {"localhost", *(name for one in (host, *others) for name in (one, *_addresses(one)))}

    def watch(event: str, arguments: tuple) -> None:
        if event in REACHING:
            connection, address = arguments
            name = address[0] if address and connection.family in INTERNET else None
        elif event in LOOKING_UP:
            name = arguments[0][0] if event == "socket.getnameinfo" else arguments[0]
        else:
            return
        if name and not _is_own(_text(name), own):
            raise PermissionError(f"{_text(name)} is another machine: the app stays offline.")

    sys.addaudithook(watch)


def _addresses(host: str) -> list[str]:
    return [str(address[0]) for *_, address in socket.getaddrinfo(host, None)]


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
