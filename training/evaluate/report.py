"""The tables of measured figures: beside published ones, and by group."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import ConfigError
from training.evaluate.groups import LEAST

if TYPE_CHECKING:
    from rich.table import Table

PUBLISHED = Path(__file__).parent / "published.yaml"
BAR = 20.0
"""Per cent by which the worst group may stay behind all photos."""


def read_published(path: Path = PUBLISHED) -> dict:
    """Columns and rows of published.yaml."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_previous(path: Path) -> dict[str, dict[str, float]]:
    """Figures of a report written earlier with --out.

    Raises:
        ConfigError: it is no such report.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))["figures"]
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path} is no report of this command: name a file written with --out.") from error


def table(figures: dict[str, dict[str, float]], title: str, previous: dict[str, dict[str, float]]) -> Table:
    """Rich table of the measured figures; green: at least as good as prototype 2, or 1 where 2 has no figure.

    Args:
        figures: for each key of published.yaml the values of the model and, where there is one, of its baseline.
        title: what was measured.
        previous: the same of the previous release; may lack figures.
    """
    from rich.table import Table

    published = read_published()
    result = Table(title=title, caption="* published figures, not measured here")
    measured = ("figure", "this model", "baseline here", "previous release")
    for name in (*measured, *(f"{name} *" for name in published["columns"])):
        # Headings may wrap, figures may not.
        result.add_column(name, justify="left" if name == "figure" else "right", no_wrap=name == "figure")
    for row in published["rows"]:
        if row["key"] in figures:
            result.add_row(*_cells(row, figures[row["key"]], previous.get(row["key"], {})))
    return result


def _cells(row: dict, values: dict[str, float], previous: dict[str, float]) -> list[str]:
    model, yardsticks = values["model"], [value for value in row["published"][2:] if value is not None]
    text = _show(row, model)
    if yardsticks:
        # Rounded as it is published: a figure that reads the same is as good.
        gain = round(model, row["digits"]) - yardsticks[min(1, len(yardsticks) - 1)]
        text = f"[green]{text}[/]" if (gain >= 0) == (row["better"] == "high") or gain == 0 else f"[red]{text}[/]"
    others = (values.get("baseline"), previous.get("model"), *row["published"])
    return [row["name"], text, *(_show(row, value) for value in others)]


def _show(row: dict, value: float | None) -> str:
    return "-" if value is None else f"{value:.{row['digits']}f}"


def group_table(attribute: str, groups: dict[str, dict], figures: dict[str, dict[str, float]]) -> Table:
    """Rich table of the figures of each group of one attribute; red: the worst group misses the bar.

    Args:
        attribute: what tells the groups apart.
        groups: of this attribute, from training.evaluate.groups.by_group.
        figures: of all photos, which are the average.
    """
    from rich.table import Table

    result = Table(title=f"photos, by {attribute}", caption=f"worst: group, and per cent worse than all photos (bar: "
                   f"{BAR:.0f}); - where fewer than {LEAST} photos count")
    result.add_column("figure", no_wrap=True)
    for name, group in groups.items():
        result.add_column(f"{name} ({group['photos']})", justify="right", min_width=6)
    result.add_column("all", justify="right", min_width=6)
    result.add_column("worst", justify="right", no_wrap=True)
    behind = gaps({attribute: groups}, figures)
    for row in (row for row in read_published()["rows"] if row["key"] in behind):
        key = row["key"]
        values = [group["figures"].get(key, {}).get("model") for group in groups.values()] + [figures[key]["model"]]
        (_, name), gap = max(behind[key].items(), key=lambda item: item[1])
        worst = f"{name} [{'red' if gap > BAR else 'green'}]{gap:+.0f} %[/]"
        result.add_row(row["name"].removeprefix("photos: "), *(_show(row, value) for value in values), worst)
    return result


def gaps(groups: dict[str, dict[str, dict]], figures: dict[str, dict[str, float]]) -> dict[str, dict]:
    """How far groups stay behind the average.

    Args:
        groups: of training.evaluate.groups.by_group.
        figures: of all photos, which are the average.

    Returns:
        {figure: {(attribute, group): per cent worse than all photos, negative where it is better}}.
    """
    result: dict[str, dict] = {}
    for row in read_published()["rows"]:
        sign, key = (-1 if row["better"] == "high" else 1), row["key"]
        for attribute, members in groups.items():
            for name, group in members.items():
                if key in group["figures"]:
                    average = figures[key]["model"]
                    behind = 100 * sign * (group["figures"][key]["model"] - average) / abs(average)
                    result.setdefault(key, {})[attribute, name] = behind
    return result
