"""Package versions: which one a wish like ``26.1`` means, and which of two is newer.

A wish is what an admin writes: the first numbers of a version (``26``, ``26.1``, ``26.1.5``) or a
package's whole version (``5:26.1.5-1~debian.12~bookworm``). An empty wish means any, the newest first.
"""

import re
from functools import cmp_to_key
from typing import Iterable, List, Optional, Tuple

_UPSTREAM = re.compile(r"^(?:\d+:)?(\d+(?:\.\d+)*)")
_RUNS = re.compile(r"(\D*)(\d*)")


def upstream(version: str) -> str:
    """Return the upstream part of a package version: ``26.1.5`` of ``5:26.1.5-1~debian.12~bookworm``."""
    match = _UPSTREAM.match(version)
    return match.group(1) if match else version


def satisfies(wish: str, version: str) -> bool:
    """Tell whether a package version is one that the wish means. ``26.1`` means 26.1.5, never 26.10."""
    if not wish or wish == version or wish == _without_epoch(version):
        return True
    if not re.match(r"^\d+(\.\d+)*$", wish):
        return False
    wanted = wish.split(".")
    return upstream(version).split(".")[: len(wanted)] == wanted


def resolve(wish: str, offered: Iterable[str]) -> Optional[str]:
    """Return the newest offered version that satisfies the wish, or ``None`` where none does."""
    matching = [version for version in offered if satisfies(wish, version)]
    return max(matching, key=cmp_to_key(compare)) if matching else None


def describe(offered: Iterable[str]) -> str:
    """Return the offered versions as an admin would write them, newest first: ``26.1.5, 20.10.24``."""
    newest_first = sorted(set(offered), key=cmp_to_key(compare), reverse=True)
    names = []  # type: List[str]
    for version in newest_first:
        if upstream(version) not in names:
            names.append(upstream(version))
    return ", ".join(names)


def compare(left: str, right: str) -> int:
    """Compare two package versions: negative, zero or positive as left is older, equal or newer.

    The order of Debian Policy 5.6.12, where ``~`` sorts before everything; RPM's rules give the same
    order for the versions that Docker publishes.
    """
    left_epoch, left_rest = _split_epoch(left)
    right_epoch, right_rest = _split_epoch(right)
    if left_epoch != right_epoch:
        return left_epoch - right_epoch
    left_version, _dash, left_revision = left_rest.rpartition("-") if "-" in left_rest else (left_rest, "", "")
    right_version, _dash, right_revision = right_rest.rpartition("-") if "-" in right_rest else (right_rest, "", "")
    return _compare_part(left_version, right_version) or _compare_part(left_revision, right_revision)


def _split_epoch(version: str) -> Tuple[int, str]:
    epoch, colon, rest = version.partition(":")
    return (int(epoch), rest) if colon and epoch.isdigit() else (0, version)


def _without_epoch(version: str) -> str:
    return _split_epoch(version)[1]


def _compare_part(left: str, right: str) -> int:
    left_runs, right_runs = _RUNS.findall(left), _RUNS.findall(right)
    for index in range(max(len(left_runs), len(right_runs))):
        left_text, left_number = left_runs[index] if index < len(left_runs) else ("", "")
        right_text, right_number = right_runs[index] if index < len(right_runs) else ("", "")
        left_key, right_key = _text_key(left_text), _text_key(right_text)
        if left_key != right_key:
            return -1 if left_key < right_key else 1
        difference = int(left_number or 0) - int(right_number or 0)
        if difference:
            return difference
    return 0


def _text_key(text: str) -> List[int]:
    # The end of a run sorts after "~" and before all else; letters sort before other characters.
    return [-1 if char == "~" else ord(char) if char.isalpha() else ord(char) + 256 for char in text] + [0]
