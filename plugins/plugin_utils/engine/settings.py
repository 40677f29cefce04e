"""Combinations of the settings that roles share (``slipway_*``), which a specification cannot check."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def check(settings: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the settings."""
    problems = []
    if settings["batch"] is not None and not re.fullmatch(r"[1-9][0-9]*|[1-9][0-9]?%|100%", settings["batch"]):
        problems.append(
            f'slipway_batch is {settings["batch"]}; give a number of hosts from 1 on, or a percentage such as "25%".'
        )
    if settings["max_fail_percentage"] is not None and not 0 <= settings["max_fail_percentage"] <= 100:
        problems.append(
            f"slipway_max_fail_percentage is {settings['max_fail_percentage']}; give a percentage from 0 to 100."
        )
    if settings["lock_timeout"] is not None and settings["lock_timeout"] < 0:
        problems.append(f"slipway_lock_timeout is {settings['lock_timeout']}; give seconds from 0 on.")
    return problems
