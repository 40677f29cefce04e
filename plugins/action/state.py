"""The controller's half of ``slipway.node.state``: inputs are read, cast and checked, then the module asks the host."""

from __future__ import annotations

import importlib
import re
from typing import Any

from ansible import __version__
from ansible.plugins.action import ActionBase
from ansible.vars.clean import namespace_facts
from ansible_collections.slipway.node.plugins.module_utils.host import sentence
from ansible_collections.slipway.node.plugins.plugin_utils import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils import settings as shared

# What an interpreter says, or a shell that finds none.
_OLD_PYTHON = re.compile(r"requires a minimum of Python|python[0-9.]*: (command )?not found|future feature annotations")

# The roles whose inputs are read here.
ROLES = ("user_groups", "docker_ce")


class ActionModule(ActionBase):
    """Compare a host with what the roles want; documented at the module of the same name."""

    _VALID_ARGS = frozenset(("roles", "prove", "refuse", "want"))

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the state of each role that was asked for, beside what earlier calls found of others."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = dict(task_vars or {})
        known = {
            name: value
            for name, value in variables.get("slipway_state", {}).items()
            if name in (*ROLES, "platform", "observed", "drift")
        }
        prove, refuse = self._task.args.get("prove", False), self._task.args.get("refuse", True)
        if prove and self._task.check_mode:
            return {**result, **known}
        inputs, platform, problems = self._inputs(variables, result)
        if problems and refuse:
            return {**result, "failed": True, "msg": "\n".join(problems)}
        want = self._task.args.get("want", {})
        answer = self._execute_module(
            "slipway.node.state",
            module_args={"inputs": inputs, "platform": platform, "want": want},
            task_vars=task_vars,
        )
        if answer.get("failed") or answer.get("unreachable"):
            return {**result, **_explain(answer)}
        found = {role: answer[role] for role in inputs}
        reasons = [reason for role, state in found.items() for reason in _reasons(role, state)]
        if reasons and refuse:
            return {**result, "failed": True, "msg": "\n".join(reasons)}
        lines = [sentence(entry) for state in found.values() for entry in state["drift"]]
        if prove and lines:
            return {**result, "failed": True, "msg": _left(found, lines)}
        for role, state in found.items():
            state["mended"] = known.get(role, {}).get("drift", []) if prove else []
        if self._task.check_mode and lines:
            result.update(changed=True, diff={"prepared": "".join(f"{line}\n" for line in lines)})
        result["warnings"] = [note for state in found.values() for note in state["notes"]]
        sections = {key: answer[key] for key in ("observed", "drift")} if "want" in self._task.args else {}
        return {**result, **known, **found, **sections, "platform": answer["platform"], "problems": problems}

    def _inputs(self, variables: dict[str, Any], result: dict[str, Any]) -> tuple[dict[str, Any], str, list[str]]:
        """Return the inputs of each role, what the host is to be taken for, and what is wrong with any of them."""
        settings, problems = self._read("", variables, {})
        problems += shared.check(settings, variables.get("groups", {}))
        if settings["gather_facts"] and "distribution" not in variables.get("ansible_facts", {}):
            facts = self._execute_module("ansible.legacy.setup", task_vars=variables)
            if facts.get("failed"):
                return {}, "", [f"The host's facts cannot be gathered: {facts.get('msg', 'no reason is given')}"]
            result["ansible_facts"] = facts["ansible_facts"]
            variables["ansible_facts"] = namespace_facts(facts["ansible_facts"])["ansible_facts"]
        site = reader.Site(variables.get("inventory_hostname", ""), settings, variables.get("groups", {}))
        inputs = {}
        # Where slipway_roles is wrong, the inputs of all are looked at.
        taken = settings["roles"] if settings["roles"] and None not in settings["roles"] else ROLES
        asked = self._task.args.get("roles")
        for role in [role for role in ROLES if role in taken] if asked is None else asked:
            plugin = importlib.import_module(f"ansible_collections.slipway.node.plugins.plugin_utils.{role}")
            values, wrong = self._read(role, variables, reader.defaults(role))
            if values["state"] == "absent":
                # Removal needs no valid inputs but those that it uses.
                used = {f"{role}_{name}" for name in plugin.REMOVAL_INPUTS}
                needed = {name: value for name, value in variables.items() if not name.startswith(role) or name in used}
                values, wrong = self._read(role, needed, reader.defaults(role))
            if not wrong:
                inputs[role], wrong = plugin.prepare(values, site)
            if wrong:
                inputs.pop(role, None)
                problems += wrong
        return inputs, settings["platform"] or "", problems

    def _read(self, role: str, variables: dict[str, Any], default: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the inputs of a role, or without one the shared settings, and what is wrong with them."""
        prefix, options = f"{role or 'slipway'}_", reader.specification(role)
        default = default or {name: option.get("default") for name, option in options.items()}
        templar = self._templar.copy_with_new_env(available_variables={**default, **variables})
        values, problems = reader.read(options, default, variables, templar.template, prefix)
        return values, problems + reader.unknown(variables, prefix, options)


def _explain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a module's failure, with the remedy first where the host's Python is too old for this ansible-core."""
    said = " ".join(str(answer.get(key, "")) for key in ("msg", "module_stderr", "module_stdout"))
    if not _OLD_PYTHON.search(said):
        return answer
    remedy = (
        f"The host's Python cannot run modules of ansible-core {__version__}. Enterprise Linux 8 has 3.6 alone: run "
        "with ansible-core 2.16, as `make site ANSIBLE=2.16` does; elsewhere install a newer python3."
    )
    return {"failed": True, "msg": f"{remedy}\n{said.strip()}"}


def _reasons(role: str, state: dict[str, Any]) -> list[str]:
    """Return why a role may not act, as sentences."""
    errors = [f"{role} could not look at the host: {state['error']}"] if state["error"] else []
    return [*state["problems"], *errors, *state["refused"]]


def _left(found: dict[str, Any], lines: list[str]) -> str:
    roles = ", ".join(found)
    hints = [reason for role, state in found.items() for reason in _reasons(role, state)]
    return "\n".join([f"{roles} acted, and this is still not as wanted:", *(f"  {line}" for line in lines), *hints])
