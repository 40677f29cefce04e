"""The controller's half of ``slipway.node.state``: inputs are read, cast and checked, then the module asks the host."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.slipway.node.plugins.module_utils.engine import phases as phases_
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import gone, reasons_of, rows, sentence
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.engine import refusals, sections

SKIPPED = {"skipped": True, "skip_reason": "The tags that were asked for are of other tasks."}


class ActionModule(ActionBase):
    """Compare a host with what the roles want; documented at the module of the same name."""

    _VALID_ARGS = frozenset(("roles", "prove", "phases", "refuse", "refuse_inputs", "by_role", "make", "full", "ask"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the state of each role that was asked for, beside what earlier calls found of others."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        # Else `-v` prints all of it, a thousand lines a host.
        result["_ansible_verbose_override"] = self._display.verbosity < 3
        variables = dict(task_vars or {})
        known = sections.known(variables)
        asked, by_role = self._task.args.get("roles"), self._task.args.get("by_role", False)
        refuse = self._task.args.get("refuse", not by_role)
        prove = self._task.args.get("prove", False)
        if prove and self._task.check_mode:
            return {**result, **known}
        if not sections.are_tags_asked_for(self._task.tags, variables.get("ansible_run_tags")):
            # A playbook of one's own that imports Slipway's and runs other tasks by their tags leaves it out.
            return {**result, **(sections.failure([sections.NO_TAGS]) if sections.is_run_directly() else SKIPPED)}
        try:
            inputs, site, problems = sections.read(self, variables, result, asked)
            if self._task.args.get("make") and not problems:
                problems = sections.make(site)
                # The wanted state has digests of what now is there.
                inputs, site, again = sections.read(self, variables, result, asked)
                result["changed"] = True
                problems += again
        except sections.FactsError as error:
            return {**result, **error.args[0]}
        if problems and self._task.args.get("refuse_inputs", refuse):
            return {**result, **sections.failure(problems)}
        arguments = {
            **sections.arguments(inputs, site),
            **{name: self._task.args.get(name, False) for name in ("full", "ask")},
        }
        if not asked:
            arguments["records"] = sections.records(self, variables, site)
        answer = sections.ask(self, "slipway.node.state", arguments, task_vars)
        if answer.get("failed") or answer.get("unreachable"):
            return {**result, **answer, "problems": problems}
        found = {role: answer[role] for role in inputs}
        reasons = [reason for role, state in found.items() for reason in reasons_of(role, state)]
        if reasons and refuse:
            return {**result, **sections.failure(reasons)}
        # What is left for later on purpose is neither a failure nor a change.
        stay = refusals.blocked(found) if by_role else {}
        acting = {role: state["plan"] for role, state in found.items() if role not in stay}
        drift = [one for role, plan in acting.items() for one in rows(role, plan) if one["phase"] != phases_.LATER]
        phases = self._task.args.get("phases")
        lines = [sentence(entry) for entry in drift if phases is None or entry["phase"] in phases]
        if prove and lines:
            return {**result, **sections.failure(_left(found, lines))}
        for role, state in found.items():
            before = known.get(role, {})
            mended = before.get("mended", []) + gone(role, before.get("plan", {}), state["plan"])
            state["mended"] = mended if prove else []
        if self._task.check_mode and lines:
            result.update(changed=True, diff={"prepared": "".join(f"{line}\n" for line in lines)})
        # Else a plan has them in rows, or a playbook tells them once for all hosts.
        if refuse:
            notes = [*site.notes, *(note for state in found.values() for note in state["notes"])]
            result["warnings"] = [f"{site.host}: {note}" for note in notes]
        if not asked:
            known.update(
                by_role=by_role,
                roles=list(site.roles),
                kept=answer["kept"],
                unused=reader.unused(variables, site.roles),
            )
        result["site_notes"] = site.notes
        return {**result, **known, **found, "platform": answer["platform"], "problems": problems}


def _left(found: dict[str, Any], lines: list[str]) -> list[str]:
    roles = ", ".join(found)
    hints = [hint for role, state in found.items() for hint in [*reasons_of(role, state), *state["notes"]]]
    return [f"{roles} made its changes, but the host still differs:", *(f"  {line}" for line in lines), *hints]
