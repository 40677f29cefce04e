"""Filters of the playbooks: whom they act on, and results as text that a person reads, in tables and sentences."""

from __future__ import annotations

import glob
import importlib.util
import itertools
import json
import os
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

from ansible import __version__
from ansible.errors import AnsibleFilterError
from ansible.module_utils.compat.version import LooseVersion
from ansible.utils.display import Display
from ansible_collections.slipway.node.plugins.module_utils.engine.host import sentence
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import (
    COLLECTION,
    GROUPS,
    ROLES,
    SECTIONS,
    load,
)
from ansible_collections.slipway.node.plugins.plugin_utils.engine.words import host_names
from ansible_collections.slipway.node.plugins.plugin_utils.singularity.build import builder

# The oldest ansible-core, as meta/runtime.yml has it.
OLDEST = "2.16.0"
# How wide a table may be: as the terminal, where there is one. No column is made narrower than the second.
WIDTH = Display().columns if sys.stdout.isatty() else 0
NARROW = 10
TITLES = {"golang": "Go", "singularity": "Singularity"}


def site_hosts(groups: Mapping[str, list[str]]) -> str:
    """Return the pattern of all hosts that take a role; a run on none would end well and have done nothing.

    It is asked first, so what the controller lacks is said here, before Ansible says it in other words.
    """
    problems = controller_problems()
    if problems:
        raise AnsibleFilterError("\n".join(problems))
    named = [group for group in GROUPS if groups.get(group)]
    if named:
        return ":".join(named)
    wanted = f"Name the hosts in a group of {', '.join(GROUPS)}, as inventories/example/hosts.yml does."
    others = ", ".join(sorted(set(groups) - {"all", "ungrouped"}))
    if others:
        raise AnsibleFilterError(f"The inventory has no host for Slipway; its groups are: {others}. {wanted}")
    raise AnsibleFilterError(
        "No inventory was given, or it has no groups. Run: ansible-playbook -i INVENTORY site.yml (make: "
        f"INVENTORY=...). inventories/example is a template, inventories/localhost this machine. {wanted}"
    )


def controller_problems() -> list[str]:
    """Return what is too old or missing on the controller."""
    problems = []
    if LooseVersion(__version__) < LooseVersion(OLDEST):
        problems.append(
            f"This is ansible-core {__version__}. Slipway needs {OLDEST} or newer. Install it in an environment of its "
            "own: python3 -m venv ~/slipway && ~/slipway/bin/pip install ansible bcrypt"
        )
    lacking = [name for name in load(COLLECTION / "requirements.yml")["collections"] if not _is_there(name["name"])]
    if lacking:
        names = " ".join(one["name"] for one in lacking)
        problems.append(
            f"The controller lacks the collections {names}. Install them: ansible-galaxy collection install {names} "
            "(or all of them at once, without Galaxy: pip install ansible)."
        )
    return problems


def _is_there(collection: str) -> bool:
    try:
        return importlib.util.find_spec(f"ansible_collections.{collection}") is not None
    except ImportError:
        return False


def table(rows: list[dict[str, Any]], columns: list[str], width: int | None = None) -> list[str]:
    """Return the lines of a table with a heading, each column as wide as its longest cell.

    :param rows: one mapping a row; a missing key is an empty cell.
    :param columns: the keys to show, which are the headings too.
    :param width: of the table in characters, where a terminal shows it: the widest columns are wrapped to that.
    """
    cells = [columns] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    room = WIDTH if width is None else width
    while room and sum(widths) + 2 * len(widths) - 2 > room and max(widths) > NARROW:
        widest = widths.index(max(widths))
        second = max([NARROW, *(one for one in widths if one < widths[widest])])
        widths[widest] = max(second, widths[widest] - (sum(widths) + 2 * len(widths) - 2 - room))
    lines = [line for row in cells for line in _lines(row, widths)]
    height = len(_lines(columns, widths))
    return [*lines[:height], "  ".join("-" * one for one in widths), *lines[height:]]


def _lines(cells: list[str], widths: list[int]) -> list[str]:
    """Return the lines of a row, whose cells are wrapped to their columns' widths."""
    columns = [textwrap.wrap(cell, one) or [""] for cell, one in zip(cells, widths, strict=True)]
    return [
        "  ".join(cell.ljust(one) for cell, one in zip(line, widths, strict=True)).rstrip()
        for line in itertools.zip_longest(*columns, fillvalue="")
    ]


def drift_text(drift: list[dict[str, str]]) -> str:
    """Return drift as text, one difference a line: ``docker.service: not enabled -> enabled``."""
    return "\n".join(sentence(entry) for entry in drift)


