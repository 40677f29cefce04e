"""Filters of the playbooks: whom they act on, and results as text that a person reads, in tables and sentences."""

from __future__ import annotations

import difflib
import glob
import importlib.util
import json
import os
from collections.abc import Mapping
from typing import Any

from ansible import __version__
from ansible.errors import AnsibleFilterError
from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.slipway.node.plugins.module_utils.engine.phases import LATER, STEPS, sections_of
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import rows as rows_of
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import (
    GROUPS,
    ROLES,
    SECTIONS,
)
from ansible_collections.slipway.node.plugins.plugin_utils.engine.words import host_names, table
from ansible_collections.slipway.node.plugins.plugin_utils.singularity.build import builder

# The oldest ansible-core, as meta/runtime.yml has it.
OLDEST = "2.16.0"
# The collections that roles use, by the group whose hosts take them.
COLLECTIONS = {
    "registry_hosts": ["community.crypto"],
}
# What tasks/stage.yml says of a host on which a step failed.
FAILED = "It failed"
TITLES = {"golang": "Go", "singularity": "Singularity"}


def site_hosts(groups: Mapping[str, list[str]], only: str = "") -> str:
    """Return the pattern of all hosts that take a role; a run on none would end well and have done nothing.

    It is asked first, so what the controller lacks is said here, before Ansible says it in other words.

    :param only: the one group that a playbook is for.
    """
    problems = controller_problems(groups) + group_problems(groups)
    named = [group for group in ([only] if only else GROUPS) if groups.get(group)]
    if not named and not problems:
        wanted = f"Name the hosts in {only or ' or '.join(GROUPS)}, as inventories/example/hosts.yml does."
        others = ", ".join(sorted(set(groups) - {"all", "ungrouped"}))
        problems = [f"The inventory has no host for this; its groups are: {others or 'none'}. {wanted}"]
        if not groups.get("all"):
            problems = [
                "No inventory was given, or it has no hosts. Run: ansible-playbook -i INVENTORY site.yml (make: "
                f"INVENTORY=...). inventories/example is a template, inventories/localhost this machine. {wanted}"
            ]
    if problems:
        raise AnsibleFilterError("\n".join(problems))
    return ":".join(named)


def group_problems(groups: Mapping[str, list[str]]) -> list[str]:
    """Return which groups are nearly called as one of Slipway's: their hosts would be left out without a word."""
    known = [*GROUPS, "build_hosts"]
    problems = []
    for name in sorted(set(groups) - set(known)):
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.9)
        # One that only goes on, as golang_hosts_2, is a part of it.
        if close and not name.startswith(close[0]):
            problems.append(f"The group {name} is none of Slipway's (did you mean {close[0]}?). Rename it.")
    return problems


def controller_problems(groups: Mapping[str, list[str]]) -> list[str]:
    """Return what is too old or missing on the controller, for what the groups take."""
    problems = []
    if LooseVersion(__version__) < LooseVersion(OLDEST):
        problems.append(
            f"This is ansible-core {__version__}. Slipway needs {OLDEST} or newer. Install it in an environment of its "
            "own: python3 -m venv ~/slipway && ~/slipway/bin/pip install ansible bcrypt"
        )
    needed = sorted({one for group, names in COLLECTIONS.items() if groups.get(group) for one in names})
    lacking = [name for name in needed if not _is_there(name)]
    if lacking:
        names = " ".join(lacking)
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


def drift_text(drift: Any) -> str:
    """Return a role's plan, or a list of actions, as text, one a line: ``docker alice: member -> absent``."""
    actions = [one for phase in drift.values() for one in phase] if isinstance(drift, Mapping) else drift
    return "\n".join(sentence(one) for one in actions)


