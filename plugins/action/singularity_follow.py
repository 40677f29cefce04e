"""Follow a compilation on a host and tell its progress as it goes; documented at the module of the same name."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    """Ask again and again, since a task that is retried shows none of what it was told."""

    _VALID_ARGS = frozenset(("program", "host", "seconds"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return how the compilation ended."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        argv = [self._task.args["program"], str(self._task.args.get("seconds", 20))]
        while True:
            answer = self._execute_module("ansible.legacy.command", module_args={"argv": argv}, task_vars=task_vars)
            lines = str(answer.get("stdout", "")).splitlines()
            if answer.get("failed") or answer.get("unreachable") or len(lines) < 3:
                return {**result, **answer, "failed": True}
            code, seconds, text = lines[:3]
            Display().display(f"{self._task.args['host']}: {text}")
            if code != "running":
                return {**result, "changed": False, "code": code, "seconds": int(seconds), "tail": lines[3:]}
