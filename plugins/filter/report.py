"""Filters of the playbooks: results as text that a person reads, in tables and sentences."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.filter.hosts import FAILED
from ansible_collections.slipway.node.plugins.module_utils.engine.phases import LATER
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import GROUPS, ROLES, SECTIONS
from ansible_collections.slipway.node.plugins.plugin_utils.engine.refusals import (
    drift_of,
    looked_at,
    states,
    stays,
    told,
)
from ansible_collections.slipway.node.plugins.plugin_utils.engine.words import FEW, grouped, host_names, table
from ansible_collections.slipway.node.plugins.plugin_utils.singularity.build import builder

TITLES = {"golang": "Go", "singularity": "Singularity"}


def drift_text(drift: Any) -> str:
    """Return a role's plan, or a list of actions, as text, one a line: ``docker alice: member -> absent``."""
    actions = [one for phase in drift.values() for one in phase] if isinstance(drift, Mapping) else drift
    return "\n".join(sentence(one) for one in actions)


def plan_data(hosts: list[str], hostvars: Any) -> dict[str, Any]:
    """Return what is known of each host: drift, refusals, problems and errors; ``None`` where it was not reached."""
    return {host: _plan(state, hostvars) if (state := looked_at(hostvars[host])) else None for host in hosts}


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
    """Return a line on what would become of the hosts, each of which is counted once."""
    words = ("would change", "would change in part", "refused", "with wrong inputs", "not compared", "as wanted")
    counts = dict.fromkeys(words, 0)
    stops = []
    for host, plan in plan_data(hosts, hostvars).items():
        if plan is None or plan["problems"]:
            counts["with wrong inputs" if plan else "not compared"] += 1
            continue
        acts = any(one["role"] not in plan["stays"] for one in plan["drift"])
        if plan["stays"]:
            counts["would change in part" if acts else "refused"] += 1
        else:
            counts["would change" if acts else "as wanted"] += 1
        found = states(looked_at(hostvars[host])).items()
        stops += [host] * any(one.get("facts", {}).get("stops") for name, one in found if name not in plan["stays"])
    told = [f"{count} {words}" for words, count in counts.items() if count]
    if counts["with wrong inputs"]:
        told.append("so that site.yml would change no host")
    elif counts["would change"] or counts["would change in part"]:
        told.append(f"containers stop on {host_names(stops, FEW)}" if stops else "no container stops")
    return ", ".join(told)


