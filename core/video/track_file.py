"""A track as files: a table of its frames as CSV and Parquet, its identity, and a summary."""

from __future__ import annotations

import io
import json
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.export.provenance import SYNTHETIC
from core.files import writing
from core.model.expression_basis import EXPRESSION_NAMES
from core.video.track import Track

if TYPE_CHECKING:
    import pyarrow as pa

TRACK_FILES = {
    "track.csv": "a row for each frame: time, pose, light, confidence, crop, distance of the identity, expressions",
    "track.parquet": "the same, with the codes of each frame",
    "identity.npz": "the identity that all frames share: depth and albedo",
    "summary.json": "the film's frames and times in numbers",
}
"""What `write_track` writes."""


def track_table(track: Track) -> pa.Table:
    """A row for each frame; names of columns end in their unit: _s seconds, _deg degrees, _px pixels of the film."""
    import pyarrow as pa

    frames = track.frames
    rotation, light = frames.view.rotation.rad2deg(), frames.light
    x, y, side, roll = frames.crop.unbind(1)
    columns: dict[str, Any] = {
        "time_s": frames.time, "pitch_deg": rotation[:, 0], "yaw_deg": rotation[:, 1], "roll_deg": rotation[:, 2],
        "ambient": light.ambient, "diffuse": light.diffuse,
        **{f"light_{axis}": light.direction[:, index] for index, axis in enumerate("xyz")},
        "confidence": frames.confidence, "crop_x_px": x, "crop_y_px": y, "crop_side_px": side,
        "crop_roll_deg": roll.rad2deg(), "start": frames.start, "identity_distance": track.identity.distance.cpu(),
        **dict(zip(EXPRESSION_NAMES, frames.expression.unbind(1), strict=True))}
    table = pa.table({name: values.numpy() for name, values in columns.items()})
    for name, codes in (("depth_code", frames.codes.depth_code), ("albedo_code", frames.codes.albedo_code)):
        table = table.append_column(name, pa.array(list(codes.cpu().numpy())))
    return table


def table_bytes(track: Track, ending: str) -> bytes:
    """`track_table` as ".csv", without codes, or ".parquet"."""
    import pyarrow.csv
    import pyarrow.parquet

    table, file = track_table(track), io.BytesIO()
    if ending == ".csv":
        pyarrow.csv.write_csv(table.drop_columns(["depth_code", "albedo_code"]), file)
    else:
        pyarrow.parquet.write_table(table, file)
    return file.getvalue()


def summary(track: Track, film: str, weights: str) -> dict[str, Any]:
    """What a track says in a few numbers.

    Args:
        track: of one face.
        film: name of the film.
        weights: fingerprint of the model.
    """
    times = track.frames.time
    return {**SYNTHETIC, "note": "A model's estimate from a film.", "film": film, "weights": weights,
            "frames": len(times), "first_s": times[0].item(), "last_s": times[-1].item(),
            "starts_s": times[track.frames.start].tolist(), "neutral_s": times[track.neutral].item(),
            "identity_spread": track.identity.spread, "disagreeing_s": track.disagreeing}


def write_track(track: Track, folder: Path, film: str, weights: str, overwrite: bool = False) -> dict[str, Any]:
    """Write `TRACK_FILES` into a folder, all or none; returns `summary`, whose arguments these are.

    Raises:
        OutputExists, OutputUnwritable: see core.files.writing.
    """
    found, identity = summary(track, film, weights), track.identity.codes
    with ExitStack() as files:
        def part(name: str) -> Path:
            return files.enter_context(writing(folder / name, overwrite))

        for name in ("track.csv", "track.parquet"):
            part(name).write_bytes(table_bytes(track, Path(name).suffix))
        with open(part("identity.npz"), "wb") as file:
            np.savez(file, depth=identity.depth[0].cpu().numpy(), albedo=identity.albedo[0].cpu().numpy())
        part("summary.json").write_text(json.dumps(found, indent=2, ensure_ascii=False), encoding="utf-8")
    return found