def drift_of(state: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the drift of all roles in C(slipway_state), in the order in which they are mended."""
    return [entry for role in SECTIONS for entry in (state.get(role) or {}).get("drift", [])]


def drifted_hosts(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the hosts that differ from their wanted state, or of which that is not known."""
    plans = plan_data(hosts, hostvars)
    return [host for host, plan in plans.items() if plan is None or any(plan[key] for key in plan if key != "notes")]


def plan_data(hosts: list[str], hostvars: Any) -> dict[str, Any]:
    """Return what is known of each host: drift, refusals, problems and errors; ``None`` where it was not reached."""
    return {host: _plan(state) if (state := _state(hostvars[host])) else None for host in hosts}


def plan_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the plan: what each host lacks and what stands in the way, equal hosts in one row.

    ``phase`` is empty where there is nothing to do.
    """
    alike: dict[str, tuple[list[str], list[dict[str, str]]]] = {}
    for host, plan in plan_data(hosts, hostvars).items():
        rows = _plan_rows(plan)
        alike.setdefault(json.dumps(rows), ([], rows))[0].append(host)
    return [{"node": host_names(names), **row} for names, rows in alike.values() for row in rows]


def _plan(state: Mapping[str, Any]) -> dict[str, Any]:
    roles = {role: state[role] for role in SECTIONS if state.get(role)}
    return {
        "drift": drift_of(state),
        "refused": {role: one["refused"] for role, one in roles.items() if one["refused"]},
        "problems": [*state.get("problems", []), *(text for one in roles.values() for text in one["problems"])],
        "errors": {role: one["error"] for role, one in roles.items() if one["error"]},
        "notes": {
            "": state.get("site_notes", []),
            **{role: one["notes"] for role, one in roles.items() if one["notes"]},
        },
    }


def _plan_rows(plan: dict[str, Any] | None) -> list[dict[str, str]]:
    if plan is None:
        return [{"role": "", "phase": "UNKNOWN", "change": "not compared: see the error above"}]
    rows = [{"role": "", "phase": "PROBLEM", "change": text} for text in plan["problems"]]
    rows += [{"role": role, "phase": "ERROR", "change": text} for role, text in plan["errors"].items()]
    rows += [
        {"role": role, "phase": "REFUSED", "change": text} for role, texts in plan["refused"].items() for text in texts
    ]
    rows += [{"role": one["role"], "phase": one["phase"], "change": sentence(one)} for one in plan["drift"]]
    rows = rows or [{"role": "", "phase": "", "change": "nothing to do"}]
    return rows + [
        {"role": role, "phase": "NOTE", "change": text} for role, texts in plan["notes"].items() for text in texts
    ]


def site_notes(hosts: list[str], hostvars: Any, groups: Mapping[str, list[str]]) -> list[str]:
    """Return what an admin should know of the site as a whole, what stays, what has no effect, who compiles."""
    states = {host: state for host in hosts if (state := _state(hostvars[host]))}
    taken = {role for state in states.values() for role in state.get("roles", [])}
    notes = []
    for role, group in (("golang", "golang_hosts"), ("singularity", "singularity_hosts")):
        keep = [host for host, state in states.items() if role in state.get("kept", [])]
        if keep:
            notes.append(
                f"{host_names(keep)}: {TITLES[role]} of an earlier run stays there as it is, since {group} lacks these "
                "hosts. Add them to that group to have it managed. remove.yml removes it."
            )
    idle = {role for state in states.values() for role in state.get("unused", {})} - taken
    for role in [role for role in ROLES if role in idle]:
        names = sorted({name for state in states.values() for name in state["unused"].get(role, [])})
        where = "the group " + {"golang": "golang_hosts", "singularity": "singularity_hosts"}.get(
            role, "container_hosts"
        )
        have = "has" if len(names) == 1 else "have"
        notes.append(
            f"{', '.join(names)} {have} no effect, since no host of this run takes {role}. "
            f"Add hosts to {where}, or {role} to their slipway_roles."
        )
    return notes + _compilations(states, hostvars, groups)


def _compilations(states: Mapping[str, Any], hostvars: Any, groups: Mapping[str, list[str]]) -> list[str]:
    """Return who would compile Singularity for whom: compiler and headers go to that host alone."""
    waiting: dict[tuple[str, str], list[str]] = {}
    build_hosts = groups.get("build_hosts", [])
    for host, state in states.items():
        own = state.get("singularity") or {}
        if "install_tree" in own.get("phases", []) and not glob.glob(
            os.path.join(own["want"]["cache_dir"], own["want"]["archive_glob"])
        ):
            by = builder(hostvars, list(states), [one for one in build_hosts if one in states], host, [])
            if by:
                stem, platform = own["want"]["build"]["stem"], own["want"]["build"]["platform"]
                waiting.setdefault((by, f"{stem} for {platform}"), []).append(host)
    # A build host that this run does not look at may take it over.
    unless = "" if set(build_hosts) <= set(states) else ", unless a host of build_hosts outside this run is alike"
    return [f"{by} compiles {what}{unless}. Compilers are installed there alone." for (by, what) in waiting]


def folded(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Return rows of which those that are equal but for their host are one."""
    alike: dict[str, tuple[list[str], dict[str, str]]] = {}
    for row in rows:
        rest = {key: value for key, value in row.items() if key != "node"}
        alike.setdefault(json.dumps(rest), ([], rest))[0].append(row["node"])
    return [{"node": host_names(names), **rest} for names, rest in alike.values()]


def site_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the site's final table from what the last probe of each host observed, equal ones as one."""
    rows = []
    for host in hosts:
        hostvar = hostvars[host]
        platform = _state(hostvar).get("platform", {})
        engine = _observed(hostvar, "docker_ce")
        runs = engine.get("engine") or (engine.get("installed") and "does not run")
        toolchain = (_observed(hostvar, "golang").get("link") or {}).get("target", "")
        rows.append(
            {
                "node": host,
                "platform": f"{platform.get('distribution', '?')} {platform.get('version', '')}".rstrip(),
                "engine": _found(hostvar, "docker_ce", runs),
                "mirror": _found(hostvar, "docker_ce", engine.get("mirror")),
                "go": _found(hostvar, "golang", toolchain.rpartition("/go-")[2]),
                "singularity": _found(hostvar, "singularity", _observed(hostvar, "singularity").get("version")),
                "registry": _found(hostvar, "registry", _registries(_observed(hostvar, "registry"))),
                "changed": _outcome(hostvar),
            }
        )
    return folded(rows)


def _found(hostvar: Any, role: str, value: str | None) -> str:
    """Return what was found of a role: a dash where the host does not take it, ``?`` where nothing is known."""
    state = _state(hostvar)
    return "?" if not state else "-" if role not in state else value or "none"


def _registries(observed: dict[str, Any]) -> str:
    """Name the registries of a host that answer."""
    return " ".join(name for name, answer in observed.get("answers", {}).items() if isinstance(answer, int))


def _observed(hostvar: Any, role: str) -> dict[str, Any]:
    """Return what the last look at a role observed."""
    observed: dict[str, Any] = (_state(hostvar).get(role) or {}).get("observed", {})
    return observed


def _outcome(hostvar: Any) -> str:
    """Tell what a run made of a host."""
    state = _state(hostvar)
    if not state:
        told = hostvar.get("slipway_state") or {}
        return "UNREACHABLE" if told.get("unreachable") else "FAILED" if told else "not reached"
    left, mended = drift_of(state), [entry for role in SECTIONS for entry in (state.get(role) or {}).get("mended", [])]
    # What a role leaves undone on purpose, which is a restart of the daemon.
    if left and all(entry["phase"] == "later" for entry in left):
        return "restart pending"
    if left:
        return "would change" if hostvar.get("ansible_check_mode") else "FAILED"
    return "yes" if mended else "no"


def verify_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the table of ``verify.yml``, equal ones as one."""
    rows = [
        {
            "node": host,
            "engine": _engine(hostvars[host].get("__container") or hostvars[host].get("slipway_state")),
            "container": _answer(hostvars[host].get("__container"), "did not run", "container runs"),
            "image": _answer(hostvars[host].get("__pulled"), "not pulled", "pulled, runs"),
            "singularity": _answer(hostvars[host].get("__singularity_tried"), "did not run", "container runs"),
            "registries": _answer(hostvars[host].get("__registry_tried"), "do not answer", "answer"),
        }
        for host in hosts
    ]
    return folded(rows)


def _answer(result: dict[str, Any] | None, bad: str, good: str) -> str:
    """Tell how a step of the verification ended."""
    if not result or result.get("skipped"):
        return "-"
    if result.get("unreachable"):
        return "UNREACHABLE"
    return bad if result.get("failed") or result.get("rc") else good


def _engine(result: dict[str, Any] | None) -> str:
    """Tell the version that the engine gave before a container was run."""
    if result and "platform" in result:
        # It was looked at, and was not asked.
        return "-"
    lines = (result or {}).get("stdout", "").splitlines()
    return _answer(result and {**result, "failed": not lines, "rc": 0}, "no answer", "".join(lines[:1]))


def _state(hostvar: Any) -> dict[str, Any]:
    """Return what the probe found, empty where it did not come to an end."""
    state: dict[str, Any] = hostvar.get("slipway_state") or {}
    return {} if state.get("failed") or state.get("unreachable") else state


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "site_hosts": site_hosts,
            "site_notes": site_notes,
            "table": table,
            "drift_text": drift_text,
            "drifted_hosts": drifted_hosts,
            "plan_data": plan_data,
            "plan_rows": plan_rows,
            "site_rows": site_rows,
            "verify_rows": verify_rows,
        }
