"""The controller's half of ``slipway.node.act``: inputs and secrets, and progress of long work."""

from __future__ import annotations

import getpass
import socket
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import gone, harmful
from ansible_collections.slipway.node.plugins.plugin_utils.engine import refusals, sections


class ActionModule(ActionBase):
    """Make a host as roles want it; documented at the module of the same name."""

    _VALID_ARGS = frozenset(("roles", "phases"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the state of each role once all have acted, beside what earlier calls found of others."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        result["_ansible_verbose_override"] = self._display.verbosity < 3
        variables = dict(task_vars or {})
        known = sections.known(variables)
        # Where all of the host was compared, what refuses is left out; in a play of somebody's own it fails.
        by_role = known.get("by_role", False)
        asked = self._not_blocked(known if by_role else {})
        if self._task.check_mode or not asked:
            return {**result, **known}
        try:
            inputs, site, problems = sections.read(self, variables, result, asked)
        except sections.FactsError as error:
            return {**result, **error.args[0]}
        if problems:
            return {**result, **sections.failure(problems)}
        secrets: dict[str, Any] = {}
        # A removal needs none, and what they are made of may be gone.
        for section in [name for name, values in inputs.items() if values.get("state") != "absent"]:
            secrets.update(sections.secrets(section, site))
        # Seals are made while inputs are read.
        secrets.update(site.sealed)
        arguments = sections.arguments(inputs, site)
        planned = {name: harmful(name, known[name]["plan"]) for name in inputs if name in known}
        # What one role takes away another no longer needs, so that more goes than the first look said.
        planned = {} if variables.get("__slipway_removes") else planned
        owner = {"person": getpass.getuser(), "controller": socket.gethostname(), "since": time.strftime("%H:%M")}
        arguments.update(
            planned=planned, owner=owner, roles=asked, phases=self._task.args.get("phases"), secrets=secrets
        )
        name = self._task.delegate_to or site.host
        warnings: list[str] = []
        while True:
            answer = self._follow(name, arguments, task_vars, site.settings["lock_timeout"])
            # From 2.19 on a module's own warnings are objects by now.
            warnings += [*answer.get("warnings", []), *(f"{name}: {note}" for note in answer.pop("notes"))]
            answer["warnings"] = warnings
            if not (by_role and answer.get("refused")) or answer["done"]:
                break
            for section, reasons in answer["refused"].items():
                known[section] = {**known[section], "refused": reasons}
            stay = refusals.blocked(known)
            warnings += [
                f"{name}: {text}"
                for text in refusals.told({one: stay[one] for one in arguments["roles"] if one in stay})
            ]
            asked = self._not_blocked(known)
            if not asked:
                return {**result, **known, "warnings": warnings}
            arguments.update(roles=asked, inputs={one: inputs[one] for one in asked})
        if answer.get("failed") or answer.get("unreachable"):
            lines = str(answer.get("msg") or "").splitlines()
            return {**result, **answer, **(sections.failure(lines) if answer.get("failed") and lines else {})}
        found = {section: answer.pop(section) for section in asked}
        for section, state in found.items():
            before = known.get(section, {})
            # Also what was mended before long work began.
            mended = before.get("mended", []) + gone(section, before.get("plan", {}), state["plan"])
            state["mended"] = mended + [one for one in state["mended"] if one not in mended]
        return {**result, **known, **found, **answer, "changed": bool(answer["done"])}

    def _not_blocked(self, known: dict[str, Any]) -> list[str]:
        """Return the roles of the task that nothing keeps from acting."""
        stay = refusals.blocked(known)
        return [name for name in self._task.args["roles"] if name not in stay]

    def _follow(
        self, name: str, arguments: dict[str, Any], variables: dict[str, Any] | None, lock_timeout: int
    ) -> dict[str, Any]:
        """Return the module's last answer with all that was done, noted and changed, and show progress meanwhile."""
        kept: dict[str, list[Any]] = {"done": [], "notes": [], "diff": []}
        told, end = "", time.monotonic() + lock_timeout
        while True:
            answer = sections.ask(self, "slipway.node.act", arguments, variables)
            for key, values in kept.items():
                values += [one for one in answer.pop(key, []) if key == "diff" or one not in values]
            if "held" not in answer:
                end = time.monotonic() + lock_timeout
            elif time.monotonic() > end:
                remedy = "Wait for it and run again, or let this one wait longer by slipway_lock_timeout."
                return {**sections.failure([f"{answer['held']}. {remedy}"]), **kept}
            goes_on = answer.get("waiting") or (answer.get("held") and f"waits, since {answer['held']}")
            if not goes_on:
                return {**answer, **kept}
            if goes_on != told:
                self._display.display(f"{name}: {goes_on}")
            told = goes_on
