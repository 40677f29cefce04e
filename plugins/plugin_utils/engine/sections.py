"""The inputs of sections for an action plugin: read from its task's variables, and prepared for the node."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible import __version__, constants, context
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.vars.clean import namespace_facts
from ansible_collections.slipway.node.plugins.plugin_utils.engine import elsewhere
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader
from ansible_collections.slipway.node.plugins.plugin_utils.engine import settings as shared

NO_TAGS = (
    "Slipway's playbooks have no tags, so --tags would leave everything out. Choose roles by slipway_only, as in "
    '-e \'{"slipway_only": ["docker_ce"]}\'.'
)
# Variables of the playbooks, by what they begin with.
OF_PLAYBOOKS = {"plan_": ["json", "fail_on", "fail_on_drift", "ask_mirrors"], "verify_": ["image"]}
# Why a module cannot be run on a host, in the words of an interpreter, a shell or sudo, and what to do.
REMEDIES = (
    (
        r"requires a minimum of Python|python[0-9.]*: (command not found|not found|No such file)|"
        r"future feature annotations",
        "The host's Python cannot run modules of ansible-core {version}. Enterprise Linux 8 has 3.6 alone: run "
        "with ansible-core 2.16, as `make site ANSIBLE=2.16` does; elsewhere install a newer python3.",
    ),
    (
        r"Permission denied [(].*(publickey|password|keyboard|gssapi)",
        "SSH does not let the login in. Copy your key there (ssh-copy-id USER@HOST), give its password by -k, or set "
        "another ansible_user.",
    ),
    (
        r"[Ii]ncorrect sudo password|Sorry, try again",
        "The password for sudo is wrong. Run again with -K (make: ARGS=-K).",
    ),
    (
        r"Missing sudo password|sudo: a password is required|a terminal is required to read the password",
        "sudo on the host asks for a password. Run again with -K (make: ARGS=-K).",
    ),
    (
        r"is not in the sudoers file|is not allowed to (run|execute)|may not run sudo",
        "The login may not use sudo on the host. Add it to the group sudo (wheel on Enterprise Linux), or set another "
        "ansible_user.",
    ),
    (
        r"Failed to create temporary directory",
        "The login has no place for Ansible's files on the host: its home is missing, full or read-only. Mend that, or "
        "set another place, as in ansible_remote_tmp: /var/tmp/ansible.",
    ),
    (
        r"you must have a tty to run sudo",
        "sudo on the host wants a terminal (requiretty). Run again with -e ansible_pipelining=false, or take "
        "requiretty out of the host's sudoers.",
    ),
)


class FactsError(Exception):
    """A host's facts cannot be gathered; it has the answer, which says why."""


def known(variables: dict[str, Any]) -> dict[str, Any]:
    """Return what earlier calls found of the host."""
    names = (*reader.SECTIONS, "platform", "by_role", "roles", "kept", "unused")
    return {name: value for name, value in variables.get("slipway_state", {}).items() if name in names}


def secrets(section: str, site: reader.Site) -> dict[str, Any]:
    """Return what only acting needs of a section that was read, by the name that stands for it."""
    plugin = _plugin(section)
    return dict(plugin.secrets_for_acting(site.given[section], site)) if hasattr(plugin, "secrets_for_acting") else {}


def make(site: reader.Site) -> list[str]:
    """Make on the controller what sections that were read keep there; return why that fails."""
    try:
        for section, values in site.given.items():
            if hasattr(_plugin(section), "make_on_controller"):
                _plugin(section).make_on_controller(values, site)
    except (OSError, ValueError) as error:
        return [_cannot_use(section, error)]
    return []


def _cannot_use(section: str, error: Exception) -> str:
    text = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    return f"{section} cannot use a file on the controller: {text}. Mend or remove it."


def _plugin(section: str) -> Any:
    return importlib.import_module(f"ansible_collections.slipway.node.plugins.plugin_utils.{section}.inputs")


def arguments(inputs: dict[str, Any], site: reader.Site) -> dict[str, Any]:
    """Return what a module is told of its inputs."""
    return {"inputs": inputs, "platform": site.settings.get("platform") or "", "key": site.key}


