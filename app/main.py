"""Command line of the app, and the page that holds its tabs."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from app.server import address, memory, offline, zero_gpu
from app.server.cleanup import sweep
from core.environment import open_streams
from core.errors import LatentFaceError

if TYPE_CHECKING:
    import gradio as gr

    from app.tabs.shared_state import SharedState
    from app.tabs.studio import Studio

ROOT = Path(__file__).parent.parent
NO_ANALYTICS = {"GRADIO_ANALYTICS_CACHE_FREQUENCY": str(10**9), "GRADIO_ANALYTICS_MAX_EVENTS": "1"}
"""Set before gradio is imported. By default it stores the last 10,000 requests and summarizes them after each one."""
THREADS = 1
"""Torch threads per handler: maps are small, visitors already run in parallel, and idle threads would spin."""
SWITCH_SECONDS = 0.0005
"""Interval after which a thread releases Python's global lock. Torch releases it at every operation, while a thread
that runs Python code holds it ten times longer by default, so that a render would wait at every operation."""
MAX_SESSIONS = 50
"""Sessions in memory, each with its photo; the one unused for longest is deleted first."""


def main(arguments: list[str] | None = None) -> None:
    """Parse the command line and serve until interrupted."""
    open_streams()
    parser = _parser()
    options = parser.parse_args(arguments)
    for name in (address.NAME, address.PORT):
        os.environ.pop(name, None)  # the options hold them now; gradio would check them again in its own way
    os.environ.update(offline.ENVIRONMENT | NO_ANALYTICS)
    memory.share_heaps()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the temporary folder is removed then too

    try:
        address.require_free(options.host, options.port)
        with tempfile.TemporaryDirectory(prefix="latentface-") as folder:
            os.environ["GRADIO_TEMP_DIR"] = os.environ["MPLCONFIGDIR"] = tempfile.tempdir = folder
            offline.stay_offline(options.host, *zero_gpu.declare())
            threading.Thread(target=sweep, args=[Path(folder)], name="sweep", daemon=True).start()
            serve(options.host, options.port, options.weights)
    except LatentFaceError as error:
        parser.exit(1, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit()  # stopped while it was starting
    except OSError as error:
        reason = ": ".join(filter(None, (error.filename, error.strerror))) or str(error)
        parser.exit(1, f"The app cannot start: {reason}.\n")


def serve(host: str, port: int, weights: Path | None) -> None:
    """Check the weights, then serve while the model warms up in the background.

    Raises:
        WeightsMissing: there are no weights at the given path, or none are bundled.
        OSError: a file of the app is missing, or the port was taken meanwhile.
    """
    import torch

    from app.session.session import choose_weights, warm_up_in_background

    choose_weights(weights)
    torch.set_num_threads(THREADS)
    sys.setswitchinterval(SWITCH_SECONDS)
    from app.server.errors import handle_missing  # gradio takes seconds to import, so it is imported late
    from app.widgets.theme import theme
    from app.widgets.tour import frames

    demo = build_demo()
    _, url, _ = demo.launch(
        server_name=f"[{host}]" if ":" in host else host,  # gradio wants IPv6 addresses as they are in URLs
        server_port=port,
        share=False,
        theme=theme(),
        css_paths=ROOT / "app" / "static" / "style.css",
        favicon_path=ROOT / "app" / "static" / "favicon.svg",
        max_file_size="64mb",
        state_session_capacity=MAX_SESSIONS,
        run_history=False,
        footer_links=[],
        ssr_mode=False,
        show_error=False,
        quiet=True,
        prevent_thread_lock=True,
        app_kwargs={"exception_handlers": {KeyError: handle_missing}},
    )
    print(f"LatentFace: {url}", flush=True)
    warm_up_in_background(frames)
    demo.block_thread()


def build_demo() -> gr.Blocks:
    """Build the page: a header, the photo panel, and one tab per activity, see app.tabs."""
    import gradio as gr

    from app.server.errors import SafeBlocks
    from app.server.queues import install
    from app.tabs.export_menu import ExportMenu
    from app.tabs.photo_panel import PhotoPanel
    from app.tabs.shared_state import SharedState
    from app.widgets.assets import read_text
    from app.widgets.section import section_header
    from app.widgets.url_state import keep_tab

    with SafeBlocks(title="LatentFace", analytics_enabled=False) as demo:
        shared = SharedState()
        with gr.Row(elem_id="top"):
            gr.Markdown(read_text("header"), elem_id="header")
            export = ExportMenu(shared)
        with gr.Row(elem_id="panels"):
            with gr.Column(scale=4, min_width=260, elem_id="photo-panel"):
                section_header("photo", "Photo and examples", False, "photo-parts", can_reset=False)  # on phones only
                with gr.Column(elem_id="photo-parts"):
                    panel = PhotoPanel(shared, demo)
            with gr.Column(scale=17, min_width=300, elem_id="work"), gr.Tabs(overflow_behavior="wrap") as tabs:
                studio = _build_tabs(shared)
        export.connect(studio)
        keep_tab(tabs, panel.loaded)
    install(demo)
    return demo


def _build_tabs(shared: SharedState) -> Studio:
    """Build all tabs; returns the one whose edits the export menu reads."""
    import gradio as gr

    from app.tabs.about import About
    from app.tabs.api import Api
    from app.tabs.compare_photos import ComparePhotos
    from app.tabs.inspect import Inspect
    from app.tabs.latent_map import MapTab
    from app.tabs.studio import Studio
    from app.tabs.swap import SwapPanes
    from app.tabs.time import TimeTab

    with gr.Tab("Studio", id="studio"):
        studio = Studio(shared)
        with gr.Tabs(elem_id="panes", overflow_behavior="wrap"):
            Inspect(shared)
            SwapPanes(shared, studio.ui.seed, studio.ui.detail)
            ComparePhotos(shared)
    with gr.Tab("Latent map", id="map"):
        MapTab(shared)
    with gr.Tab("Time", id="time") as tab:
        TimeTab(shared, tab)
    with gr.Tab("API", id="api"):
        Api()
    with gr.Tab("About", id="about"):
        About()
    return studio


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="LatentFace in the browser: one face photo, decomposed into depth, albedo, light and pose.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    address.add_arguments(parser)
    parser.add_argument("--weights", type=Path, help="safetensors file to use instead of the bundled weights")
    return parser
