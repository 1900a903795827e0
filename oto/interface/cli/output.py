"""What commands print: tables for people or JSON for programs, on stdout."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import TypeAlias

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oto.domain import money

Value: TypeAlias = str | int | float | Decimal | datetime | None
Row: TypeAlias = Mapping[str, Value]

_STYLES = {"ok": "green", "failed": "red", "skipped": "yellow"}
_PIPED_WIDTH = 160


def console() -> Console:
    """Return stdout; rich heeds NO_COLOR and drops styles where it is not a terminal."""
    piped = not sys.stdout.isatty() and "COLUMNS" not in os.environ
    return Console(width=_PIPED_WIDTH if piped else None, highlight=False)


def print_rows(title: str, columns: Sequence[str], rows: Sequence[Row], *, as_json: bool) -> None:
    """Print rows of equal columns."""
    if as_json:
        print_json(list(rows))
        return
    console().print(table(title, columns, rows))


def print_fields(title: str, fields: Mapping[str, Value]) -> None:
    """Print names and values below each other; an empty value is left out."""
    grid = Table(title=title, box=None, title_justify="left", show_header=False, pad_edge=False)
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for name, value in fields.items():
        if value not in {None, ""}:
            grid.add_row(name, _cell(value))
    console().print(grid)


def print_json(value: object, *, in_one_line: bool = False) -> None:
    """Print JSON: decimals as text, times as ISO 8601 in UTC, enums by their value."""
    indent = None if in_one_line else 2
    click.echo(json.dumps(value, ensure_ascii=False, indent=indent, default=_plain))


def local(moment: datetime | None) -> str:
    """Write a moment in the zone of this machine, to the second."""
    return "" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def usdt(value: Decimal, decimals: int = 2) -> str:
    """Round an amount for a person's eye, halves up."""
    return f"{money.half_up_to(value, decimals):,f}"


def table(title: str, columns: Sequence[str], rows: Sequence[Row]) -> Table:
    drawn = Table(title=title, box=box.SIMPLE, title_justify="left")
    for column in columns:
        numeric = any(isinstance(row[column], int | float | Decimal) for row in rows)
        drawn.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        drawn.add_row(*(_cell(row[column]) for column in columns))
    return drawn


def _cell(value: Value) -> Text:
    text = _text(value)
    return Text(text, style=_STYLES.get(text, ""))


def _text(value: Value) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return money.plain(value)
        case datetime():
            return local(value)
        case _:
            return str(value)


def _plain(value: object) -> object:
    match value:
        case Decimal():
            return money.plain(value)
        case datetime():
            return value.astimezone(UTC).isoformat()
        case date():
            return value.isoformat()
        case Enum():
            return value.value
        case _:
            raise TypeError(f"{type(value).__name__} is not printed as JSON")
