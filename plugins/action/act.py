"""The controller's half of ``slipway.node.act``: inputs and secrets, and progress of long work."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.node.plugins.plugin_utils.engine import sections


class ActionModule(ActionBase):
    """Make a host as roles want it; documented at the module of the same name."""

    _VALID_ARGS = frozenset(("roles", "phases"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the state of each role once all have acted, beside what earlier calls found of others."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result["_ansible_verbose_override"] = self._display.verbosity < 3
        variables = dict(task_vars or {})
        known = sections.known(variables)
        asked = self._task.args["roles"]
        if self._task.check_mode:
            return {**result, **known}
        inputs, site, problems = sections.read(self, variables, result, asked)
        if problems:
            return {**result, **sections.failure(problems)}
        secrets: dict[str, Any] = {}
        for section in inputs:
            secrets.update(sections.secrets(section, self, variables, site))
        # Seals are made while inputs are read.
        secrets.update(site.sealed)
        arguments = sections.arguments(inputs, site)
        arguments.update(roles=asked, phases=self._task.args.get("phases"), secrets=secrets)
        name = self._task.delegate_to or site.host
        done: list[str] = []
        notes: list[str] = []
        while True:
            answer = sections.ask(self, "slipway.node.act", arguments, task_vars)
            done += [phase for phase in answer.get("done", []) if phase not in done]
            notes += [note for note in answer.get("warnings", []) if note not in notes]
            if "waiting" not in answer:
                break
            self._display.display(f"{name}: {answer['waiting']}")
        answer["warnings"] = [f"{name}: {note}" for note in notes]
        if answer.get("failed") or answer.get("unreachable"):
            lines = str(answer.get("msg", "")).splitlines()
            return {**result, **answer, **(sections.failure(lines) if answer.get("failed") else {}), "done": done}
        found = {section: answer.pop(section) for section in inputs}
        for section, state in found.items():
            state["mended"] = known.get(section, {}).get("mended", []) + state["mended"]
        return {**result, **known, **found, **answer, "changed": bool(done), "done": done}
