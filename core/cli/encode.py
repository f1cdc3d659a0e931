"""python -m core encode: codes, pose and light of every face of many photos, as one Parquet file."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from core.cli.faces import SharedOptions
from core.cli.photos import find_photos


@dataclass(frozen=True, kw_only=True)
class Encode(SharedOptions):
    """Write one row for each face: file, face, crop, pose, light, confidence, codes, identity and expression."""

    out: Path
    """Parquet file of the rows; the same command continues an interrupted run"""
    aligned: bool = False
    """the photos are aligned crops, such as analyze's full.png: each is taken whole, and no face is searched"""

    workers: int = 1
    """processes that share the work; each takes about 1 GB of memory"""

    def run(self) -> int:
        """Do the work; returns the exit code."""
        photos = find_photos(self.photos, self.out)
        from tqdm import tqdm

        from core.collection import encode_photos

        with tqdm(total=len(photos), unit="photo", disable=None) as bar:
            found = encode_photos(photos, self.out, self.weights, self.aligned, self.workers, self.overwrite,
                                  bar.update)
        for name, reason in found.left_out.items():
            print(f"{name}: {reason}", file=sys.stderr)
        if self.json:
            self._print_rows()
        else:
            print(f"{found.faces} faces of {found.photos - len(found.left_out)} photos: {self.out}")
        return 1 if found.left_out else 0

    def _print_rows(self) -> None:
        """Print every row as JSON, without codes."""
        import pyarrow.parquet as pq

        file = pq.ParquetFile(self.out)
        names = [name for name in file.schema_arrow.names if name not in ("codes", "identity", "expression")]
        for batch in file.iter_batches(columns=names):
            for row in batch.to_pylist():
                print(json.dumps(row))
