"""What Go calls architectures, which sums of its files are known, and which version compiles which."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.module_utils.platforms import GO_ARCHITECTURES
from ansible_collections.slipway.node.plugins.plugin_utils.golang_versions import go_bootstrap, go_checksum, go_newest


def go_architecture(machine: str) -> str:
    """Return what Go calls a machine's architecture."""
    if machine not in GO_ARCHITECTURES:
        raise AnsibleFilterError(
            f"slipway.node does not know what Go calls {machine}; it knows {', '.join(GO_ARCHITECTURES)}"
        )
    return GO_ARCHITECTURES[machine]


class FilterModule:
    """The filters of the role golang."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "go_architecture": go_architecture,
            "go_checksum": go_checksum,
            "go_newest": go_newest,
            "go_bootstrap": go_bootstrap,
        }