def plan_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the plan: what each host lacks and what stands in the way, equal hosts in one row.

    ``phase`` is empty where there is nothing to do.
    """
    found = []
    for host, plan in plan_data(hosts, hostvars).items():
        # Of one that was not reached too.
        problems = (hostvars[host].get("slipway_state") or {}).get("problems", [])
        found.append((host, [{"role": "", "phase": "PROBLEM", "change": one} for one in problems] + _plan_rows(plan)))
    return [{"node": host_names(names), **row} for names, rows in grouped(found) for row in rows]


def _plan(state: Mapping[str, Any], hostvars: Any) -> dict[str, Any]:
    roles, stay = states(state), stays(state, hostvars)
    own = {role: [*one["problems"], *one["refused"]] for role, one in roles.items()}
    return {
        "drift": drift_of(state),
        # What needs a role that is refused is so for its sake.
        "refused": {role: own[role] or texts for role, texts in stay.items() if own[role] or not roles[role]["error"]},
        "problems": state.get("problems", []),
        "errors": {role: one["error"] for role, one in roles.items() if one["error"]},
        # The roles that site.yml leaves as they are.
        "stays": list(stay),
        "notes": {
            "": state.get("site_notes", []),
            **{role: one["notes"] for role, one in roles.items() if one["notes"]},
        },
    }


def _plan_rows(plan: dict[str, Any] | None) -> list[dict[str, str]]:
    if plan is None:
        return [{"role": "", "phase": "UNKNOWN", "change": "not compared: see the error above"}]
    rows = [{"role": role, "phase": "ERROR", "change": text} for role, text in plan["errors"].items()]
    rows += [
        {"role": role, "phase": "REFUSED", "change": text} for role, texts in plan["refused"].items() for text in texts
    ]
    rows += [
        {"role": one["role"], "phase": one["phase"], "change": sentence(one)}
        for one in plan["drift"]
        if one["role"] not in plan["stays"]
    ]
    rows = rows or [{"role": "", "phase": "", "change": "nothing to do"}] * (not plan["problems"])
    return rows + [
        {"role": role, "phase": "NOTE", "change": text} for role, texts in plan["notes"].items() for text in texts
    ]


def host_notes(hosts: list[str], hostvars: Any) -> list[str]:
    """Return what an admin should know of hosts before something is changed, equal sentences as one."""
    found = []
    for host in hosts:
        state = looked_at(hostvars[host])
        notes = [*state.get("site_notes", []), *(text for one in states(state).values() for text in one["notes"])]
        found += [(host, text) for text in dict.fromkeys([*told(stays(state, hostvars)), *notes])]
    return [f"{host_names(names, FEW)}: {text}" for names, text in grouped(found)]


def site_notes(hosts: list[str], hostvars: Any, groups: Mapping[str, list[str]]) -> list[str]:
    """Return what an admin should know of the site as a whole, what stays, what has no effect, who compiles."""
    states = {host: state for host in hosts if (state := looked_at(hostvars[host]))}
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
    found = [(row["node"], {key: value for key, value in row.items() if key != "node"}) for row in rows]
    return [{"node": host_names(names), **rest} for names, rest in grouped(found)]


def site_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the site's final table from what the last probe of each host observed, equal ones as one."""
    rows = []
    for host in hosts:
        hostvar = hostvars[host]
        platform = looked_at(hostvar).get("platform", {})
        rows.append(
            {
                "node": host,
                "platform": f"{platform.get('distribution', '?')} {platform.get('version', '')}".rstrip(),
                **{one: _found(hostvar, name, one) for name, section in SECTIONS.items() for one in section.columns},
                "changed": _outcome(hostvar, hostvars),
            }
        )
    return folded(rows)


def _found(hostvar: Any, role: str, column: str) -> str:
    """Return what was found of a role: a dash where the host does not take it, ``?`` where nothing is known."""
    state = looked_at(hostvar)
    return "?" if not state else "-" if role not in state else state[role].get("facts", {}).get(column) or "none"


def _outcome(hostvar: Any, hostvars: Any) -> str:
    """Tell what a run made of a host."""
    state = looked_at(hostvar)
    if not state:
        told = hostvar.get("slipway_state") or {}
        return "UNREACHABLE" if told.get("unreachable") else "FAILED" if told else "not reached"
    stopped = hostvar.get("__slipway_stopped")
    if stopped:
        return "FAILED" if FAILED in stopped else "not reached"
    stay = stays(state, hostvars)
    left = drift_of(state, stay)
    mended = any(one.get("mended") for one in states(state).values())
    # What a role leaves undone on purpose, which is a restart of the daemon.
    if left and any(entry["phase"] != LATER for entry in left):
        return "would change" if hostvar.get("ansible_check_mode") else "FAILED"
    if stay:
        return "yes, in part" if mended else "REFUSED"
    return "restart pending" if left else "yes" if mended else "no"


def not_done(host: str, hostvars: Any) -> list[str]:
    """Return why a run ends with an error for a host that it reached."""
    stopped = hostvars[host].get("__slipway_stopped")
    stay = stays(looked_at(hostvars[host]), hostvars)
    refused = f"See above why it refuses, and run again: {', '.join(stay)}."
    return [stopped] if stopped else [refused] * bool(stay)


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


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        rows = (plan_rows, site_rows, verify_rows)
        return {
            one.__name__: one
            for one in (
                host_names,
                table,
                site_notes,
                drift_text,
                plan_data,
                plan_faults,
                plan_summary,
                *rows,
                host_notes,
                not_done,
            )
        }
