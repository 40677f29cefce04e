"""The inputs of sections for an action plugin: read from its task's variables, and prepared for the node."""

from __future__ import annotations

import importlib
import re
from typing import Any

from ansible import __version__, constants
from ansible.errors import AnsibleError
from ansible.vars.clean import namespace_facts
from ansible_collections.slipway.node.plugins.plugin_utils import elsewhere
from ansible_collections.slipway.node.plugins.plugin_utils import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils import settings as shared

# What an interpreter says, or a shell that finds none: dash or bash.
_OLD_PYTHON = re.compile(
    r"requires a minimum of Python|python[0-9.]*: (command not found|not found|No such file)|future feature annotations"
)


def arguments(inputs: dict[str, Any], site: reader.Site) -> dict[str, Any]:
    """Return what a module is told of its inputs."""
    return {"inputs": inputs, "platform": site.settings.get("platform") or "", "key": site.key}


def read(
    action: Any, variables: dict[str, Any], result: dict[str, Any], asked: list[str] | None
) -> tuple[dict[str, Any], reader.Site, list[str]]:
    """Return the inputs of each section, on what site they were read, and what is wrong with any of them.

    :param action: the action plugin, which templates, and gathers facts where the settings want them.
    :param variables: those of its task, which get the facts, as its result does.
    :param asked: the sections; ``None`` for those that the host takes.
    """
    templar = action._templar
    # Before the other settings, whose templates may need facts.
    wanted, _problems = reader.of_role("", variables, templar, ["gather_facts"])
    if wanted["gather_facts"] and "distribution" not in variables.get("ansible_facts", {}):
        facts = explain(action._execute_module("ansible.legacy.setup", module_args={}, task_vars=variables))
        if facts.get("failed") or facts.get("unreachable"):
            why = facts.get("msg", "no reason is given")
            return {}, reader.Site(), [f"The host's facts cannot be gathered: {why}"]
        result["ansible_facts"] = facts["ansible_facts"]
        if constants.INJECT_FACTS_AS_VARS:
            variables.update(facts["ansible_facts"])
        variables["ansible_facts"] = namespace_facts(facts["ansible_facts"])["ansible_facts"]
    settings, problems = reader.of_role("", variables, templar)
    problems += shared.check(settings, variables.get("groups", {}))

    def variable(name: str, host: str = "") -> Any:
        try:
            if host:
                # Of this host too: a task's own variables have defaults for its connection.
                return variables["hostvars"][host].get(name) if host in variables["hostvars"] else None
            own = templar.copy_with_new_env(available_variables=variables)
            return own.template(variables[name]) if name in variables else None
        except AnsibleError as error:
            problems.append(reader.cannot_be_read(name, error))
            return None

    site = reader.Site(
        variables.get("inventory_hostname", ""),
        settings,
        variables.get("groups", {}),
        variable,
        variables.get("hostvars", {}),
    )
    inputs, present = {}, []
    for role in [role for role in reader.SECTIONS if reader.is_taken(role, site)] if asked is None else asked:
        try:
            plugin = importlib.import_module(f"ansible_collections.slipway.node.plugins.plugin_utils.{role}")
        except ModuleNotFoundError as error:
            problems.append(f"{role} needs {error.name} on the controller; install it beside ansible-core by pip.")
            continue
        values, wrong = reader.of_role(role, variables, templar)
        if values["state"] == "absent":
            # Removal needs no valid inputs but those that it uses.
            values, wrong = reader.of_role(role, variables, templar, plugin.REMOVAL_INPUTS)
        else:
            present.append(role)
        if not wrong:
            try:
                inputs[role], wrong = plugin.prepare(values, site)
            except (OSError, ValueError) as error:
                wrong = [f"{role} cannot use a file on the controller: {error}; mend or remove it."]
        if wrong:
            inputs.pop(role, None)
            problems += wrong
    site.notes.extend(_notes(variables, site, present))
    # Two sections of a role read the same inputs.
    return inputs, site, list(dict.fromkeys(problems))


def _notes(variables: dict[str, Any], site: reader.Site, sections: list[str]) -> list[str]:
    """Return what is to be said of variables that these sections, or the host's other ones, do not read."""
    of_host = [section for section in reader.SECTIONS if reader.is_taken(section, site)]
    # Another role for Docker had users and daemon.json too, so docker_ce alone speaks for all of the host.
    takes = {reader.folder(section) for section in (of_host if "docker_ce" in sections else sections)}
    notes = elsewhere.notes(variables, takes)
    for section in ("", *sections):
        prefix = f"{reader.folder(section) or 'slipway'}_"
        notes += reader.strangers(variables, prefix, reader.specification(section))[1]
    return sorted(set(notes))


def explain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a module's answer; where the host's Python is too old for this ansible-core, with the remedy first."""
    said = " ".join(str(answer.get(key, "")) for key in ("msg", "module_stderr", "module_stdout"))
    if not _OLD_PYTHON.search(said):
        return answer
    remedy = (
        f"The host's Python cannot run modules of ansible-core {__version__}. Enterprise Linux 8 has 3.6 alone: run "
        "with ansible-core 2.16, as `make site ANSIBLE=2.16` does; elsewhere install a newer python3."
    )
    return {"failed": True, "msg": f"{remedy}\n{said.strip()}"}
