"""Which Go compiles a version: one of the host's own, or one that is fetched."""

from typing import Any, Dict, Iterable, Tuple

from ansible_collections.slipway.node.plugins.module_utils.singularity.build import numbers


def newest(found: Dict[str, str], needed: str, wanted: str = "") -> Tuple[str, str]:
    """Return folder and version of the newest Go that suffices, empty where none does.

    :param found: versions, such as ``go1.26.8``, by folder.
    :param needed: the version in the ``go`` line of go.mod.
    :param wanted: a version that must be had exactly; empty for any.
    """
    fitting = [
        (numbers(version), -len(folder), folder)
        for folder, version in found.items()
        if numbers(version) >= numbers(needed) and wanted in ("", version[len("go") :])
    ]
    folder = max(fitting)[2] if fitting else ""
    return folder, found.get(folder, "")


def to_fetch(want: Dict[str, Any], needed: str) -> str:
    """Return the version of Go to fetch: the one that is asked for, or the nearest whose sum is known.

    Empty where none suffices.
    """
    known = [version for version, sums in want["go"]["sums"].items() if want["go_kind"] in sums]
    return nearest([want["go_version"]] if want["go_version"] else known, needed)


def nearest(versions: Iterable[str], needed: str) -> str:
    """Return the version nearest above what is needed: the newest patch of the lowest sufficient release."""
    fitting = [version for version in versions if numbers(version) >= numbers(needed)]
    release = min([numbers(version)[:2] for version in fitting] or [()])
    return max([version for version in fitting if numbers(version)[:2] == release], key=numbers, default="")
