"""Inputs of a role, on the controller: read from a play's variables, cast, and checked, all problems at once.

The specification is the role's ``meta/argument_specs.yml``. Ansible's own validator is not used, since it takes a
string for a list by splitting it at commas and the number 1.20 for the version 1.2, and names Python's classes.
A problem is one sentence that says what is, and what to do.
"""

from __future__ import annotations

import difflib
import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleError
from ansible.module_utils.common.validation import check_type_bool, check_type_float, check_type_int
from ansible_collections.slipway.node.plugins.module_utils.engine import phases
from ansible_collections.slipway.node.plugins.module_utils.engine.host import seal
from ansible_collections.slipway.node.plugins.plugin_utils.engine.elsewhere import FOREIGN

COLLECTION = Path(__file__).parents[3]
# What is asked of a host: the roles, of which the registry is two.
SECTIONS = {section.name: section for section in phases.SECTIONS}
ROLES = tuple(dict.fromkeys(section.role for section in phases.SECTIONS))
# What a host of a group takes where slipway_roles does not say.
GROUPS = {
    group: tuple(dict.fromkeys(section.role for section in phases.SECTIONS if group in section.groups))
    for group in phases.GROUPS
}
# Variables that begin like an input and are none.
NOT_INPUTS = {"slipway_state"}
# A slip in four letters (hodl) has 0.75; what other roles call theirs (docker_daemon_opts) is below.
NEAR_MISS = 0.75

KINDS = {
    "bool": "true or false",
    "dict": "a mapping",
    "float": "a number",
    "int": "a whole number",
    "list": "a list",
    "str": "a text in quotes",
}

_WORDS = {bool: "", str: "the text ", int: "the number ", float: "the number ", list: "the list ", dict: "the mapping "}


@dataclass(frozen=True)
class Site:
    """What the controller knows beside a role's own inputs.

    ``settings`` are the ``slipway_*`` inputs without that prefix, ``groups`` and ``hostvars`` the inventory's,
    ``roles`` those that the host takes, ``left_out`` those that its groups do not give it.
    ``variable(name, host)`` returns another variable of the play, of this host where none is named, and ``None`` where
    there is none. ``sealed`` has the secrets that stand in inputs as seals made with ``key``. ``notes`` are of
    variables without effect. ``given`` has the inputs of each section that was read, as they were cast.
    """

    host: str = "localhost"
    settings: Mapping[str, Any] = field(default_factory=dict)
    groups: Mapping[str, list[str]] = field(default_factory=dict)
    variable: Callable[..., Any] = lambda _name, _host="": None
    hostvars: Mapping[str, Any] = field(default_factory=dict)
    roles: Collection[str] = ROLES
    left_out: Collection[str] = ()
    key: str = field(default_factory=secrets.token_hex, repr=False)
    sealed: dict[str, str] = field(default_factory=dict, repr=False)
    notes: list[str] = field(default_factory=list)
    given: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def seal(self, secret: str) -> str:
        """Return what stands for a secret where the host's journal would keep it, and remember the secret by it."""
        mark = seal(self.key, secret)
        self.sealed[mark] = secret
        return mark

    def role_file(self, role: str, name: str) -> str:
        """Return the text of a file of a role."""
        return (COLLECTION / "roles" / role / "files" / name).read_text(encoding="utf-8")


def folder(section: str) -> str:
    """Return the role whose inputs a section has."""
    return SECTIONS[section].role if section else ""


def roles_of(host: str, groups: Mapping[str, list[str]], given: list[Any] | None) -> list[str]:
    """Return the roles that a host takes, in their order.

    :param given: its slipway_roles; ``None`` where its groups decide.
    """
    asked = {role for group, roles in GROUPS.items() if host in groups.get(group, []) for role in roles}
    return [role for role in ROLES if (role in asked if given is None else takes(role, given))]


def takes(role: str, given: Any) -> bool:
    """Tell whether slipway_roles leave a role in; where they are wrong, the inputs of all are looked at."""
    return not isinstance(given, list) or None in given or role in given


def unused(variables: Mapping[str, Any], roles: list[str]) -> dict[str, list[str]]:
    """Return the inputs that are given to a host for nothing, by the role that it would have to take."""
    found = {role: sorted(set(specification(role)).intersection(variables)) for role in ROLES if role not in roles}
    for name, role in (("images_preload", "docker_ce"), ("images_sif", "singularity")):
        if name in variables and "images" in roles and role in found:
            found[role].append(name)
    return {role: names for role, names in found.items() if names}


