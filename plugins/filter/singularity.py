"""Filters of the role singularity: who compiles, with which Go, and by which sum."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.singularity.build import (
    builder,
    go_to_fetch,
    newest_toolchain,
    release_sum,
)


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "singularity_builder": builder,
            "singularity_go_to_fetch": go_to_fetch,
            "singularity_told_sum": release_sum,
            "singularity_toolchain": newest_toolchain,
        }
