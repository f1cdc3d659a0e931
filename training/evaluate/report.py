"""The table of measured figures beside published ones."""

from __future__ import annotations

from pathlib import Path

PUBLISHED = Path(__file__).parent / "published.yaml"


def read_published(path: Path = PUBLISHED) -> dict:
    """Columns and rows of published.yaml."""
    import yaml

    return yaml.safe_load(path.read_text(encoding="utf-8"))


def table(figures: dict[str, dict[str, float]], title: str):
    """Rich table of the measured figures; green: at least as good as prototype 2, or 1 where 2 has no figure.

    Args:
        figures: for each key of published.yaml the values of the model and, where there is one, of its baseline.
        title: what was measured.
    """
    from rich.table import Table

    published = read_published()
    result = Table(title=title, caption="* published figures, not measured here")
    for name in ("figure", "this model", "baseline here", *(f"{name} *" for name in published["columns"])):
        # Headings may wrap, figures may not.
        result.add_column(name, justify="left" if name == "figure" else "right", no_wrap=name == "figure")
    for row in published["rows"]:
        if row["key"] in figures:
            result.add_row(*_cells(row, figures[row["key"]]))
    return result


def _cells(row: dict, values: dict[str, float]) -> list[str]:
    def show(value):
        return "-" if value is None else f"{value:.{row['digits']}f}"

    model, yardsticks = values["model"], [value for value in row["published"][2:] if value is not None]
    text = show(model)
    if yardsticks:
        # Rounded as it is published: a figure that reads the same is as good.
        gain = round(model, row["digits"]) - yardsticks[min(1, len(yardsticks) - 1)]
        text = f"[green]{text}[/]" if (gain >= 0) == (row["better"] == "high") or gain == 0 else f"[red]{text}[/]"
    return [row["name"], text, show(values.get("baseline")), *map(show, row["published"])]
