"""The controller's half of ``slipway.node.act``: inputs and secrets, and progress of long work."""

from __future__ import annotations

import getpass
import socket
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import gone, harmful
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
        # A removal needs none, and what they are made of may be gone.
        for section in [name for name, values in inputs.items() if values.get("state") != "absent"]:
            secrets.update(sections.secrets(section, self, variables, site))
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
        done: list[str] = []
        end = time.monotonic() + site.settings["lock_timeout"]
        told = ""
        notes: list[str] = []
        diffs: list[dict[str, str]] = []
        while True:
            answer = sections.ask(self, "slipway.node.act", arguments, task_vars)
            done += [phase for phase in answer.get("done", []) if phase not in done]
            diffs += answer.pop("diff", [])
            notes += [note for note in answer.pop("notes", []) if note not in notes]
            if "held" not in answer:
                end = time.monotonic() + site.settings["lock_timeout"]
            elif time.monotonic() > end:
                remedy = "Wait for it and run again, or let this one wait longer by slipway_lock_timeout."
                return {**result, **sections.failure([f"{answer['held']}. {remedy}"])}
            goes_on = answer.get("waiting") or (answer.get("held") and f"waits, since {answer['held']}")
            if not goes_on:
                break
            if goes_on != told:
                self._display.display(f"{name}: {goes_on}")
            told = goes_on
        # From 2.19 on a module's own warnings are objects by now.
        answer["warnings"] = [*answer.get("warnings", []), *(f"{name}: {note}" for note in notes)]
        if answer.get("failed") or answer.get("unreachable"):
            lines = str(answer.get("msg") or "").splitlines()
            told_in_lines = sections.failure(lines) if answer.get("failed") and lines else {}
            return {**result, **answer, **told_in_lines, "done": done, "diff": diffs}
        found = {section: answer.pop(section) for section in inputs}
        for section, state in found.items():
            before = known.get(section, {})
            # Also what was mended before long work began.
            mended = before.get("mended", []) + gone(section, before.get("plan", {}), state["plan"])
            state["mended"] = mended + [one for one in state["mended"] if one not in mended]
        return {**result, **known, **found, **answer, "changed": bool(done), "done": done, "diff": diffs}
