"""Words for people: names of hosts."""

from __future__ import annotations

import re


def host_names(hosts: list[str]) -> str:
    """Return names of hosts as text; three or more numbers in a row are a range as inventories have it: node[01:12]."""
    runs: list[list[str]] = []
    for host in hosts:
        if runs and _split(runs[-1][-1])[1:] and _next(runs[-1][-1]) == host:
            runs[-1].append(host)
        else:
            runs.append([host])
    return ", ".join(
        "{}[{}:{}]{}".format(*_split(run[0])[:2], *_split(run[-1])[1:]) if len(run) > 2 else ", ".join(run)
        for run in runs
    )


def _split(host: str) -> tuple[str, ...]:
    """Return what is before, in and after the number that ends a host's short name; the name alone where none does."""
    found = re.fullmatch(r"([^.]*?)([0-9]+)([^0-9.]*(?:[.].*)?)", host)
    return found.groups() if found else (host,)


def _next(host: str) -> str:
    head, number, tail = _split(host)
    return f"{head}{int(number) + 1:0{len(number)}}{tail}"