def drift_of(state: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the drift of all roles in C(slipway_state), in the order in which they are mended."""
    return [
        {key: one[key] for key in ("role", "phase", "item", "is", "want")}
        for role in SECTIONS
        for one in rows_of(role, (state.get(role) or {}).get("plan", {}))
    ]


def drifted_hosts(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the hosts that differ from their wanted state, or of which that is not known."""
    plans = plan_data(hosts, hostvars)
    return [host for host, plan in plans.items() if plan is None or any(plan[key] for key in plan if key != "notes")]


def plan_data(hosts: list[str], hostvars: Any) -> dict[str, Any]:
    """Return what is known of each host: drift, refusals, problems and errors; ``None`` where it was not reached."""
    return {host: _plan(state) if (state := _state(hostvars[host])) else None for host in hosts}


# What a plan may fail on, as sentences, and the key of a host's plan that has it.
FAULTS = {
    "problems": ("inputs are wrong", "problems"),
    "errors": ("a role could not look at the host", "errors"),
    "refusals": ("site.yml would refuse it", "refused"),
    "drift": ("there is drift", "drift"),
}


def plan_faults(host: str, hostvars: Any, fail_on: list[str] | str | None = None, drift: bool = False) -> list[str]:
    """Return what a host's plan has of what is not to be there, as words.

    :param fail_on: keys of ``FAULTS``; all but drift where it is not given.
    :param drift: drift besides.
    """
    if isinstance(fail_on, str):
        fail_on = [word.strip() for word in fail_on.strip("[] ").split(",") if word.strip()]
    fail_on = [*(list(FAULTS)[:-1] if fail_on is None else fail_on), *(["drift"] if drift else [])]
    wrong = sorted(set(fail_on) - set(FAULTS))
    if wrong:
        raise AnsibleFilterError(f"plan_fail_on has {', '.join(wrong)}; choose from {', '.join(FAULTS)}.")
    plan = plan_data([host], hostvars)[host] or {}
    return [words for name, (words, key) in FAULTS.items() if name in fail_on and plan.get(key)]


def plan_summary(hosts: list[str], hostvars: Any) -> str:
    """Return a line on what would become of the hosts; one of which several things hold is counted for the worst."""
    counts = dict.fromkeys(("would change", "refused", "with wrong inputs", "not compared", "as wanted"), 0)
    for plan in plan_data(hosts, hostvars).values():
        if plan is None or plan["errors"]:
            counts["not compared"] += 1
        elif plan["problems"]:
            counts["with wrong inputs"] += 1
        elif plan["refused"]:
            counts["refused"] += 1
        else:
            counts["would change" if plan["drift"] else "as wanted"] += 1
    told = [f"{count} {words}" for words, count in counts.items() if count]
    if counts["would change"]:
        stops = [host for host in hosts if _stops(hostvars[host])]
        told.append(f"containers stop on {host_names(stops)}" if stops else "no container stops")
    return ", ".join(told)


def _stops(hostvar: Any) -> bool:
    """Tell whether the plan of a host stops a container."""
    states = [_state(hostvar).get(name) or {} for name in SECTIONS]
    return any(state.get("facts", {}).get("stops") for state in states)


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
                "hosts. Add them to that group to have it managed, or remove it: playbooks/remove.yml "
                f'-e \'{{"slipway_only": ["{role}"]}}\'.'
            )
    # With --limit others may take it.
    taken |= {role for group, roles in GROUPS.items() if groups.get(group) for role in roles}
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
        facts = own.get("facts", {})
        if "install_tree" in own.get("plan", {}) and not glob.glob(
            os.path.join(facts["cache_dir"], facts["archive_glob"])
        ):
            by = builder(hostvars, list(states), [one for one in build_hosts if one in states], host, [])
            if by:
                waiting.setdefault((by, f"{facts['stem']} for {facts['platform']}"), []).append(host)
    away = [one for one in build_hosts if one not in states]
    unless = f", unless {' or '.join(away)} of build_hosts has the same platform" if away else ""
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
        rows.append(
            {
                "node": host,
                "platform": f"{platform.get('distribution', '?')} {platform.get('version', '')}".rstrip(),
                **{one: _found(hostvar, name, one) for name, section in SECTIONS.items() for one in section.columns},
                "changed": _outcome(hostvar),
            }
        )
    return folded(rows)


