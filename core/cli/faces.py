"""What all verbs share that write files for single faces: options, many photos, progress, and going on where they were.

The results of one photo lie in the folder of --out, those of several in folders that are called like the photos, and
those of all faces in face1, face2, … below.
"""

from __future__ import annotations

import functools
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from core.cli.photos import find_photos, is_one_file
from core.errors import FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable
from core.files import explain_failure, prepare_folder, remove_written
from core.parallel import parallel_map

if TYPE_CHECKING:
    from core.faces import Face
    from core.pipeline import LatentFace

JOURNAL = ".latentface-run.jsonl"
"""Name of the file, beside the results of several photos, that lists the finished ones until the run is complete."""
_WHICH = tyro.conf.create_mutex_group(required=False, title="which faces")
_LEFT_OUT = (FaceNotFound, ImageTooLarge, ImageTooSmall, ImageUnreadable)
"""Errors of one photo that do not end the work on the others."""

Task = tuple[str, Path, Path]
"""Name of a photo, its file, and the folder of its results."""


@dataclass(frozen=True, kw_only=True)
class SharedOptions:
    """Options of every verb."""

    photos: tyro.conf.Positional[tuple[Path, ...]]
    """image files (JPEG, PNG, WebP, …), folders, or patterns such as 'photos/*.jpg'"""
    weights: str | None = None
    """weights: a file, a folder, or the name of a model on the Hub; the bundled ones by default"""
    overwrite: bool = False
    """also replace files that LatentFace did not write"""
    json: bool = False
    """print one line of JSON for each face"""


@dataclass(frozen=True, kw_only=True)
class FaceVerb(SharedOptions):
    """A verb that writes files for each face. Subclasses add options, and say what is written."""

    out: Path
    """folder for the results"""
    face: Annotated[int, _WHICH] = 1
    """which face, 1 is the largest"""
    all: Annotated[bool, _WHICH] = False
    """all faces, each in a folder of its own"""
    workers: int = 1
    """processes that share the work; each takes about 1 GB of memory"""
    rasterizer: Literal["grid", "pytorch3d"] = "grid"
    """what renders depth: the project's own, or PyTorch3D (requirements-pytorch3d.txt)"""

    def check(self) -> None:
        """Check the options before anything is loaded; ArgumentInvalid."""

    def names(self) -> list[str]:
        """Names of the files that are written for a face."""
        raise NotImplementedError

    def write(self, model: LatentFace, photo: Path, faces: Sequence[Face], index: int, folder: Path) -> dict[str, Any]:
        """Write the files of faces[index]; returns its report for JSON."""
        raise NotImplementedError

    def run(self) -> int:
        """Do the work for all photos; returns the exit code."""
        from core.arguments import check_integer

        check_integer("workers", self.workers, 1, 1024)
        self.check()
        if is_one_file(self.photos):
            prepare_folder(self.out, () if self.all else self.names(), self.overwrite)
            self._show(self.photos[0].name, process_photo(self, (self.photos[0].name, self.photos[0], self.out)))
            return 0
        photos = find_photos(self.photos, self.out)
        prepare_folder(self.out)
        return self._run_many([(name, path, self.out / name) for name, path in photos])

    def _run_many(self, tasks: list[Task]) -> int:
        from tqdm import tqdm

        journal, refused = self.out / JOURNAL, 0
        with explain_failure(journal):
            done = self._open_journal(journal, tasks)
        todo = [task for task in tasks if task[0] not in done]
        fresh = parallel_map(functools.partial(try_photo, self), todo, min(self.workers, len(todo)) or 1)
        for task in tqdm(tasks, unit="photo", disable=None):
            result = done.get(task[0]) or next(fresh)
            if task[0] not in done:
                with explain_failure(journal), open(journal, "a", encoding="ascii") as file:
                    file.write(json.dumps({"photo": task[0], "result": result}) + "\n")
            if isinstance(result, str):
                refused += 1
                print(f"{task[0]}: {result}", file=sys.stderr)
            else:
                self._show(task[0], result)
        with explain_failure(journal):
            journal.unlink()
        return 2 if refused == len(tasks) else 1 if refused else 0

    def _open_journal(self, path: Path, tasks: Sequence[Task]) -> dict[str, Any]:
        """Results by name of the run that was interrupted; a new journal where there is none, or of other options."""
        options = {name: value for name, value in asdict(self).items() if name not in ("workers", "json", "overwrite")}
        sizes = [[name, photo.stat().st_size if photo.exists() else 0] for name, photo, _ in tasks]
        head = json.dumps([type(self).__name__, options, sizes], default=str) + "\n"
        content = path.read_text(encoding="ascii") if path.exists() else ""
        whole = content[: content.rfind("\n") + 1]
        if not whole.startswith(head):
            whole = head
        path.write_text(whole, encoding="ascii")
        entries = [json.loads(line) for line in whole[len(head):].splitlines()]
        return {entry["photo"]: entry["result"] for entry in entries}

    def _show(self, photo: str, faces: Sequence[dict[str, Any]]) -> None:
        """Print what was done for each face of a photo."""
        for face in faces:
            if self.json:
                print(json.dumps({"photo": photo, **face}))
                continue
            print(f"Face {face['face']} of {face['faces']}: {face['folder']}")
            for sentence in face["warnings"]:
                print(f"  {sentence}")


@functools.lru_cache(1)
def load_model(weights: str | None, rasterizer: str | None) -> LatentFace:
    """The model of this process."""
    from core.pipeline import LatentFace

    return LatentFace.from_pretrained(weights, rasterizer)


def try_photo(verb: FaceVerb, task: Task) -> list[dict[str, Any]] | str:
    """`process_photo`, or why the photo is left out."""
    try:
        return process_photo(verb, task)
    except _LEFT_OUT as error:
        return str(error)


def process_photo(verb: FaceVerb, task: Task) -> list[dict[str, Any]]:
    """Write the results of one photo; returns the reports of its faces.

    With all faces, results of an earlier run for faces that there are no more are removed.
    """
    from core.arguments import check_face

    _, photo, out = task
    model = load_model(verb.weights, verb.rasterizer)
    faces = model.find_faces(photo)
    numbers = range(1, len(faces) + 1) if verb.all else [check_face(verb.face, len(faces))]
    folders = {number: out / f"face{number}" if verb.all else out for number in numbers}
    for folder in folders.values():
        prepare_folder(folder, verb.names(), verb.overwrite)
    reports = []
    for number, folder in folders.items():
        report = verb.write(model, photo, faces, number - 1, folder)
        reports.append({"face": number, "faces": len(faces), "folder": str(folder), **report})
    if verb.all:
        _remove_faces_after(len(faces), out)
    return reports


def _remove_faces_after(count: int, out: Path) -> None:
    """Remove what an earlier run wrote for faces with larger numbers."""
    for folder in out.glob("face*"):
        if re.fullmatch("face[0-9]+", folder.name) and int(folder.name[4:]) > count and folder.is_dir():
            remove_written(folder)
