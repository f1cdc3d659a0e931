"""ZeroGPU, hardware of Spaces that lends a GPU for the length of a call. It stops an app that declares no such call.

The app declares one and computes on the CPU: a render takes less time there than borrowing a GPU does.
"""

from __future__ import annotations

import os
from urllib.parse import urlsplit


def declare() -> list[str]:
    """Declare a call to ZeroGPU, before gradio and torch are imported; elsewhere do nothing.

    Returns:
        The machine that ZeroGPU's library then reports to; empty elsewhere.
    """
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return []
    import spaces  # pyright: ignore[reportMissingImports]  # installed by such Spaces alone

    spaces.GPU(_borrow)
    return [host] if (host := urlsplit(os.environ.get("SPACES_ZERO_DEVICE_API_URL", "")).hostname) else []


def _borrow() -> None:
    """The declared call."""
