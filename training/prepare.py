"""Make a face pack from a folder of photos: find faces, align them, write tar shards and a csv file.

    python -m training.prepare photos/ --out pack/ --size 128
    python -m training.prepare film.mp4 --out people/       # photos of one person, see training.film_people

The pack has the layout that training.data.face_pack reads. The folder also holds report.csv (the result for every
file), summary.json and train_blendshapes.npz (52 expression scores per row of train.csv). The same command continues an
interrupted run, which ends with the same pack, and later adds photos that are new or could not be read before.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import math
import os
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

from core.environment import escape_output
from core.errors import (
    ConfigError,
    FaceNotFound,
    ImageTooLarge,
    ImageTooSmall,
    ImageUnreadable,
    LatentFaceError,
    WeightsDamaged,
    WeightsMissing,
)
from core.faces.align import cut
from core.faces.detect import Detection, locate
from core.faces.load_image import MAX_BYTES, read_photo
from core.files import explain_failure, prepare_folder, write_bytes, writing
from training.film_people import RATE, prepare_film

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

    def __init__(self, folder: Path, config: PrepareConfig, overwrite: bool = False):
        self.folder, self.config, self.overwrite = folder, config, overwrite
        self.work = folder / ".prepare"
        self.journal = self.work / "journal.jsonl"
        shards = [path.name for path in folder.glob(f"{config.split}-[0-9][0-9][0-9].tar")]
        tables = [f"{config.split}.csv", f"{config.split}_blendshapes.npz", "report.csv", "summary.json"]
        prepare_folder(folder, [*shards, *tables], overwrite)
        prepare_folder(self.work)
        with explain_failure(self.journal):
            self.entries = self._resume()
        self.faces = [face for entry in self.entries for face in entry["faces"]]

    def _resume(self) -> list[dict[str, Any]]:
        """Entries of the journal, which is begun if need be; a last line that is incomplete is removed."""
        head = json.dumps({"config": asdict(self.config)}).encode() + b"\n"
        content = self.journal.read_bytes() if self.journal.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if not whole:
            self.journal.write_bytes(head)
        elif not whole.startswith(head):
            raise ConfigError(f"{self.folder} was begun with other settings: use those, or another folder with --out.")
        elif whole != content:
            os.truncate(self.journal, len(whole))
        try:
            return [json.loads(line) for line in whole.splitlines()[1:]]
        except ValueError as error:
            raise ConfigError(f"{self.journal} is damaged: prepare into another folder with --out.") from error

    def add(self, entry: dict[str, Any], images: list[np.ndarray]) -> None:
        """Record the result for one photo.

        Args:
            entry: of the journal; its faces get their names.
            images: (size, size, 3) uint8, one for each face of the entry.
        """
        with explain_failure(self.folder):
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
                with writing(shard, self.overwrite) as part:
                    _write_tar(part, files)
            elif not shard.exists():
                raise ConfigError(f"{shard} is missing: prepare into an empty folder.")
            if len(names) == SHARD:
                for path in files:
                    path.unlink(missing_ok=True)

    def finish(self, unread: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
        """Write shards, csv file, blendshapes and report; return the summary.

        Args:
            unread: entries for the report alone: photos that the next run tries again.
        """
        self.write_shards()
        split, rows = self.config.split, [*self.entries, *unread]
        self._write(f"{split}.csv", _csv_bytes(COLUMNS, self.faces))
        names = list(self.faces[0]["blendshapes"]) if self.faces else []
        scores, file = np.array([list(face["blendshapes"].values()) for face in self.faces], np.float16), io.BytesIO()
        np.savez_compressed(file, scores=scores, names=np.array(names, str))
        self._write(f"{split}_blendshapes.npz", file.getvalue())
        report = [{**row, "faces": len(row["faces"])} for row in rows]
        self._write("report.csv", _csv_bytes(("file", "faces", "refused", "reason"), report))
        summary = {"photos": len(rows), "photos_kept": sum(bool(row["faces"]) for row in rows),
                   "faces": len(self.faces), "refused": Counter(r["refused"] for r in self.entries if r["refused"]),
                   "unread": len(unread)}
        self._write("summary.json", json.dumps(summary, indent=2).encode() + b"\n")
        return summary

    def _write(self, name: str, content: bytes) -> None:
        write_bytes(self.folder / name, content, self.overwrite)


def prepare(photos: Path, out: Path, config: PrepareConfig = PrepareConfig(), quiet: bool = False,
            overwrite: bool = False) -> dict[str, Any]:
    """Make, continue or extend a pack.

    Args:
        photos: folder of photos, searched recursively.
        out: folder of the pack; made if need be.
        config: settings of the pack.
        quiet: no progress bar.
        overwrite: also replace files in `out` that LatentFace did not write.

    Returns:
        The summary: photos, photos_kept, faces, refused (number of photos by the name of the error), unread (number of
        photos that the disk or the memory failed for: the next run tries them again).

    Raises:
        ConfigError: the folder has no files, or the pack was begun with other settings.
        OutputExists, OutputUnwritable: the pack cannot be written, see core.files.writing.
        WeightsMissing, WeightsDamaged: the face detector cannot be loaded.
    """
    photos, out = Path(photos), Path(out)
    files = [path for path in sorted(photos.rglob("*")) if _is_candidate(path, photos, out)]
    if not files:
        raise ConfigError(f"There are no files in {photos}: name a folder of photos.")
    pack, unread = Pack(out, config, overwrite), []
    done = {entry["file"] for entry in pack.entries}
    todo = [path for path in files if path.relative_to(photos).as_posix() not in done]
    with tqdm(todo, initial=len(files) - len(todo), total=len(files), unit="photo", disable=quiet) as bar:
        for path in bar:
            name = path.relative_to(photos).as_posix()
            try:
                entry, images = _process(path, name, config)
            except (WeightsMissing, WeightsDamaged):
                raise
            except (LatentFaceError, OSError, MemoryError) as error:  # says nothing about the photo
                unread.append(_entry(name, error))
                continue
            pack.add(entry, images)
            bar.set_postfix(faces=len(pack.faces))
    return pack.finish(unread)


def _is_candidate(path: Path, photos: Path, out: Path) -> bool:
    """Whether a path is a file that is neither hidden nor part of the pack."""
    hidden = any(part.startswith(".") for part in path.relative_to(photos).parts)
    try:
        return path.is_file() and not hidden and not path.resolve().is_relative_to(out.resolve())
    except OSError:  # nobody knows: reading it says why
        return not hidden


def _process(path: Path, name: str, config: PrepareConfig) -> tuple[dict[str, Any], list[np.ndarray]]:
    """Journal entry and aligned images of one photo. Raises what has to do with this run and not with the photo."""
    source = path if path.stat().st_size > MAX_BYTES else path.read_bytes()
    try:
        pixels = read_photo(source)
        found = locate(pixels)
        if not found:
            raise FaceNotFound("No face was found.")
        large = [face for face in found if face.crop.side >= config.min_side]
        if not large:
            raise ImageTooSmall(f"The largest face covers {found[0].crop.side:.0f} pixels, fewer than "
                                f"{config.min_side}.")
    except (FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable) as error:
        return _entry(name, error), []
    taken = large if config.all_faces else large[:1]
    return _entry(name, faces=[_row(face, name) for face in taken]), [cut(pixels, f.crop, config.size) for f in taken]


def _entry(name: str, error: Exception | None = None, faces: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """Journal entry of one photo: its faces, or why there are none."""
    return {"file": name, "faces": list(faces), "refused": type(error).__name__ if error else "",
            "reason": (str(error) or type(error).__name__) if error else ""}


def _row(face: Detection, file: str) -> dict[str, Any]:
    """Values of one face in the csv file, still without a name, and its blendshapes."""
    pitch, yaw, roll = np.degrees(face.rotation).round(2).tolist()
    x, y = (round(c, 2) for c in face.crop.centre)
    return {"file": file, "pitch_deg": pitch, "yaw_deg": yaw, "roll_deg": roll,
            "source_px": round(face.crop.side, 1), "crop_x": x, "crop_y": y,
            "blendshapes": {key: round(value, 5) for key, value in face.blendshapes.items()}}


def _csv_bytes(columns: Sequence[str], rows: Iterable[dict[str, Any]]) -> bytes:
    """A csv file; names of files keep their bytes where they are no UTF-8."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return file.getvalue().encode("utf-8", "surrogateescape")


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
    parser.add_argument("photos", type=Path, help="folder of photos, searched recursively; or a film of one person")
    parser.add_argument("--out", type=Path, required=True,
                        help="folder of the pack; of a film: folder of people, for train_diffusion --people")
    parser.add_argument("--overwrite", action="store_true", help="also replace files that LatentFace did not write")
    defaults = {field.name: field.default for field in fields(PrepareConfig)}
    parser.add_argument("--size", type=int, help="side of the aligned images, pixels (default %(default)s)")
    parser.add_argument("--min-side", type=int,
                        help="side of the smallest crop to accept, pixels of the photo (default %(default)s)")
    parser.add_argument("--all-faces", action="store_true", help="use every face of a photo, not only the largest")
    parser.add_argument("--rate", type=float, default=RATE, help="of a film: photos a second (default %(default)s)")
    parser.add_argument("--split", help="name of the csv file and the shards (default %(default)s)")
    parser.set_defaults(**defaults)
    escape_output()
    values = vars(parser.parse_args(arguments))
    photos, out, overwrite, rate = (values.pop(name) for name in ("photos", "out", "overwrite", "rate"))
    try:
        if photos.is_file():
            count = prepare_film(photos, out, 2 * PrepareConfig(**values).size, rate, overwrite=overwrite)
            print(f"{count} photos of one person: {out / photos.stem}")
            return
        summary = prepare(photos, out, PrepareConfig(**values), overwrite=overwrite)
    except LatentFaceError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted: the same command continues from here.")
    print(f"{summary['faces']} faces from {summary['photos_kept']} of {summary['photos']} photos; "
          f"reasons for refused files: {out / 'report.csv'}")
    for kind, count in sorted(summary["refused"].items()):
        print(f"  {kind}: {count}")
    if summary["unread"]:
        sys.exit(f"{summary['unread']} files could not be read this time: the same command tries them again.")


if __name__ == "__main__":
    main()
