"""Command line: `python -m core VERB photos … --out …`, where photos are files, folders or patterns.

    python -m core analyze photo.jpg --out folder/              # every factor of the largest face
    python -m core frontalize photos/ --out folder/ --all       # every face, seen from the front
    python -m core render photo.jpg --out folder/ --yaw 30
    python -m core swap photo.jpg --donor other.jpg --out folder/
    python -m core edit photo.jpg --set smile=0.8 --out folder/ # the whole photo with an edited face
    python -m core augment photos/ --along smile --amounts 0.5 1 1.5 --out folder/
    python -m core export photos/ --out folder/ --kind glb
    python -m core head photo.jpg --out folder/                 # a rigged head, as GLB
    python -m core track film.mp4 --out folder/                 # pose, light and expression over time
    python -m core drive photo.jpg film.mp4 --out out.mp4       # the photo's face follows the film
    python -m core encode photos/ --out codes.parquet           # one row for each face
    python -m core map photos/ --out map.npz

Each verb is a file in this folder. Exit codes: 0; 1, some photos were left out and named on stderr; 2, nothing was
done, and one sentence says why; 130, interrupted: the same command continues.
"""

from __future__ import annotations

import sys

from core.cli.analyze import Analyze
from core.cli.augment import Augment
from core.cli.drive import Drive
from core.cli.edit import Edit
from core.cli.encode import Encode
from core.cli.export import Export
from core.cli.faces import FaceVerb
from core.cli.frontalize import Frontalize
from core.cli.head import MakeHead
from core.cli.map import MakeMap
from core.cli.render import Render
from core.cli.swap import Swap
from core.cli.track import Follow
from core.environment import escape_output
from core.errors import LatentFaceError

VERBS = {"analyze": Analyze, "frontalize": Frontalize, "render": Render, "swap": Swap, "encode": Encode,
         "map": MakeMap, "export": Export, "head": MakeHead, "edit": Edit, "augment": Augment, "track": Follow,
         "drive": Drive}
"""Name to options; their method `run` does the work and returns the exit code."""
INTERRUPTED = 130
"""Exit code after Ctrl-C."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. SystemExit with 2 for options that there are not."""
    escape_output()
    options = _parse(arguments)
    try:
        return options.run()
    except LatentFaceError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted: the same command continues from here.", file=sys.stderr)
        return INTERRUPTED


def _parse(arguments: list[str] | None) -> FaceVerb | Drive | Encode | Follow | MakeMap:
    import tyro

    return tyro.extras.subcommand_cli_from_dict(
        VERBS, prog="python -m core", args=arguments, config=(tyro.conf.FlagCreatePairsOff,),
        description="From photos of faces to depth, albedo, light, pose and codes, and back to renders.")
