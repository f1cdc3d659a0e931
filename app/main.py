"""Command line of the app, and the page that holds its tabs."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from app.server import offline

if TYPE_CHECKING:
    import gradio as gr

ROOT = Path(__file__).parent.parent
UNCOUNTED = {"GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9), "GRADIO_ANALYTICS_MAX_EVENTS": "1"}
"""Set before gradio is imported: else it remembers the last 10,000 requests and sums them up after each one."""
THREADS = 1
"""Torch's threads per handler: maps are small, visitors already run side by side, and waiting threads would spin."""
SWITCH_SECONDS = 0.0005
"""After which a thread hands on Python's lock. Torch lets go of it at every step of a picture, and by default a thread
that works in Python keeps it for ten times as long: the picture would then wait at every step."""
VISITORS = 50
"""Sessions held in memory, each with its photo; the one unused for longest is forgotten."""
FORGET_SECONDS = 600
"""Files of uploads and results are deleted at this age."""
SWEEP_SECONDS = 60
"""Between two looks for such files."""


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve until interrupted."""
    parser = _parser()
    options = parser.parse_args(arguments)
    os.environ.update(offline.ENVIRONMENT | UNCOUNTED)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the folder below is removed then too

    from core.errors import LatentFaceError

    try:
        with tempfile.TemporaryDirectory(prefix="latentface-") as folder:
            os.environ["GRADIO_TEMP_DIR"] = os.environ["MPLCONFIGDIR"] = tempfile.tempdir = folder
            offline.stay_offline(options.host)
            threading.Thread(target=sweep, args=[Path(folder)], name="sweep", daemon=True).start()
            serve(options.host, options.port, options.weights)
    except LatentFaceError as error:
        parser.exit(1, f"{error}\n")
    except OSError:
        parser.exit(1, f"The app cannot listen on {options.host}:{options.port}: choose another --port or --host.\n")


def serve(host: str, port: int, weights: Path | None) -> None:
    """Check the weights, then serve while the model warms up in the background.

    Raises:
        WeightsMissing: there are no weights at the given path, or none are bundled.
        OSError: the port is taken.
    """
    import torch

    from app.session import session as state

    state.choose_weights(weights)
    torch.set_num_threads(THREADS)
    sys.setswitchinterval(SWITCH_SECONDS)
    from app.server.errors import unknown  # gradio takes seconds to import: not before it is needed
    from app.widgets.theme import theme

    demo = build_demo()
    _, url, _ = demo.launch(
        server_name=host,
        server_port=port,
        share=False,
        theme=theme(),
        css_paths=ROOT / "app" / "static" / "style.css",
        favicon_path=ROOT / "app" / "static" / "favicon.svg",
        max_file_size="20mb",
        state_session_capacity=VISITORS,
        run_history=False,
        footer_links=[],
        ssr_mode=False,
        show_error=False,
        quiet=True,
        prevent_thread_lock=True,
        app_kwargs={"exception_handlers": {KeyError: unknown}},
    )
    print(f"LatentFace: {url}", flush=True)
    state.warm_up_in_background()
    demo.block_thread()


def sweep(folder: Path) -> None:
    """Forget what visitors leave behind, for ever."""
    while True:
        time.sleep(SWEEP_SECONDS)
        forget(folder, FORGET_SECONDS)


def forget(folder: Path, age: float) -> None:
    """Delete files in a folder from this age on, in seconds, whoever wrote them, and folders that have become empty."""
    latest = time.time() - age
    for path in sorted(folder.rglob("*"), reverse=True):  # what is in a folder before the folder
        with contextlib.suppress(OSError):  # gone already, or not empty
            if path.lstat().st_mtime <= latest:
                path.rmdir() if path.is_dir() else path.unlink()


def build_demo() -> gr.Blocks:
    """The page: a header, the photo, and one tab per activity, see app.tabs."""
    import gradio as gr

    from app.server.errors import Answering
    from app.server.queues import share
    from app.session.export import Export
    from app.tabs.about import About
    from app.tabs.api import Api
    from app.tabs.inspect import Inspect
    from app.tabs.latent_map import MapTab
    from app.tabs.photo_panel import Source
    from app.tabs.pose_light import PoseLight
    from app.tabs.shared_state import Page
    from app.tabs.swap import SwapTab
    from app.widgets.address import keep_tab
    from app.widgets.texts import read_text

    with Answering(title="LatentFace", analytics_enabled=False) as demo:
        page = Page()
        with gr.Row(elem_id="top"):
            gr.Markdown(read_text("header"), elem_id="header")
            export = Export(page)
        with gr.Row(elem_id="panels"):
            with gr.Column(scale=4, min_width=260, elem_id="source"):
                source = Source(page, demo)
            with gr.Column(scale=17, min_width=300, elem_id="work"), gr.Tabs(overflow_behavior="wrap") as tabs:
                with gr.Tab("Inspect", id="inspect"):
                    Inspect(page)
                with gr.Tab("Pose & light", id="pose"):
                    pose = PoseLight(page)
                with gr.Tab("Swap", id="swap") as tab:
                    swap = SwapTab(page, tab)
                with gr.Tab("Latent map", id="map"):
                    MapTab(page)
                with gr.Tab("API", id="api"):
                    Api(page)
                with gr.Tab("About", id="about"):
                    About(page)
        export.connect(pose.session, pose.settings, swap.controls)
        keep_tab(tabs, swap.restored_after(source.loaded))
    share(demo)
    return demo


def _parser() -> argparse.ArgumentParser:
    on_spaces = "SPACE_ID" in os.environ
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="LatentFace in the browser: one face photo, taken apart into depth, albedo, light and pose.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--host", default="0.0.0.0" if on_spaces else "127.0.0.1",
                        help="address to listen on; 0.0.0.0 opens the app to your network")
    parser.add_argument("--port", type=int, default=7860, help="port to listen on")
    parser.add_argument("--weights", type=Path, help="safetensors file to use instead of the bundled weights")
    return parser
