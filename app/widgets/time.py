"""The widgets of the Time tab: the face that follows, the camera, and the timeline of a film."""

from __future__ import annotations

import math
from typing import Any

import gradio as gr
import numpy as np
import torch
from torch import Tensor

from app.session.film import FilmSession
from app.widgets.assets import file_url, read_script, read_style
from app.widgets.images import EMPTY, data_url
from app.widgets.latent_map import plotly_path
from core.model.expression_basis import EXPRESSION_NAMES

STRIP = 12
"""Frames of the filmstrip."""
LINES = 5
"""Expressions that are plotted: those that change most."""
HERO = f"""<div class="stage"><img class="face" src="{EMPTY}" alt="Your photo's face, as the film moves it">
<div class="driver"><img src="{EMPTY}" alt="The film" hidden><video muted playsinline hidden></video></div></div>
<div class="bar"><button type="button" class="camera" aria-pressed="false">Live camera</button>
<button type="button" class="neutral" hidden title="Count all changes from your face as it is now">Neutral</button>
<button type="button" class="record" hidden aria-pressed="false">Record</button>
<button type="button" class="snapshot">Snapshot</button><output aria-live="polite"></output></div>"""
TIMELINE = """<div class="bar"><button type="button" class="play" aria-pressed="false">Play</button>
<button type="button" class="begin">Begin here</button><button type="button" class="end">End here</button>
<button type="button" class="all">Whole film</button><output></output></div>
<div class="strip" role="slider" tabindex="0" aria-label="Time in the film, seconds" aria-valuemin="0"></div>
<div class="plots" data-library="{library}"></div>
<i class="cursor"></i><i class="out before"></i><i class="out after"></i>"""


def hero() -> gr.HTML:
    """The page's face beside what moves it: a film's frame or the camera.

    `value` is the face's data URL, `driver` that of the film's frame. The events `start`, `frame` (frame, second),
    `neutral`, `record` (on) and `stopped` are the camera's: after `start` the page waits for another `ready`; then it
    sends frames, and the next ones as `second`, the time of the latest that was answered, allows. `snapshot` asks for
    `saved`, a lossless image that is downloaded. `message` is shown below; another value of `face` stops the camera.
    """
    return gr.HTML(html_template=HERO, value=EMPTY, driver="", ready="", second=0, message="", saved="", face="",
                   elem_id="time-hero", apply_default_css=False, css_template=read_style("time"),
                   js_on_load=read_script("events", "download", "time_hero"))


def timeline() -> gr.HTML:
    """Filmstrip and plots of a film: `value` is `timeline_data(film)`.

    Events: `scrub` (second) for the cursor, `span` (begin, end; seconds) for the part that is chosen.
    """
    library = plotly_path()
    gr.set_static_paths([library])
    return gr.HTML(None, html_template=TIMELINE.replace("{library}", file_url(library)), visible="hidden",
                   elem_id="timeline", apply_default_css=False, css_template=read_style("time"),
                   js_on_load=read_script("events", "timeline"))


def saved() -> gr.HTML:
    """Messages on the progress of an export; its property `file`, a `url` and a `name`, is downloaded."""
    script = "\nwatch('file', () => download(props.file.url, props.file.name));"
    return gr.HTML("", file=None, html_template="<output>${value}</output>", elem_id="time-saved",
                   elem_classes="credit", apply_default_css=False, js_on_load=read_script("download") + script)


def seconds(event: gr.EventData, name: str) -> float:
    """A time that the page sends with an event; 0 where it sends none."""
    value = getattr(event, name, 0)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def timeline_data(film: FilmSession) -> dict[str, Any]:
    """Everything that the timeline shows, as JSON."""
    track, frames = film.track, film.track.frames
    rotation, light = frames.view.rotation.rad2deg(), frames.light
    across, above = (torch.rad2deg(torch.atan2(frames.light.direction[:, axis], light.direction[:, 2]))
                     for axis in (0, 1))
    groups = [
        {"title": "Expression", "unit": "", "lines": _expressions(film)},
        {"title": "Pose", "unit": "°", "lines": [_line(name, rotation[:, axis]) for axis, name in
                                                 ((1, "yaw"), (0, "pitch"), (2, "roll"))]},
        {"title": "Light", "unit": "°", "lines": [_line("from left", across), _line("from above", above)]},
        {"title": "Identity", "unit": "", "lines": [_line("distance", track.identity.distance.cpu(), 3)],
         "band": round(track.identity.spread, 3)}]
    return {"times": [round(time, 3) for time in frames.time.tolist()], "seconds": film.seconds,
            "starts": frames.start.tolist(), "neutral": frames.time[track.neutral].item(), "groups": groups,
            "strip": [data_url(jpeg, "jpeg") for jpeg in film.strip(STRIP)]}


def _expressions(film: FilmSession) -> list[dict[str, Any]]:
    """The expressions that change most, counted from the neutral frame; both sides of the face together."""
    frames = film.track.frames
    change = frames.expression - frames.expression[film.track.neutral]
    sides: dict[str, list[Tensor]] = {}
    for name, values in zip(EXPRESSION_NAMES, change.unbind(1), strict=True):
        sides.setdefault(name.removesuffix("_L").removesuffix("_R"), []).append(values)
    means = {name: torch.stack(values).mean(0) for name, values in sides.items()}
    widest = sorted(means, key=lambda name: -(means[name].max() - means[name].min()).item())[:LINES]
    return [_line(_words(name), means[name]) for name in widest]


def _words(name: str) -> str:
    """A name of an expression in words: "mouthSmile" is "mouth smile"."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()


def _line(name: str, values: Tensor, digits: int = 2) -> dict[str, Any]:
    return {"name": name, "values": np.round(values.double().numpy(), digits).tolist()}
