"""The controller's half of ``slipway.node.docker_daemon_config``: reads the role's inputs, hands secrets over."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.node.plugins.plugin_utils.engine import sections


class ActionModule(ActionBase):
    """Apply the role's inputs; documented at the module of the same name."""

    _VALID_ARGS: frozenset[str] = frozenset()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what was done."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        inputs, site, problems = sections.read(self, dict(task_vars or {}), result, ["docker_daemon"])
        if problems:
            return {**result, "failed": True, "msg": "\n".join(problems)}
        arguments = {**sections.arguments(inputs["docker_daemon"], site), "sealed": site.sealed}
        answer = self._execute_module("slipway.node.docker_daemon_config", module_args=arguments, task_vars=task_vars)
        return {**result, **answer}
