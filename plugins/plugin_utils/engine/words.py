"""Words for people: names of hosts, and tables."""

from __future__ import annotations

import itertools
import json
import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

from ansible.utils.display import Display

# How wide a table may be: as the terminal, where there is one. No column is made narrower than the second.
WIDTH = Display().columns if sys.stdout.isatty() else 0
NARROW = 10
# Names of hosts in a line of a run; tables, the last line and a --limit have all.
FEW = 8


def host_names(hosts: list[str], most: int = 0) -> str:
    """Return names of hosts as text; three or more numbers in a row are a range as inventories have it: node[01:12].

    :param most: how many names and ranges to say, where not all: ``db, web and 58 more``.
    """
    runs: list[list[str]] = []
    for host in hosts:
        if runs and _split(runs[-1][-1])[1:] and _next(runs[-1][-1]) == host:
            runs[-1].append(host)
        else:
            runs.append([host])
    names = [
        "{}[{}:{}]{}".format(*_split(run[0])[:2], *_split(run[-1])[1:]) if len(run) > 2 else ", ".join(run)
        for run in (runs[:most] if most else runs)
    ]
    more = sum(len(run) for run in runs[most:]) if most else 0
    return ", ".join(names) + (f" and {more} more" if more else "")


def grouped(pairs: Iterable[tuple[str, Any]]) -> list[tuple[list[str], Any]]:
    """Return the hosts that share something, and what that is, from pairs of a host and what it has."""
    alike: dict[str, tuple[list[str], Any]] = {}
    for host, what in pairs:
        alike.setdefault(json.dumps(what), ([], what))[0].append(host)
    return list(alike.values())


def _split(host: str) -> tuple[str, ...]:
    """Return what is before, in and after the number that ends a host's short name; the name alone where none does."""
    found = re.fullmatch(r"([^.]*?)([0-9]+)([^0-9.]*(?:[.].*)?)", host)
    return found.groups() if found else (host,)


def _next(host: str) -> str:
    head, number, tail = _split(host)
    return f"{head}{int(number) + 1:0{len(number)}}{tail}"


def table(rows: list[dict[str, Any]], columns: list[str] | None = None, width: int | None = None) -> list[str]:
    """Return the lines of a table with a heading, each column as wide as its longest cell.

    :param rows: one mapping a row; a missing key is an empty cell.
    :param columns: the keys to show, which are the headings too; by default those of the first row.
    :param width: of the table in characters, where a terminal shows it: the widest columns are wrapped to that.
    """
    columns = columns or list(rows[0])
    cells = [columns] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    room = WIDTH if width is None else width
    # Names of hosts stay whole, to be copied.
    least = [max([NARROW, *(len(word) for line in cells for word in line[0].split())]), *[NARROW] * (len(columns) - 1)]
    while room and (over := sum(widths) + 2 * len(widths) - 2 - room) > 0:
        shrinking = [index for index, one in enumerate(widths) if one > least[index]]
        if not shrinking:
            break
        widest = max(shrinking, key=lambda index: widths[index])
        second = max([least[widest], *(one for one in widths if one < widths[widest])])
        widths[widest] = max(second, widths[widest] - over)
    lines = [line for row in cells for line in _lines(row, widths)]
    height = len(_lines(columns, widths))
    return [*lines[:height], "  ".join("-" * one for one in widths), *lines[height:]]


def _lines(cells: list[str], widths: list[int]) -> list[str]:
    """Return the lines of a row, whose cells are wrapped to their columns' widths."""
    pairs = zip(cells, widths, strict=True)
    columns = [textwrap.wrap(cell, width, break_on_hyphens=False) or [""] for cell, width in pairs]
    return [
        "  ".join(cell.ljust(one) for cell, one in zip(line, widths, strict=True)).rstrip()
        for line in itertools.zip_longest(*columns, fillvalue="")
    ]
