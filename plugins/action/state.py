"""The controller's half of ``slipway.node.state``: inputs are read, cast and checked, then the module asks the host."""

from __future__ import annotations

import importlib
import re
from typing import Any

from ansible import __version__, constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible.vars.clean import namespace_facts
from ansible_collections.slipway.node.plugins.module_utils.host import sentence
from ansible_collections.slipway.node.plugins.plugin_utils import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils import settings as shared

# What an interpreter says, or a shell that finds none: dash or bash.
_OLD_PYTHON = re.compile(
    r"requires a minimum of Python|python[0-9.]*: (command not found|not found|No such file)|future feature annotations"
)


class ActionModule(ActionBase):
    """Compare a host with what the roles want; documented at the module of the same name."""

    _VALID_ARGS = frozenset(("roles", "prove", "phases", "refuse"))
    _site = reader.Site()

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the state of each role that was asked for, beside what earlier calls found of others."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        variables = dict(task_vars or {})
        known = {
            name: value
            for name, value in variables.get("slipway_state", {}).items()
            if name in (*reader.SECTIONS, "platform")
        }
        prove, refuse = self._task.args.get("prove", False), self._task.args.get("refuse", True)
        if prove and self._task.check_mode:
            return {**result, **known}
        inputs, platform, problems = self._inputs(variables, result, self._task.args.get("roles"))
        if problems and refuse:
            return {**result, "failed": True, "msg": "\n".join(problems)}
        answer = self._execute_module(
            "slipway.node.state",
            module_args={"inputs": inputs, "platform": platform, "key": self._site.key},
            task_vars=task_vars,
        )
        if answer.get("failed") or answer.get("unreachable"):
            return {**result, **_explain(answer)}
        found = {role: answer[role] for role in inputs}
        reasons = [reason for role, state in found.items() for reason in _reasons(role, state)]
        if reasons and refuse:
            return {**result, "failed": True, "msg": "\n".join(reasons)}
        # What is left for later on purpose is neither a failure nor a change.
        drift = [entry for state in found.values() for entry in state["drift"] if entry["phase"] != "later"]
        phases = self._task.args.get("phases")
        lines = [sentence(entry) for entry in drift if phases is None or entry["phase"] in phases]
        if prove and lines:
            return {**result, "failed": True, "msg": _left(found, lines)}
        for role, state in found.items():
            before = known.get(role, {})
            gone = [entry for entry in before.get("drift", []) if entry not in state["drift"]]
            state["mended"] = before.get("mended", []) + gone if prove else []
        if self._task.check_mode and lines:
            result.update(changed=True, diff={"prepared": "".join(f"{line}\n" for line in lines)})
        result["warnings"] = [note for state in found.values() for note in state["notes"]]
        return {**result, **known, **found, "platform": answer["platform"], "problems": problems}

    def _inputs(
        self, variables: dict[str, Any], result: dict[str, Any], asked: list[str] | None
    ) -> tuple[dict[str, Any], str, list[str]]:
        """Return the inputs of each role, what the host is to be taken for, and what is wrong with any of them."""
        # Before the other settings, whose templates may need facts.
        wanted, _problems = reader.of_role("", variables, self._templar, ["gather_facts"])
        if wanted["gather_facts"] and "distribution" not in variables.get("ansible_facts", {}):
            facts = _explain(self._execute_module("ansible.legacy.setup", module_args={}, task_vars=variables))
            if facts.get("failed") or facts.get("unreachable"):
                return {}, "", [f"The host's facts cannot be gathered: {facts.get('msg', 'no reason is given')}"]
            result["ansible_facts"] = facts["ansible_facts"]
            if constants.INJECT_FACTS_AS_VARS:
                variables.update(facts["ansible_facts"])
            variables["ansible_facts"] = namespace_facts(facts["ansible_facts"])["ansible_facts"]
        settings, problems = reader.of_role("", variables, self._templar)
        problems += shared.check(settings, variables.get("groups", {}))

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

        site = self._site = reader.Site(
            variables.get("inventory_hostname", ""),
            settings,
            variables.get("groups", {}),
            variable,
            variables.get("hostvars", {}),
        )
        inputs = {}
        for role in [role for role in reader.SECTIONS if reader.is_taken(role, site)] if asked is None else asked:
            try:
                plugin = importlib.import_module(f"ansible_collections.slipway.node.plugins.plugin_utils.{role}")
            except ModuleNotFoundError as error:
                problems.append(f"{role} needs {error.name} on the controller; install it beside ansible-core by pip.")
                continue
            values, wrong = reader.of_role(role, variables, self._templar)
            if values["state"] == "absent":
                # Removal needs no valid inputs but those that it uses.
                values, wrong = reader.of_role(role, variables, self._templar, plugin.REMOVAL_INPUTS)
            if not wrong:
                try:
                    inputs[role], wrong = plugin.prepare(values, site)
                except (OSError, ValueError) as error:
                    wrong = [f"{role} cannot use a file on the controller: {error}; mend or remove it."]
            if wrong:
                inputs.pop(role, None)
                problems += wrong
        # Two sections of a role read the same inputs.
        return inputs, settings["platform"] or "", list(dict.fromkeys(problems))


def _explain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a module's answer; where the host's Python is too old for this ansible-core, with the remedy first."""
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
    hints = [hint for role, state in found.items() for hint in [*_reasons(role, state), *state["notes"]]]
    return "\n".join([f"{roles} acted, and this is still not as wanted:", *(f"  {line}" for line in lines), *hints])