def is_taken(section: str, site: Site) -> bool:
    """Tell whether a host is asked for a section."""
    one = SECTIONS[section]
    alone = not one.only_in or site.host in site.groups.get(one.only_in, [])
    return (
        alone and (not one.if_any or bool(site.groups.get(one.if_any))) and not one.by_name and one.role in site.roles
    )


@cache
def specification(role: str = "") -> dict[str, dict[str, Any]]:
    """Return the options of a role's inputs by name, or of the shared ones without a role."""
    home = COLLECTION / "roles" / folder(role) if role else COLLECTION
    options: dict[str, dict[str, Any]] = load(home / "meta/argument_specs.yml")["argument_specs"]["inputs"]["options"]
    return options


def defaults(role: str) -> dict[str, Any]:
    """Return the defaults of a role's inputs; they are plain values, without templates."""
    return load(COLLECTION / "roles" / folder(role) / "defaults/main.yml") or {}


def read(
    options: Mapping[str, dict[str, Any]],
    default: Mapping[str, Any],
    variables: Mapping[str, Any],
    template: Callable[[Any], Any],
    prefix: str,
    host: str = "",
) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs without their prefix, cast, and what is wrong with them.

    :param options: the specification of each input, by whole name.
    :param default: the defaults, by whole name; an input without one is ``None``.
    :param variables: the play's variables; ``None`` counts as not set.
    :param template: resolves a value's templates; raises ``AnsibleError`` where it cannot.
    :param host: whose variables they are, if not this host's own.
    """
    inputs: dict[str, Any] = {}
    problems: list[str] = []
    for name, option in options.items():
        value = default.get(name)
        try:
            given = template(variables[name]) if name in variables else None
            # Before ansible-core 2.19 a vault's value is read here.
            given = str(given) if getattr(given, "__ENCRYPTED__", False) else given
        except AnsibleError as error:
            problems.append(cannot_be_read(name, error, host))
            given = None
        if given is None and isinstance(value, (list, dict)):
            # For the keys that it leaves to their own defaults.
            given = value
        if given is not None:
            value = cast(name, option, given, problems)
        inputs[name.removeprefix(prefix)] = value
    return inputs, problems


def of_role(
    role: str, variables: Mapping[str, Any], templar: Any, only: Iterable[str] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return the inputs of a role, or without one the shared settings, and what is wrong with them.

    :param only: the inputs to read, without their prefix; the others have their defaults. All, where it is not given.
    """
    prefix, options = f"{folder(role) or 'slipway'}_", specification(role)
    default = defaults(role) if role else {name: option.get("default") for name, option in options.items()}
    own = templar.copy_with_new_env(available_variables={**default, **variables})
    if only is None:
        values, problems = read(options, default, variables, own.template, prefix)
        return values, problems + strangers(variables, prefix, options)[0]
    given = {name: variables[name] for name in (f"{prefix}{one}" for one in only) if name in variables}
    return read(options, default, given, own.template, prefix)


