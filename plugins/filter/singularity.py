"""Filters of the role singularity: who compiles, with which Go, and the text of the file of credentials."""

from __future__ import annotations

from typing import Any

from ansible_collections.slipway.node.plugins.plugin_utils.singularity import inputs as singularity


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "singularity_auths": singularity.auths,
            "singularity_builder": singularity.builder,
            "singularity_go_to_fetch": singularity.oldest,
            "singularity_told_sum": singularity.told_sum,
            "singularity_toolchain": singularity.toolchain,
        }
