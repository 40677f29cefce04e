"""Filters of the playbooks: whom they act on, and results as text that a person reads, in tables and sentences."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.slipway.node.plugins.module_utils.host import sentence
from ansible_collections.slipway.node.plugins.plugin_utils.inputs import SECTIONS


def container_hosts(groups: Mapping[str, list[str]]) -> str:
    """Return the pattern of all hosts of the inventory; a run on none would end well and have done nothing."""
    if not groups.get("container_hosts"):
        named = ", ".join(sorted(set(groups) - {"all", "ungrouped"})) or "none"
        raise AnsibleFilterError(
            f"The inventory has no host in the group container_hosts; its groups are: {named}. Name the hosts there, "
            "as inventories/example/hosts.yml does, and the inventory with --inventory (make: INVENTORY=...)."
        )
    return "container_hosts"


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return rows as a table with a heading, each column as wide as its longest cell.

    :param rows: one mapping a row; a missing key is an empty cell.
    :param columns: the keys to show, which are the headings too.
    """
    cells = [columns] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def drift_text(drift: list[dict[str, str]]) -> str:
    """Return drift as text, one difference a line: ``docker.service: not enabled -> enabled``."""
    return "\n".join(sentence(entry) for entry in drift)


def drift_of(state: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the drift of all roles in C(slipway_state), in the order in which they are mended."""
    return [entry for role in SECTIONS for entry in (state.get(role) or {}).get("drift", [])]


def drifted_hosts(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the hosts that differ from their wanted state, or of which that is not known."""
    plans = plan_data(hosts, hostvars)
    return [host for host, plan in plans.items() if plan is None or any(plan.values())]


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
    return [{"node": _names(names), **row} for names, rows in alike.values() for row in rows]


def _plan(state: Mapping[str, Any]) -> dict[str, Any]:
    roles = {role: state[role] for role in SECTIONS if state.get(role)}
    return {
        "drift": drift_of(state),
        "refused": {role: one["refused"] for role, one in roles.items() if one["refused"]},
        "problems": [*state.get("problems", []), *(text for one in roles.values() for text in one["problems"])],
        "errors": {role: one["error"] for role, one in roles.items() if one["error"]},
    }


def _plan_rows(plan: dict[str, Any] | None) -> list[dict[str, str]]:
    if plan is None:
        return [{"role": "", "phase": "unknown", "change": "not probed: see the error above"}]
    rows = [{"role": "", "phase": "PROBLEM", "change": text} for text in plan["problems"]]
    rows += [{"role": role, "phase": "ERROR", "change": text} for role, text in plan["errors"].items()]
    rows += [
        {"role": role, "phase": "REFUSED", "change": text} for role, texts in plan["refused"].items() for text in texts
    ]
    rows += [{"role": one["role"], "phase": one["phase"], "change": sentence(one)} for one in plan["drift"]]
    return rows or [{"role": "", "phase": "", "change": "nothing to do"}]


def _names(hosts: list[str]) -> str:
    return (
        hosts[0] if len(hosts) == 1 else f"{hosts[0]} and {len(hosts) - 1} more" if len(hosts) > 4 else ", ".join(hosts)
    )


def site_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the site's final table from what the last probe of each host observed."""
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
    return rows


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
        return "FAILED" if hostvar.get("slipway_state") else "not reached"
    left, mended = drift_of(state), [entry for role in SECTIONS for entry in (state.get(role) or {}).get("mended", [])]
    # What a role leaves undone on purpose, which is a restart of the daemon.
    if left and all(entry["phase"] == "later" for entry in left):
        return "restart pending"
    if left:
        return "would change" if hostvar.get("ansible_check_mode") else "FAILED"
    return "yes" if mended else "no"


def verify_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the table of ``verify.yml``."""
    return [
        {
            "node": host,
            "engine": _engine(hostvars[host].get("__container")),
            "container": _answer(hostvars[host].get("__container"), "did not run", "container runs"),
            "image": _answer(hostvars[host].get("__pulled"), "not pulled", "pulled, runs"),
            "singularity": _answer(hostvars[host].get("__singularity_tried"), "did not run", "container runs"),
            "registries": _answer(hostvars[host].get("__registry_tried"), "do not answer", "answer"),
        }
        for host in hosts
    ]


def _answer(result: dict[str, Any] | None, bad: str, good: str) -> str:
    """Tell how a step of the verification ended."""
    if not result or result.get("skipped"):
        return "-"
    return bad if result.get("failed") or result.get("unreachable") or result.get("rc") else good


def _engine(result: dict[str, Any] | None) -> str:
    """Tell the version that the engine gave before a container was run."""
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
            "container_hosts": container_hosts,
            "table": table,
            "drift_text": drift_text,
            "drifted_hosts": drifted_hosts,
            "plan_data": plan_data,
            "plan_rows": plan_rows,
            "site_rows": site_rows,
            "verify_rows": verify_rows,
        }
