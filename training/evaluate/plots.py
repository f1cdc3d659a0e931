"""Plots of a measurement, and images of its worst cases."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, PngImagePlugin

from core.pipeline import LatentFace
from training.evaluate.measurement import Measurement
from training.evaluate.report import BAR, read_published
from training.sheets import COLUMNS, sheet

YAW_BINS = np.arange(-60, 60, 10)
LEAST_IN_BIN = 10
"""Images without which a step of yaw has no point."""
WORST = 12
"""Images on a sheet of worst cases."""


def save(folder: Path, model: LatentFace, measured: dict[str, Measurement], gaps: dict[str, dict]) -> None:
    """Write every plot and sheet into a folder.

    Args:
        folder: made where it is missing. Some of its images show the measured photos.
        model: for the sheets.
        measured: by source, `renders` and `photos`.
        gaps: of training.evaluate.report.gaps.
    """
    import matplotlib

    matplotlib.use("Agg")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if "renders" in measured:
        rows, images = measured["renders"].rows, measured["renders"].images
        errors = {"SIDE ×10⁻²": rows["side"], "MAD (°)": rows["mad"], "pitch error (°)": rows["pose"][:, 0],
                  "yaw error (°)": rows["pose"][:, 1]}
        _by_yaw(folder / "renders-by-yaw.png", rows["angles"][:, 1], errors, "true yaw of the render (°)")
        for name, error in (("side", rows["side"]), ("pose", rows["pose"].sum(1))):
            _worst(folder / f"renders-worst-{name}.png", model, images, error)
    if "photos" in measured:
        rows, images = measured["photos"].rows, measured["photos"].images
        away = np.abs(rows["pose"][:, :2] - rows["mediapipe"])
        errors = {"L1": rows["l1"], "SSIM": rows["ssim"], "pitch, from MediaPipe's (°)": away[:, 0],
                  "yaw, from MediaPipe's (°)": away[:, 1]}
        _by_yaw(folder / "photos-by-yaw.png", rows["mediapipe"][:, 1], errors, "MediaPipe's yaw (°)")
        _poses(folder / "photos-pose.png", rows)
        for name, error in (("l1", rows["l1"]), ("pose", away.sum(1))):
            _worst(folder / f"photos-worst-{name}.png", model, images, error)
    if gaps:
        _bars(folder / "photos-groups.png", gaps)


def _panels(count: int):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4 * count, 3.6), layout="constrained")
    return figure, figure.subplots(1, count)


def _by_yaw(path: Path, yaw: np.ndarray, errors: dict[str, np.ndarray], label: str) -> None:
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
    figure.savefig(path, dpi=120)


def _poses(path: Path, rows: dict[str, np.ndarray]) -> None:
    """Pitch and yaw of the model against MediaPipe's, one point a photo."""
    figure, panels = _panels(2)
    for axis, (panel, name) in enumerate(zip(panels, ("pitch", "yaw"), strict=True)):
        theirs, ours = rows["mediapipe"][:, axis], rows["pose"][:, axis]
        reach = np.array([-1, 1]) * max(np.abs(theirs).max(), np.abs(ours).max())
        panel.plot(reach, reach, color="grey", linewidth=1)
        panel.scatter(theirs, ours, s=3, alpha=0.4, linewidths=0)
        panel.set(title=name, xlabel="MediaPipe (°)", ylabel="model (°)", aspect="equal")
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def _bars(path: Path, gaps: dict[str, dict]) -> None:
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
    figure.savefig(path, dpi=120)


def _worst(path: Path, model: LatentFace, images, errors: np.ndarray) -> None:
    """The images with the largest errors, largest first, with everything the model finds in them."""
    chosen = np.argsort(-np.nan_to_num(errors))[:WORST]
    image = sheet(model.analyze(images[chosen].float() / 255).to("cpu"))
    about = PngImagePlugin.PngInfo()
    about.add_itxt("Description", f"{COLUMNS}; rows: " + ", ".join(f"{k} ({errors[k]:.3g})" for k in chosen))
    image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC).save(path, pnginfo=about)
