"""The controller's half of ``slipway.node.state``: inputs are read, cast and checked, then the module asks the host."""

from __future__ import annotations

import importlib
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.vars.clean import namespace_facts
from ansible_collections.slipway.node.plugins.module_utils.host import sentence
from ansible_collections.slipway.node.plugins.plugin_utils import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils import settings as shared

# The roles whose inputs are read here.
ROLES = ("user_groups", "images")


class ActionModule(ActionBase):
    """Compare a host with what the roles want; documented at the module of the same name."""

    _VALID_ARGS = frozenset(("roles", "prove", "phases", "refuse", "want"))

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
        if answer.get("failed"):
            return {**result, **answer}
        found = {role: answer[role] for role in inputs}
        reasons = [reason for role, state in found.items() for reason in _reasons(role, state)]
        if reasons and refuse:
            return {**result, "failed": True, "msg": "\n".join(reasons)}
        drift = [entry for state in found.values() for entry in state["drift"]]
        phases = self._task.args.get("phases")
        lines = [sentence(entry) for entry in drift if phases is None or entry["phase"] in phases]
        if prove and lines:
            return {**result, "failed": True, "msg": _left(found, lines)}
        for role, state in found.items():
            before = known.get(role, {})
            gone = [entry for entry in before.get("drift", []) if prove and entry not in state["drift"]]
            state["mended"] = before.get("mended", []) + gone
        if self._task.check_mode and lines:
            result.update(changed=True, diff={"prepared": "".join(f"{line}\n" for line in lines)})
        result["warnings"] = [note for state in found.values() for note in state["notes"]]
        sections = {"observed": answer["observed"], "drift": answer["drift"]} if want else {}
        return {**result, **known, **found, **sections, "platform": answer["platform"], "problems": problems}

    def _inputs(self, variables: dict[str, Any], result: dict[str, Any]) -> tuple[dict[str, Any], str, list[str]]:
        """Return the inputs of each role, what the host is to be taken for, and what is wrong with any of them."""
        settings, problems = self._read("", variables, {})
        problems += shared.check(settings, variables.get("groups", {}))
        if problems:
            return {}, "", problems
        if settings["gather_facts"] and "distribution" not in variables.get("ansible_facts", {}):
            facts = self._execute_module("ansible.legacy.setup", task_vars=variables)
            if facts.get("failed"):
                return {}, "", [f"The host's facts cannot be gathered: {facts.get('msg', 'no reason is given')}"]
            result["ansible_facts"] = facts["ansible_facts"]
            variables["ansible_facts"] = namespace_facts(facts["ansible_facts"])["ansible_facts"]

        def variable(name: str, host: str = "") -> Any:
            try:
                if host:
                    # Of this host too: a task's own variables have defaults for its connection.
                    return variables["hostvars"][host].get(name) if host in variables["hostvars"] else None
                templar = self._templar.copy_with_new_env(available_variables=variables)
                return templar.template(variables[name]) if name in variables else None
            except AnsibleError as error:
                problems.append(reader.cannot_be_read(name, error))
                return None

        site = reader.Site(variables.get("inventory_hostname", ""), settings, variables.get("groups", {}), variable)
        inputs = {}
        asked = self._task.args.get("roles")
        for role in [role for role in ROLES if role in settings["roles"]] if asked is None else asked:
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
        return inputs, settings["platform"], list(dict.fromkeys(problems))

    def _read(self, role: str, variables: dict[str, Any], default: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the inputs of a role, or without one the shared settings, and what is wrong with them."""
        prefix, options = f"{role or 'slipway'}_", reader.specification(role)
        default = default or {name: option.get("default") for name, option in options.items()}
        templar = self._templar.copy_with_new_env(available_variables={**default, **variables})
        values, problems = reader.read(options, default, variables, templar.template, prefix)
        return values, problems + reader.unknown(variables, prefix, options)


def _reasons(role: str, state: dict[str, Any]) -> list[str]:
    """Return why a role may not act, as sentences."""
    errors = [f"{role} could not look at the host: {state['error']}"] if state["error"] else []
    return [*state["problems"], *errors, *state["refused"]]


def _left(found: dict[str, Any], lines: list[str]) -> str:
    roles = ", ".join(found)
    hints = [reason for role, state in found.items() for reason in _reasons(role, state)]
    return "\n".join([f"{roles} acted, and this is still not as wanted:", *(f"  {line}" for line in lines), *hints])
