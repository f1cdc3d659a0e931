"""The table of one figure per row and one encoder per column."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.files import write_bytes
from training.evaluate.features import NAMES

if TYPE_CHECKING:
    from rich.table import Table

TABLE_WIDTH = 170
"""Characters."""


@dataclass(frozen=True)
class Row:
    """How a figure is shown."""

    name: str
    digits: int = 2
    better: str = "high"
    """high, low, or neither: none of a row is then the best."""


def finish(rows: dict[str, Row], figures: dict[str, dict[str, float]], title: str, options: Namespace,
           names: dict[str, str] = NAMES) -> dict:
    """Print the table, write the report with --out, and return it."""
    show(table(rows, figures, title, names))
    return write_report({"title": title, "figures": figures}, options)


def write_report(report: dict, options: Namespace) -> dict:
    """Write the report as JSON to --out, if that is given, and return it; errors as of core.files.writing."""
    if options.out:
        write_bytes(options.out, json.dumps(report, indent=2).encode() + b"\n", options.overwrite)
    return report


def show(*tables: Table) -> None:
    """Print tables that have rows, however narrow the window: a pipe would squeeze them beyond reading."""
    from rich.console import Console

    console = Console(width=max(TABLE_WIDTH, Console().width))
    for one in tables:
        if one.row_count:
            console.print(one)


def table(rows: dict[str, Row], figures: dict[str, dict[str, float]], title: str,
          names: dict[str, str] = NAMES) -> Table:
    """Rich table; the best figure of each row is bold.

    Args:
        rows: figures to show, in this order; those that were not measured are left out.
        figures: for each its value by column.
        title: what was measured.
        names: columns in their order, and their headings.
    """
    from rich.table import Table

    columns = [column for column in names if any(column in figures.get(key, ()) for key in rows)]
    result = Table(title=title)
    for column in ("", *columns):
        result.add_column(names.get(column, column), justify="right" if column else "left", no_wrap=not column)
    for key, row in rows.items():
        if key in figures:
            result.add_row(row.name, *_cells(row, [figures[key].get(column) for column in columns]))
    return result


def _cells(row: Row, values: list[float | None]) -> list[str]:
    # Rounded as it is shown: figures that read the same are equally good.
    known = [round(value, row.digits) for value in values if value is not None]
    best = {"high": max, "low": min}.get(row.better, lambda _: None)(known)
    texts = ["-" if value is None else f"{value:.{row.digits}f}" for value in values]
    return [f"[bold]{text}[/]" if value is not None and round(value, row.digits) == best else text
            for text, value in zip(texts, values, strict=True)]
