"""Who waits for whom: what follows a visitor's hand never waits behind other visitors' long work.

Handlers of one queue wait for each other, first come, first served; the rest have a queue each, as gradio gives them.
"""

from __future__ import annotations

import gradio as gr

QUEUES = {
    "hand": (4, ["PoseLight.redraw", "PoseLight.finish", "SwapTab.redraw", "SwapTab.finish", "MapTab.point",
                 "Source.move_crop"]),
    "photo": (2, ["Source.open_first", "Source.open_example", "Source.open_photo", "Source.choose_face",
                  "Source.crop_by_hand", "Inspect.show", "Inspect.refine_face", "Inspect.keep", "Export.open_session",
                  "MapTab.open_face", "SwapTab.open", "SwapTab.follow", "SwapTab.open_donor", "Grid.add_photos",
                  "MapTab.show", "analyze", "render", "frontalize", "swap", "nearest"]),
    "afterwards": (1, ["PoseLight.show", "Inspect.show_mesh", "SwapTab.fill"]),
    "file": (1, ["Export.save", "MapTab.write_faces", "export"]),
}
"""How many of each queue's handlers run at once, and which they are. What is looked at only later has one worker."""


def share(demo: gr.Blocks) -> None:
    """Give the handlers of a page their queues. Raises KeyError where one of those named is not on the page."""
    queues = {handler: (name, limit) for name, (limit, handlers) in QUEUES.items() for handler in handlers}
    found = set()
    for function in demo.fns.values():
        handler = getattr(function.fn, "__qualname__", None)
        if handler in queues:
            function.concurrency_id, function.concurrency_limit = queues[handler]
            found.add(handler)
    if missing := queues.keys() - found:
        raise KeyError(f"no such handlers: {', '.join(sorted(missing))}")
