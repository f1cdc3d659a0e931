"""Make a face pack out of a folder of photos: find faces, align them, write tar shards and a csv.

    python -m training.prepare photos/ --out pack/ --size 128

The pack has the layout that training.data.face_pack reads. Beside it stand report.csv (what became of every file),
summary.json and train_blendshapes.npz (52 expression scores per row of train.csv). An interrupted run goes on with
the same command and ends with the same pack; run again later, it adds the photos that are new.
"""

import argparse
import csv
import io
import json
import math
import sys
import tarfile
from collections import Counter
from dataclasses import asdict, dataclass, fields
from pathlib import Path

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
from core.faces.detect import locate
from core.faces.load_image import read_photo

SHARD = 4000
"""Faces per tar file."""
QUALITY = 92
"""Of the JPEGs."""
COLUMNS = ("name", "file", "pitch_deg", "yaw_deg", "roll_deg", "source_px", "crop_x", "crop_y")


@dataclass(frozen=True)
class PrepareConfig:
    """What decides the content of a pack; it must not change between the runs that make one."""

    size: int = 128
    """Side of the aligned pictures in pixels."""
    min_side: int = 48
    """Faces whose crop is smaller than this in the photo, in pixels, are refused."""
    all_faces: bool = False
    """Take every face of a photo, not only the largest."""
    split: str = "train"
    """Name of the csv and the shards."""

    def __post_init__(self):
        if self.size < 16 or self.min_side < 16 or not self.split.isidentifier():
            raise ConfigError("Size and smallest side must be 16 or more, and the split a plain word.")


class Pack:
    """A pack in the making.

    `.prepare/journal.jsonl` has one line per finished photo, written after its pictures; pictures lie loose beside it
    until their shard is full. So whatever moment a run ends at, what the journal says is true.
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

    def _resume(self):
        """Read the journal, or start it; a last line cut short by a crash is dropped."""
        head = json.dumps({"config": asdict(self.config)}) + "\n"
        text = self.journal.read_text(encoding="utf-8") if self.journal.exists() else ""
        whole = text[: text.rfind("\n") + 1] or head
        if not whole.startswith(head):
            raise ConfigError(f"{self.folder} was begun with other settings: use those, or another --out.")
        if whole != text:
            self.journal.write_text(whole, encoding="utf-8")
        return [json.loads(line) for line in whole.splitlines()[1:]]

    def add(self, entry: dict, pictures: list[np.ndarray]):
        """Record what became of one photo."""
        for face, picture in zip(entry["faces"], pictures, strict=True):
            face["name"] = f"{len(self.faces):06d}"
            Image.fromarray(picture).save(self.work / f"{face['name']}.jpg", quality=QUALITY, subsampling=0)
            self.faces.append(face)
        with open(self.journal, "a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self.entries.append(entry)
        if pictures and len(self.faces) // SHARD > (len(self.faces) - len(pictures)) // SHARD:
            self.write_shards()

    def write_shards(self):
        """Write each shard whose pictures lie loose; those of a full shard are deleted after."""
        for number in range(math.ceil(len(self.faces) / SHARD)):
            names = [face["name"] for face in self.faces[number * SHARD : (number + 1) * SHARD]]
            loose = [self.work / f"{name}.jpg" for name in names]
            shard = self.folder / f"{self.config.split}-{number:03d}.tar"
            if all(path.exists() for path in loose):
                part = self.work / "shard.part"
                _write_tar(part, loose)
                part.replace(shard)
            elif not shard.exists():
                raise ConfigError(f"{shard} is gone: prepare into an empty folder.")
            if len(names) == SHARD:
                for path in loose:
                    path.unlink(missing_ok=True)

    def finish(self) -> dict:
        """Write shards, csv, blendshapes and report; return the summary."""
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


def prepare(photos: Path, out: Path, config: PrepareConfig = PrepareConfig(), quiet: bool = False) -> dict:
    """Make, continue or extend a pack.

    Args:
        photos: folder, searched with all its subfolders.
        out: folder of the pack; made if need be.
        config: what the pack holds.
        quiet: no progress bar.

    Returns:
        The summary: photos, photos_kept, faces, refused (how many photos per kind of error).

    Raises:
        ConfigError: there is nothing to do, or the pack was begun with other settings.
        OutputUnwritable, WeightsMissing, WeightsDamaged.
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


def _is_candidate(path, photos, out):
    """A file that is not hidden and not part of the pack itself."""
    hidden = any(part.startswith(".") for part in path.relative_to(photos).parts)
    return path.is_file() and not hidden and not path.resolve().is_relative_to(out.resolve())


def _process(path, name, config):
    """One photo to its journal entry and its aligned pictures."""
    entry = {"file": name, "faces": [], "refused": "", "reason": ""}
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


def _row(face, file):
    """The csv's values of one face (its name comes later), and its blendshapes."""
    pitch, yaw, roll = np.degrees(face.rotation).round(2).tolist()
    x, y = (round(c, 2) for c in face.crop.centre)
    return {"file": file, "pitch_deg": pitch, "yaw_deg": yaw, "roll_deg": roll,
            "source_px": round(face.crop.side, 1), "crop_x": x, "crop_y": y,
            "blendshapes": {key: round(value, 5) for key, value in face.blendshapes.items()}}


def _write_csv(path, columns, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _write_tar(path, files):
    """A tar without dates or owners, so that equal pictures make equal shards."""
    with tarfile.open(path, "w") as tar:
        for file in files:
            data = file.read_bytes()
            member = tarfile.TarInfo(file.name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


def main(arguments=None):
    """Command line; see the head of this file."""
    parser = argparse.ArgumentParser(prog="python -m training.prepare", description=__doc__.split("\n")[0])
    parser.add_argument("photos", type=Path, help="folder of photos, searched with its subfolders")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pack")
    defaults = {field.name: field.default for field in fields(PrepareConfig)}
    parser.add_argument("--size", type=int, help="side of the pictures in pixels (default %(default)s)")
    parser.add_argument("--min-side", type=int,
                        help="smallest crop to take, in pixels of the photo (default %(default)s)")
    parser.add_argument("--all-faces", action="store_true", help="every face of a photo, not only the largest")
    parser.add_argument("--split", help="name of the csv and the shards (default %(default)s)")
    parser.set_defaults(**defaults)
    values = vars(parser.parse_args(arguments))
    photos, out = values.pop("photos"), values.pop("out")
    try:
        summary = prepare(photos, out, PrepareConfig(**values))
    except LatentFaceError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted: the same command goes on from here.")
    print(f"{summary['faces']} faces from {summary['photos_kept']} of {summary['photos']} photos; "
          f"what was refused and why: {out / 'report.csv'}")
    for kind, count in sorted(summary["refused"].items()):
        print(f"  {kind}: {count}")


if __name__ == "__main__":
    main()
