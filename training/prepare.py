"""Make a face pack from a folder of photos: find faces, align them, write tar shards and a csv file.

    python -m training.prepare photos/ --out pack/ --size 128

The pack has the layout that training.data.face_pack reads. The folder also holds report.csv (the result for every
file), summary.json and train_blendshapes.npz (52 expression scores per row of train.csv). The same command continues an
interrupted run, which ends with the same pack, and later adds photos that are new.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import sys
import tarfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from tqdm import tqdm

from core.errors import (
    ConfigError,
    FaceNotFound,
    ImageTooSmall,
    LatentFaceError,
    OutputUnwritable,
    WeightsDamaged,
    WeightsMissing,
)
from core.faces.align import cut
from core.faces.detect import Detection, locate
from core.faces.load_image import read_photo

SHARD = 4000
"""Faces per tar file."""
QUALITY = 92
"""JPEG quality, 1 to 95."""
COLUMNS = ("name", "file", "pitch_deg", "yaw_deg", "roll_deg", "source_px", "crop_x", "crop_y")
"""Columns of the csv file: pose in degrees; side and centre of the crop in pixels of the photo."""


@dataclass(frozen=True)
class PrepareConfig:
    """The settings of a pack, the same in all runs that make it."""

    size: int = 128
    """Side of the aligned images, pixels."""
    min_side: int = 48
    """Side of the smallest crop that is accepted, pixels of the photo."""
    all_faces: bool = False
    """Use every face of a photo, not only the largest."""
    split: str = "train"
    """Name of the csv file and the shards."""

    def __post_init__(self) -> None:
        if self.size < 16 or self.min_side < 16 or not self.split.isidentifier():
            raise ConfigError("Size and smallest side must be 16 or more, and the split a word of letters and digits.")


class Pack:
    """A pack that is being made, and can be resumed at any moment.

    `.prepare/journal.jsonl` has one line for each finished photo, written after the photo's aligned images. These are
    single files in the same folder until their shard is full. So an interrupted run leaves a correct journal.
    """

    def __init__(self, folder: Path, config: PrepareConfig):
        self.folder, self.config = folder, config
        self.work = folder / ".prepare"
        self.journal = self.work / "journal.jsonl"
        try:
            self.work.mkdir(parents=True, exist_ok=True)
            self.entries = self._resume()
        except OSError as error:
            raise OutputUnwritable(f"{folder} cannot be written: choose another folder with --out.") from error
        self.faces = [face for entry in self.entries for face in entry["faces"]]

    def _resume(self) -> list[dict[str, Any]]:
        """Entries of the journal, which is begun if need be; a last line that is incomplete is removed."""
        head = json.dumps({"config": asdict(self.config)}) + "\n"
        text = self.journal.read_text(encoding="utf-8") if self.journal.exists() else ""
        whole = text[: text.rfind("\n") + 1] or head
        if not whole.startswith(head):
            raise ConfigError(f"{self.folder} was begun with other settings: use those, or another folder with --out.")
        if whole != text:
            self.journal.write_text(whole, encoding="utf-8")
        return [json.loads(line) for line in whole.splitlines()[1:]]

    def add(self, entry: dict[str, Any], images: list[np.ndarray]) -> None:
        """Record the result for one photo.

        Args:
            entry: of the journal; its faces get their names.
            images: (size, size, 3) uint8, one for each face of the entry.
        """
        for face, image in zip(entry["faces"], images, strict=True):
            face["name"] = f"{len(self.faces):06d}"
            Image.fromarray(image).save(self.work / f"{face['name']}.jpg", quality=QUALITY, subsampling=0)
            self.faces.append(face)
        with open(self.journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.entries.append(entry)
        if len(self.faces) // SHARD > (len(self.faces) - len(images)) // SHARD:
            self.write_shards()

    def write_shards(self) -> None:
        """Write the shards whose images are still single files, and delete the files of full shards."""
        for number in range(math.ceil(len(self.faces) / SHARD)):
            names = [face["name"] for face in self.faces[number * SHARD : (number + 1) * SHARD]]
            files = [self.work / f"{name}.jpg" for name in names]
            shard = self.folder / f"{self.config.split}-{number:03d}.tar"
            if all(path.exists() for path in files):
                part = self.work / "shard.part"
                _write_tar(part, files)
                part.replace(shard)
            elif not shard.exists():
                raise ConfigError(f"{shard} is missing: prepare into an empty folder.")
            if len(names) == SHARD:
                for path in files:
                    path.unlink(missing_ok=True)

    def finish(self) -> dict[str, Any]:
        """Write shards, csv file, blendshapes and report; return the summary."""
        self.write_shards()
        split, rows = self.config.split, self.entries
        _write_csv(self.folder / f"{split}.csv", COLUMNS, self.faces)
        names = list(self.faces[0]["blendshapes"]) if self.faces else []
        scores = np.array([list(face["blendshapes"].values()) for face in self.faces], np.float16)
        np.savez_compressed(self.folder / f"{split}_blendshapes.npz", scores=scores, names=np.array(names, str))
        report = [{**row, "faces": len(row["faces"])} for row in rows]
        _write_csv(self.folder / "report.csv", ("file", "faces", "refused", "reason"), report)
        summary = {"photos": len(rows), "photos_kept": sum(bool(row["faces"]) for row in rows),
                   "faces": len(self.faces), "refused": Counter(r["refused"] for r in rows if r["refused"])}
        (self.folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n")
        return summary


def prepare(photos: Path, out: Path, config: PrepareConfig = PrepareConfig(), quiet: bool = False) -> dict[str, Any]:
    """Make, continue or extend a pack.

    Args:
        photos: folder of photos, searched recursively.
        out: folder of the pack; made if need be.
        config: settings of the pack.
        quiet: no progress bar.

    Returns:
        The summary: photos, photos_kept, faces, refused (number of photos by the name of the error).

    Raises:
        ConfigError: the folder has no files, or the pack was begun with other settings.
        OutputUnwritable: the pack cannot be written.
        WeightsMissing, WeightsDamaged: the face detector cannot be loaded.
    """
    photos, out = Path(photos), Path(out)
    files = [path for path in sorted(photos.rglob("*")) if _is_candidate(path, photos, out)]
    if not files:
        raise ConfigError(f"There are no files in {photos}: name a folder of photos.")
    pack = Pack(out, config)
    done = {entry["file"] for entry in pack.entries}
    todo = [path for path in files if path.relative_to(photos).as_posix() not in done]
    with tqdm(todo, initial=len(files) - len(todo), total=len(files), unit="photo", disable=quiet) as bar:
        for path in bar:
            pack.add(*_process(path, path.relative_to(photos).as_posix(), config))
            bar.set_postfix(faces=len(pack.faces))
    return pack.finish()


def _is_candidate(path: Path, photos: Path, out: Path) -> bool:
    """Whether a path is a file that is neither hidden nor part of the pack."""
    hidden = any(part.startswith(".") for part in path.relative_to(photos).parts)
    return path.is_file() and not hidden and not path.resolve().is_relative_to(out.resolve())


def _process(path: Path, name: str, config: PrepareConfig) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Journal entry and aligned images of one photo."""
    entry: dict[str, Any] = {"file": name, "faces": [], "refused": "", "reason": ""}
    try:
        pixels = read_photo(path)
        found = locate(pixels)
        if not found:
            raise FaceNotFound("No face was found.")
        large = [face for face in found if face.crop.side >= config.min_side]
        if not large:
            raise ImageTooSmall(f"The largest face covers {found[0].crop.side:.0f} pixels, fewer than "
                                f"{config.min_side}.")
    except (WeightsMissing, WeightsDamaged):
        raise
    except LatentFaceError as error:
        return {**entry, "refused": type(error).__name__, "reason": str(error)}, []
    taken = large if config.all_faces else large[:1]
    entry["faces"] = [_row(face, name) for face in taken]
    return entry, [cut(pixels, face.crop, config.size) for face in taken]


