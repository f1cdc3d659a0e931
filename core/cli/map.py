"""python -m core map: a latent map of the largest faces of many photos."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.cli.faces import SharedOptions, load_model
from core.cli.photos import find_photos
from core.files import prepare_folder

if TYPE_CHECKING:
    from core.latent_map.map import LatentMap


@dataclass(frozen=True, kw_only=True)
class MakeMap(SharedOptions):
    """Make a latent map, the file that `LatentFace.map` reads, of at least 12 photos with a face."""

    out: Path
    """file of the map (.npz)"""
    credit: str = ""
    """who made the photos"""

    def run(self) -> int:
        """Do the work; returns the exit code."""
        photos = find_photos(self.photos, self.out)
        prepare_folder(self.out.parent, [self.out.name], self.overwrite)
        from tqdm import tqdm

        from core.latent_map.builder import MapBuilder, add_photo

        builder, left_out = MapBuilder(load_model(self.weights, None)), 0
        for name, path in tqdm(photos, unit="photo", disable=None):
            if reason := add_photo(builder, path, name):
                print(f"{name}: {reason}", file=sys.stderr)
                left_out += 1
        for kind in builder.embed():
            tqdm.write(f"Layout by {kind}", file=sys.stderr)
        found = builder.finish(self.credit)
        found.write(self.out, self.overwrite)
        self._show(found)
        return 1 if left_out else 0

    def _show(self, found: LatentMap) -> None:
        if not self.json:
            print(f"{len(found)} faces: {self.out}")
            return
        for index, name in enumerate(found.names.tolist()):
            positions = {kind: found.positions[kind][index].tolist() for kind in found.kinds}
            print(json.dumps({"photo": name, "face": 1, "positions": positions}))