def _found(hostvar: Any, role: str, column: str) -> str:
    """Return what was found of a role: a dash where the host does not take it, ``?`` where nothing is known."""
    state = _state(hostvar)
    return "?" if not state else "-" if role not in state else state[role].get("facts", {}).get(column) or "none"


def _outcome(hostvar: Any) -> str:
    """Tell what a run made of a host."""
    state = _state(hostvar)
    if not state:
        told = hostvar.get("slipway_state") or {}
        return "UNREACHABLE" if told.get("unreachable") else "FAILED" if told else "not reached"
    stopped = hostvar.get("__slipway_stopped")
    if stopped:
        return "FAILED" if FAILED in stopped else "not reached"
    left, mended = drift_of(state), [entry for role in SECTIONS for entry in (state.get(role) or {}).get("mended", [])]
    # What a role leaves undone on purpose, which is a restart of the daemon.
    if left and all(entry["phase"] == LATER for entry in left):
        return "restart pending"
    if left:
        return "would change" if hostvar.get("ansible_check_mode") else "FAILED"
    return "yes" if mended else "no"


def verify_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the table of ``verify.yml``, equal ones as one."""
    proofs = [proof for section in SECTIONS.values() for proof in section.proofs]
    rows = []
    for host in hosts:
        found = hostvars[host]
        answers = {column: _answer(found.get(name), bad, good) for column, name, bad, good in proofs}
        engine = _engine(found.get("__docker_ce_tried") or found.get("slipway_state"))
        rows.append({"node": host, "engine": engine, **answers})
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


def steps(stage: str) -> list[dict[str, Any]]:
    """Return the steps of a stage of the site, in their order and the same for every host.

    Those of C(remove) are all in reverse; those of C(verify) are the sections whose roles can be used in a proof.
    """
    if stage == "verify":
        return [{"role": one.role, "section": one.name} for one in SECTIONS.values() if one.proofs]
    chosen = STEPS[::-1] if stage == "remove" else [one for one in STEPS if one.stage == stage]
    return [{**one._asdict(), "sections": sections_of(one)} for one in chosen]


def is_due(step: Mapping[str, Any], state: Mapping[str, Any], hostvars: Any) -> bool:
    """Tell whether a step has something to do on a host that takes it.

    :param state: the host's C(slipway_state).
    :param hostvars: in which other hosts may have the section that the step comes after, with something done or to do.
    """
    own = [state[section] for section in step["sections"] if state.get(section)]
    section, fact = step["after"]
    names = [host for one in own for host in one["facts"].get(fact, []) if host in hostvars]
    others = [_state(hostvars[host]).get(section) or {} for host in names]
    plans = [one.get("plan", {}) for one in own + others]
    return any(phase != LATER for plan in plans for phase in plan) or any(one.get("mended") for one in others)


def failed_hosts(hosts: list[str], hostvars: Any, stage: str) -> list[str]:
    """Return those of the hosts on which a stage failed, or that the first stage lost."""
    return [
        host
        for host in hosts
        if hostvars[host].get("__slipway_failed") == stage or (stage == "roll out" and not _state(hostvars[host]))
    ]


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "steps": steps,
            "is_due": is_due,
            "failed_hosts": failed_hosts,
            "host_names": host_names,
            "site_hosts": site_hosts,
            "site_notes": site_notes,
            "table": table,
            "drift_text": drift_text,
            "drifted_hosts": drifted_hosts,
            "plan_data": plan_data,
            "plan_faults": plan_faults,
            "plan_rows": plan_rows,
            "plan_summary": plan_summary,
            "site_rows": site_rows,
            "verify_rows": verify_rows,
        }