def strangers(names: Iterable[str], prefix: str, known: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return a problem for each variable that is nearly an input, and a note for each other that begins like one.

    Those that another role is known to have are left to ``elsewhere.notes``.
    """
    problems, notes = [], []
    ends = {name.removeprefix(prefix): name for name in known}
    for name in sorted({one for one in names if one.startswith(prefix)} - {*known, *NOT_INPUTS, *FOREIGN}):
        close = difflib.get_close_matches(name.removeprefix(prefix), ends, n=1, cutoff=NEAR_MISS)
        if close:
            problems.append(f"{name} is no input of Slipway (did you mean {ends[close[0]]}?).")
        else:
            notes.append(f"{name} is no input of Slipway and has no effect.")
    return problems, notes


def cast(name: str, option: Mapping[str, Any], value: Any, problems: list[str]) -> Any:
    """Return a value as its specification wants it; what is wrong is added to the problems, and ``None`` returned."""
    kind = option.get("type", "str")
    secret = _is_secret(option)
    # Before ansible-core 2.19 a value of a vault is no str.
    if getattr(value, "__ENCRYPTED__", False):
        value = str(value)
    # YAML takes a plain off for false.
    if kind == "str" and value is False and "off" in option.get("choices", []):
        value = "off"
    try:
        value = _convert(kind, value)
    except (TypeError, ValueError):
        remedy = _remedy(kind, value, secret)
        problems.append(f"{name} is {_shown(value, secret)}; give {KINDS[kind]}{remedy}.")
        return None
    if kind == "list" and ("elements" in option or "options" in option):
        element = {**option, "type": option.get("elements", "dict")}
        return [cast(f"{name}[{index}]", element, one, problems) for index, one in enumerate(value)]
    choices = option.get("choices")
    if choices and value not in choices:
        close = _suggest(str(value), [str(one) for one in choices])
        problems.append(f"{name} is {_shown(value, secret)}; choose {_or(choices)}{close}.")
        return None
    if kind == "dict" and "options" in option:
        return _cast_keys(name, option["options"], value, problems)
    return value


def _cast_keys(
    name: str, options: Mapping[str, dict[str, Any]], value: Mapping[str, Any], problems: list[str]
) -> dict[str, Any]:
    strange = sorted(str(key) for key in value if key not in options)
    # A typing error is one problem, and not a missing key besides.
    meant = [one for key in strange for one in difflib.get_close_matches(key, list(options), n=1)]
    for key in strange:
        problems.append(f"{name} has no key {key}{_suggest(key, options)}; there are: {', '.join(options)}.")
    done: dict[str, Any] = {}
    for key, option in options.items():
        if value.get(key) is not None:
            done[key] = cast(f"{name}.{key}", option, value[key], problems)
        elif option.get("required"):
            if key not in meant:
                problems.append(f"{name} lacks the key {key}; give {KINDS[option.get('type', 'str')]}.")
            done[key] = None
        else:
            done[key] = option.get("default")
    return done


def _is_secret(option: Mapping[str, Any]) -> bool:
    return bool(option.get("no_log")) or any(_is_secret(one) for one in option.get("options", {}).values())


def _convert(kind: str, value: Any) -> Any:
    # From `-e name=value` and INI files a list or mapping comes as text.
    if kind in ("list", "dict") and isinstance(value, str) and value.strip()[:1] in ("[", "{"):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError from error
    if kind == "list" and isinstance(value, (list, tuple)):
        return list(value)
    if kind == "dict" and isinstance(value, Mapping):
        return dict(value)
    if kind == "bool":
        return check_type_bool(value)
    if kind in ("int", "float") and not isinstance(value, bool):
        return check_type_int(value) if kind == "int" else check_type_float(value)
    # A version such as 1.20 is the number 1.2 without quotes.
    if kind == "str" and isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    raise TypeError


def _remedy(kind: str, value: Any, secret: bool) -> str:
    if secret or isinstance(value, (list, dict)):
        return ""
    if kind == "list":
        words = [word.strip() for word in value.split(",") if word.strip()] if isinstance(value, str) else [value]
        return f", as in {json.dumps(words, default=str)}" if words else ""
    ini = f" (in an INI file '\"{value}\"')" if isinstance(value, float) else ""
    return f', as in "{value}"{ini}' if kind == "str" else ""


def _shown(value: Any, secret: bool) -> str:
    if secret:
        return "not shown"
    text = json.dumps(value, default=str)
    text = text if len(text) <= 80 else f"{text[:77]}..."
    return next((words for one, words in _WORDS.items() if isinstance(value, one)), "") + text


def _or(choices: Iterable[Any]) -> str:
    return " or ".join(str(choice) for choice in choices)


def _suggest(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def cannot_be_read(name: str, error: AnsibleError, host: str = "") -> str:
    """Return the problem of a variable whose template fails; of another host's, where one is named."""
    reason = " ".join(str(error).split()).rstrip(".")
    if host:
        return (
            f"Other hosts need {name} of {host}, but it cannot be read: {reason}. Write a fixed value, or gather the "
            "facts of registry_hosts in an earlier play."
        )
    # A fact that was not gathered is a key that the mapping ansible_facts lacks.
    lacks_fact = "ansible_" in reason or "has no attribute" in reason
    remedy = "if it needs a fact of the host, set slipway_gather_facts: true" if lacks_fact else "correct its template"
    fact = re.search("'ansible_([a-z0-9_]+)' is undefined", reason)
    if fact:
        remedy = f"write ansible_facts.{fact.group(1)}, and set slipway_gather_facts: true"
    if "vault" in reason.lower():
        remedy = "give the vault's password by --ask-vault-pass, or --vault-password-file FILE (make: ARGS=...)"
    return f"{name} cannot be read: {reason}; {remedy}."


def load(path: Path) -> Any:
    """Return what a file of the collection in YAML holds."""
    # In C where there is such a loader, eight times as fast: every host's process reads it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 it is safe
