"""What commands print: a table for people or JSON for programs, on stdout."""

import json
from collections.abc import Mapping, Sequence

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, str | int | float | None]

_STYLES = {"ok": "green", "failed": "red", "skipped": "yellow"}


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Row], *, as_json: bool) -> None:
    """Print rows of equal columns."""
    if as_json:
        click.echo(json.dumps(list(rows), ensure_ascii=False, indent=2))
        return
    # rich itself heeds NO_COLOR and drops styles when stdout is not a terminal.
    Console().print(_table(title, columns, rows))


def _table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    table = Table(title=title, box=box.SIMPLE, title_justify="left")
    for column in columns:
        numeric = any(isinstance(row[column], int | float) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    return table


def _cell(value: str | float | None) -> Text:
    text = "" if value is None else str(value)
    return Text(text, style=_STYLES.get(text, ""))