def read(
    action: Any, variables: dict[str, Any], result: dict[str, Any], asked: list[str] | None
) -> tuple[dict[str, Any], reader.Site, list[str]]:
    """Return the inputs of each section, on what site they were read, and what is wrong with any of them.

    :param action: the action plugin, which templates, and gathers facts where the settings want them.
    :param variables: those of its task, which get the facts, as its result does.
    :param asked: the sections; ``None`` for those that the host takes, none to read the settings alone.
    :raises FactsError: what only the host knows is wanted, and cannot be had.
    """
    templar = action._templar
    # Before the other settings, whose templates may need facts.
    wanted, _problems = reader.of_role("", variables, templar, ["gather_facts"])
    if wanted["gather_facts"] and "distribution" not in variables.get("ansible_facts", {}):
        facts = ask(action, "ansible.legacy.setup", {}, variables)
        if facts.get("failed") or facts.get("unreachable"):
            raise FactsError(facts)
        result["ansible_facts"] = facts["ansible_facts"]
        if constants.INJECT_FACTS_AS_VARS:
            variables.update(facts["ansible_facts"])
        variables["ansible_facts"] = namespace_facts(facts["ansible_facts"])["ansible_facts"]
    settings, problems = reader.of_role("", variables, templar)
    problems += shared.check(settings)
    for prefix, known in OF_PLAYBOOKS.items():
        problems += reader.strangers(variables, prefix, [prefix + name for name in known])[0]
    given, host, groups = settings["roles"], variables.get("inventory_hostname", ""), variables.get("groups", {})
    # A role in somebody's own playbook takes part whatever the groups say; the site's playbooks tell what they found.
    told = (variables.get("slipway_state") or {}).get("roles", reader.ROLES)
    roles = told if asked and given is None else reader.roles_of(host, groups, given)
    left_out = [role for role in reader.ROLES if role not in roles] if given is None else []
    removes = bool(variables.get("__slipway_removes"))
    if removes and asked is None:
        roles = [
            *roles,
            *(role for role in reader.ROLES if role in (variables.get("slipway_state") or {}).get("kept", [])),
        ]
    if settings["only"] is not None:
        roles, left_out = ([role for role in one if reader.takes(role, settings["only"])] for one in (roles, left_out))

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

    site = reader.Site(host, settings, groups, variable, variables.get("hostvars", {}), roles, left_out)
    inputs, present = {}, []
    for role in [role for role in reader.SECTIONS if reader.is_taken(role, site)] if asked is None else asked:
        try:
            plugin = _plugin(role)
        except ModuleNotFoundError as error:
            problems.append(f"{role} needs {error.name} on the controller; install it beside ansible-core by pip.")
            continue
        values, wrong = reader.of_role(role, variables, templar)
        if removes or values["state"] == "absent":
            # Removal needs no valid inputs but those that it uses.
            values, wrong = reader.of_role(role, variables, templar, plugin.REMOVAL_INPUTS)
            values["state"] = "absent"
        else:
            present.append(role)
        if not wrong:
            site.given[role] = dict(values)
            try:
                inputs[role], wrong = plugin.prepare(values, site)
            except (OSError, ValueError) as error:
                wrong = [_cannot_use(role, error)]
        if wrong:
            inputs.pop(role, None)
            problems += wrong
    site.notes.extend(_notes(variables, site, present, _roles_of_play(action)))
    # Two sections of a role read the same inputs.
    return inputs, site, list(dict.fromkeys(problems))


def records(action: Any, variables: dict[str, Any], site: reader.Site) -> dict[str, str]:
    """Return where a host would have what Slipway installed of roles that its groups leave out, as shell patterns."""
    found = {}
    for section in reader.SECTIONS.values():
        if section.record and section.role in site.left_out:
            names = re.findall("{(.*?)}", section.record)
            values, wrong = reader.of_role(section.name, variables, action._templar, names)
            found.update({} if wrong else {section.role: section.record.format(**values)})
    return found


def are_tags_asked_for(tags: list[str], asked: Iterable[str] | None) -> bool:
    """Tell whether `--tags` take in a task that has the tag `always` so that it runs whatever they are."""
    given = set(asked or ["all"])
    return "always" not in tags or bool(given & {"all", "untagged", *tags} - {"always"})


def is_run_directly() -> bool:
    """Tell whether the command's playbook is one of Slipway's, and not one that imports it."""
    home = reader.COLLECTION.resolve()
    names = [str(one) for one in context.CLIARGS.get("args") or []]
    places = [home, home / "playbooks"]
    return any(one.startswith("slipway.node.") or Path(one).resolve().parent in places for one in names)


def failure(lines: list[str]) -> dict[str, Any]:
    """Return the result of a task that failed; several lines as a list too, for Ansible's own callback."""
    return {"failed": True, "msg": "\n".join(lines), **({"lines": lines} if len(lines) > 1 else {})}


def ask(action: Any, module: str, arguments: dict[str, Any], variables: dict[str, Any] | None) -> dict[str, Any]:
    """Run a module on the host and return its answer; why it could not be run comes with a remedy."""
    try:
        return explain(action._execute_module(module, module_args=arguments, task_vars=variables))
    except AnsibleConnectionFailure as error:
        return {"unreachable": True, "msg": explain({"failed": True, "msg": str(error)})["msg"]}
    except AnsibleError as error:
        return explain({"failed": True, "msg": str(error)})


def _roles_of_play(action: Any) -> list[str]:
    """Return the roles that somebody's own play lists under `roles:`; none where a task includes them one by one."""
    role = getattr(getattr(action, "_task", None), "_role", None)
    if role is None or role.from_include:
        return []
    return [one.get_name().rpartition(".")[2] for one in role._play.roles if not one.from_include]


def _notes(variables: dict[str, Any], site: reader.Site, sections: list[str], listed: list[str]) -> list[str]:
    """Return what is to be said of variables that these sections, or the host's other ones, do not read."""
    of_host = [section for section in reader.SECTIONS if reader.is_taken(section, site)]
    # Another role for Docker had users and daemon.json too, so docker_ce alone speaks for all of the host.
    takes = {reader.folder(section) for section in (of_host if "docker_ce" in sections else sections)}
    # A role's defaults are variables of its tasks.
    default = {name: value for section in sections for name, value in reader.defaults(section).items()}
    given = [name for name, value in variables.items() if name not in default or not _is(value, default[name])]
    notes = elsewhere.notes(given, takes, listed)
    for section in ("", *sections):
        prefix = f"{reader.folder(section) or 'slipway'}_"
        notes += reader.strangers(variables, prefix, reader.specification(section))[1]
    return sorted(set(notes))


def _is(value: Any, default: Any) -> bool:
    try:
        return bool(value == default)
    except AnsibleError:
        # A vault's, without its password.
        return False


def explain(answer: dict[str, Any]) -> dict[str, Any]:
    """Return a module's answer; where the host or the login could not run it, with the remedy first."""
    said = " ".join(str(answer.get(key, "")) for key in ("msg", "module_stderr", "module_stdout"))
    if answer.get("failed"):
        for pattern, remedy in REMEDIES:
            if re.search(pattern, said):
                return failure([remedy.format(version=__version__), said.strip()])
    return answer