def _row(face: Detection, file: str) -> dict[str, Any]:
    """Values of one face in the csv file, still without a name, and its blendshapes."""
    pitch, yaw, roll = np.degrees(face.rotation).round(2).tolist()
    x, y = (round(c, 2) for c in face.crop.centre)
    return {"file": file, "pitch_deg": pitch, "yaw_deg": yaw, "roll_deg": roll,
            "source_px": round(face.crop.side, 1), "crop_x": x, "crop_y": y,
            "blendshapes": {key: round(value, 5) for key, value in face.blendshapes.items()}}


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> None:
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _write_tar(path: Path, files: Iterable[Path]) -> None:
    """Write a tar file without dates and owners: equal images make equal shards."""
    with tarfile.open(path, "w") as tar:
        for file in files:
            data = file.read_bytes()
            member = tarfile.TarInfo(file.name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def main(arguments: list[str] | None = None) -> None:
    """Command line; see the module's docstring."""
    parser = argparse.ArgumentParser(prog="python -m training.prepare",
                                     description="Make a face pack from a folder of photos.")
    parser.add_argument("photos", type=Path, help="folder of photos, searched recursively")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pack")
    defaults = {field.name: field.default for field in fields(PrepareConfig)}
    parser.add_argument("--size", type=int, help="side of the aligned images, pixels (default %(default)s)")
    parser.add_argument("--min-side", type=int,
                        help="side of the smallest crop to accept, pixels of the photo (default %(default)s)")
    parser.add_argument("--all-faces", action="store_true", help="use every face of a photo, not only the largest")
    parser.add_argument("--split", help="name of the csv file and the shards (default %(default)s)")
    parser.set_defaults(**defaults)
    values = vars(parser.parse_args(arguments))
    photos, out = values.pop("photos"), values.pop("out")
    try:
        summary = prepare(photos, out, PrepareConfig(**values))
    except LatentFaceError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted: the same command continues from here.")
    print(f"{summary['faces']} faces from {summary['photos_kept']} of {summary['photos']} photos; "
          f"reasons for refused files: {out / 'report.csv'}")
    for kind, count in sorted(summary["refused"].items()):
        print(f"  {kind}: {count}")


if __name__ == "__main__":
    main()
