"""The folder of a Hugging Face Space: the app, the weights, and nothing else.

    python -m scripts.space --out space/
    hf upload user/space space/ --repo-type space
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from core.errors import LatentFaceError, OutputExists
from core.files import PART, explain_failure

ROOT = Path(__file__).parents[1]
PARTS = ("app.py", "app", "core", "packages.txt", "LICENSE", "THIRD_PARTY.md", "docs/results.md", "assets/examples",
         "assets/film", "assets/map", "assets/models", "assets/weights", "assets/rig/rig.npz", "assets/rig/README.md",
         "assets/rig/LICENSE-ICT-FaceKit.txt", "assets/rig/LICENSE-London-CC-BY-4.0.md")
"""Files and folders that are taken from the repository as they are."""
LARGE = ("*.jpg", "*.mp4", "*.npz", "*.safetensors", "*.task")
"""Files that are no text: the Hub takes them through large file storage only."""
CPU_TORCH = "--extra-index-url https://download.pytorch.org/whl/cpu\n"
"""Before the requirements: a Space without a GPU has no use for gigabytes of CUDA."""
ABOUT = """
# LatentFace

One photo of a face, decomposed into depth, albedo, light, pose and confidence, and rendered again: turn the head, move
the light, transfer another face's expression, explore a map of faces, export the textured 3-D face.

Photos that you open are sent to this Space. It deletes them about ten minutes later, and connects to no other machine.
To keep them on your own machine, run the app there: `python app.py`.

"""
CREDITS = """## Credits

Method: [LatentFace](https://arxiv.org/abs/2309.08273). Photos, rig, detector and libraries:
[THIRD_PARTY.md](THIRD_PARTY.md). Weights: [model card](assets/weights/README.md). Code: [Apache-2.0](LICENSE).
"""
SECTIONS = ("Limits", "Responsible use")
"""Sections of the repository's README that the Space's README holds too."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code: 0, or 2 with one sentence on stderr."""
    parser = argparse.ArgumentParser(prog="python -m scripts.space", description="Write the folder of a Hugging Face "
                                     "Space.", epilog="Upload it with `hf upload user/space FOLDER --repo-type space`.")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="a new or an empty folder")
    options = parser.parse_args(arguments)
    try:
        build_space(options.out)
    except LatentFaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {len([path for path in options.out.rglob('*') if path.is_file()])} files")
    return 0


def build_space(out: str | Path) -> None:
    """Write the folder of a Space, whole or not at all.

    Args:
        out: a folder that does not exist or is empty.

    Raises:
        OutputExists: there is something in it.
        OutputUnwritable: it cannot be written.
    """
    out = Path(os.path.abspath(out))
    with explain_failure(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputExists(f"{out} exists and is not empty: choose another folder.")
        with tempfile.TemporaryDirectory(prefix=PART, dir=out.parent) as part:
            folder = Path(part) / out.name
            folder.mkdir()
            _fill(folder)
            os.replace(folder, out)


def _fill(folder: Path) -> None:
    for name in PARTS:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, copy_function=shutil.copyfile,
                            ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copyfile(ROOT / name, folder / name)
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    attributes = "".join(f"{pattern} filter=lfs diff=lfs merge=lfs -text\n" for pattern in LARGE)
    for name, text in {"README.md": _readme(), "requirements.txt": CPU_TORCH + requirements,
                       ".gitattributes": attributes}.items():
        (folder / name).write_text(text, encoding="utf-8")


def _readme() -> str:
    """The Space's settings, which stand at the top of the repository's README, and what visitors of its files read."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    settings = re.match(r"---\n.*?\n---\n", text, re.S)
    sections = dict(re.findall(r"^## ([^\n]+)\n(.*?)(?=^## |\Z)", text, re.M | re.S))
    if settings is None:
        raise ValueError("README.md has no settings of a Space at its top.")
    return settings[0] + ABOUT + "".join(f"## {title}\n{sections[title]}" for title in SECTIONS) + CREDITS


if __name__ == "__main__":
    sys.exit(main())
