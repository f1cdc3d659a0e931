"""Plots of a measurement, and images of its worst cases."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, PngImagePlugin

from core.files import prepare_folder, write_bytes
from core.pipeline import LatentFace
from training.evaluate.measurement import Measurement
from training.evaluate.report import BAR, read_published
from training.sheets import COLUMNS, sheet

if TYPE_CHECKING:
    from matplotlib.figure import Figure

YAW_BINS = np.arange(-60, 60, 10)
LEAST_IN_BIN = 10
"""Images without which a step of yaw has no point."""
WORST = 12
"""Images on a sheet of worst cases."""


def save(folder: Path, images: dict[str, bytes], overwrite: bool = False) -> None:
    """Write PNG images by name into a folder, which is made where it is missing; errors as of core.files.writing."""
    prepare_folder(folder, [f"{name}.png" for name in images], overwrite)
    for name, content in images.items():
        write_bytes(Path(folder) / f"{name}.png", content, overwrite)


def png(image: Image.Image, about: PngImagePlugin.PngInfo | None = None) -> bytes:
    """An image as PNG."""
    file = io.BytesIO()
    image.save(file, "PNG", pnginfo=about)
    return file.getvalue()


def plot(model: LatentFace, measured: dict[str, Measurement], gaps: dict[str, dict]) -> dict[str, bytes]:
    """Every plot and sheet as PNG, by name.

    Args:
        model: for the sheets, some of which show the measured photos.
        measured: by source, `renders` and `photos`.
        gaps: of training.evaluate.report.gaps.
    """
    import matplotlib

    matplotlib.use("Agg")
    images = {}
    if "renders" in measured:
        rows, inputs = measured["renders"].rows, measured["renders"].images
        errors = {"SIDE ×10⁻²": rows["side"], "MAD (°)": rows["mad"], "pitch error (°)": rows["pose"][:, 0],
                  "yaw error (°)": rows["pose"][:, 1]}
        images["renders-by-yaw"] = _by_yaw(rows["angles"][:, 1], errors, "true yaw of the render (°)")
        for name, error in (("side", rows["side"]), ("pose", rows["pose"].sum(1))):
            images[f"renders-worst-{name}"] = _worst(model, inputs, error)
    if "photos" in measured:
        rows, inputs = measured["photos"].rows, measured["photos"].images
        away = np.abs(rows["pose"][:, :2] - rows["mediapipe"])
        errors = {"L1": rows["l1"], "SSIM": rows["ssim"], "pitch, from MediaPipe's (°)": away[:, 0],
                  "yaw, from MediaPipe's (°)": away[:, 1]}
        images["photos-by-yaw"] = _by_yaw(rows["mediapipe"][:, 1], errors, "MediaPipe's yaw (°)")
        images["photos-pose"] = _poses(rows)
        for name, error in (("l1", rows["l1"]), ("pose", away.sum(1))):
            images[f"photos-worst-{name}"] = _worst(model, inputs, error)
    if gaps:
        images["photos-groups"] = _bars(gaps)
    return images


def _png(figure: Figure) -> bytes:
    file = io.BytesIO()
    figure.savefig(file, dpi=120, format="png")
    return file.getvalue()


def _panels(count: int):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * count, 3.6), layout="constrained")
    return figure, figure.subplots(1, count)


def _by_yaw(yaw: np.ndarray, errors: dict[str, np.ndarray], label: str) -> bytes:
    """Mean of each error and the middle half of its values, in steps of yaw with enough images."""
    figure, panels = _panels(len(errors))
    steps = {low + 5: (yaw >= low) & (yaw < low + 10) for low in YAW_BINS}
    steps = {middle: part for middle, part in steps.items() if part.sum() >= LEAST_IN_BIN}
    for panel, (name, values) in zip(panels, errors.items(), strict=True):
        low, high = ([np.nanquantile(values[part], share) for part in steps.values()] for share in (0.25, 0.75))
        panel.fill_between(list(steps), low, high, alpha=0.25)
        panel.plot(list(steps), [np.nanmean(values[part]) for part in steps.values()], marker="o")
        panel.set(title=name, xlabel=label, ylim=(0, None))
        panel.grid(alpha=0.3)
    return _png(figure)


def _poses(rows: dict[str, np.ndarray]) -> bytes:
    """Pitch and yaw of the model against MediaPipe's, one point a photo."""
    figure, panels = _panels(2)
    for axis, (panel, name) in enumerate(zip(panels, ("pitch", "yaw"), strict=True)):
        theirs, ours = rows["mediapipe"][:, axis], rows["pose"][:, axis]
        reach = np.array([-1, 1]) * max(np.abs(theirs).max(), np.abs(ours).max())
        panel.plot(reach, reach, color="grey", linewidth=1)
        panel.scatter(theirs, ours, s=3, alpha=0.4, linewidths=0)
        panel.set(title=name, xlabel="MediaPipe (°)", ylabel="model (°)", aspect="equal")
        panel.grid(alpha=0.3)
    return _png(figure)


def _bars(gaps: dict[str, dict]) -> bytes:
    """For each figure the worst group of each attribute, in per cent behind all photos."""
    from matplotlib.figure import Figure

    names = {row["key"]: row["name"].removeprefix("photos: ") for row in read_published()["rows"]}
    attributes = list(dict.fromkeys(attribute for groups in gaps.values() for attribute, _ in groups))
    figure = Figure(figsize=(10, 1 + 0.18 * len(gaps) * (1 + len(attributes))), layout="constrained")
    panel, height = figure.subplots(), 0.8 / len(attributes)
    for place, attribute in enumerate(attributes):
        for line, groups in enumerate(gaps.values()):
            behind = {group: gap for (name, group), gap in groups.items() if name == attribute}
            if behind:
                group = max(behind, key=behind.__getitem__)
                y = line + (place - (len(attributes) - 1) / 2) * height
                panel.barh(y, behind[group], height, color=f"C{place}", label=attribute if line == 0 else None)
                panel.text(max(behind[group], 0) + 0.5, y, group, va="center", fontsize=6)
    panel.axvline(BAR, color="red", linewidth=1)
    panel.set(xlabel="worst group, per cent worse than all photos", yticks=range(len(gaps)),
              yticklabels=[names[key] for key in gaps], ylim=(len(gaps) - 0.4, -0.6))
    panel.margins(x=0.15)
    panel.legend(loc="upper right")
    return _png(figure)


def _worst(model: LatentFace, images, errors: np.ndarray) -> bytes:
    """The images with the largest errors, largest first, with everything the model finds in them."""
    chosen = np.argsort(-np.nan_to_num(errors))[:WORST]
    image = sheet(model.analyze(images[chosen].float() / 255).to("cpu"))
    about = PngImagePlugin.PngInfo()
    about.add_itxt("Description", f"{COLUMNS}; rows: " + ", ".join(f"{k} ({errors[k]:.3g})" for k in chosen))
    return png(image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC), about)
