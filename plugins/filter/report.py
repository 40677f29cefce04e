"""Filters that turn results into text that a person reads: tables, and drift as sentences."""

from __future__ import annotations

from typing import Any


def table(rows: list[dict[str, Any]], columns: list[str]) -> str:
    """Return rows as a table with a heading, each column as wide as its longest cell.

    :param rows: one mapping a row; a missing key is an empty cell.
    :param columns: the keys to show, which are the headings too.
    """
    cells = [columns] + [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def drift_lines(drift: list[dict[str, str]]) -> str:
    """Return drift as sentences, one a line: ``docker-ce 20.10.24 installed, 26.1 wanted``."""
    return "\n".join(f"{entry['item']} {entry['is']}, {entry['want']} wanted" for entry in drift)


def plan_data(hosts: list[str], hostvars: Any) -> dict[str, Any]:
    """Return the drift of each host, and ``None`` for a host that could not be probed."""
    return {host: _probe(hostvars[host]).get("drift") for host in hosts}


def plan_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the plan: one for each drift entry, one for each host without any."""
    rows = []
    for host, drift in plan_data(hosts, hostvars).items():
        if drift is None:
            rows.append({"node": host, "role": "", "phase": "unknown", "change": "not probed: see the error above"})
        elif not drift:
            rows.append({"node": host, "role": "", "phase": "", "change": "nothing to do"})
        else:
            rows += [
                {"node": host, "role": one["role"], "phase": one["phase"], "change": drift_lines([one])}
                for one in drift
            ]
    return rows


def site_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the site's final table from what the last probe of each host observed."""
    rows = []
    for host in hosts:
        hostvar = hostvars[host]
        facts = hostvar.get("ansible_facts", {})
        engine = _observed(hostvar, "docker_ce")
        toolchain = (_observed(hostvar, "golang").get("link") or {}).get("target", "")
        rows.append(
            {
                "node": host,
                "platform": f"{facts.get('distribution', '?')} {facts.get('distribution_version', '')}".rstrip(),
                "engine": engine.get("engine") or "none",
                "mirror": engine.get("mirror") or "none",
                "go": toolchain.rpartition("/go-")[2] or "none",
                "singularity": _observed(hostvar, "singularity").get("version") or "none",
                "registry": _registries(_observed(hostvar, "registry")),
                "changed": _outcome(hostvar),
            }
        )
    return rows


def _registries(observed: dict[str, Any]) -> str:
    """Name the registries of a host that answer."""
    return " ".join(name for name, answer in observed.get("answers", {}).items() if isinstance(answer, int))


def _observed(hostvar: Any, role: str) -> dict[str, Any]:
    """Return what the last probe for a role observed: its proof, where it acted, else the probe for all roles."""
    last = hostvar.get(f"__{role}_proof") or _probe(hostvar)
    observed: dict[str, Any] = last.get("observed", {}).get(role, {})
    return observed


def _outcome(hostvar: Any) -> str:
    """Tell what a run made of a host: each role that found drift leaves the proof that it is gone."""
    drift = _probe(hostvar).get("drift")
    if drift is None:
        return "not probed"
    # A new registry's clients are probed again, for its authority.
    drift = drift + (hostvar.get("__registry_client_probe") or {}).get("drift", [])
    if drift and hostvar.get("ansible_check_mode"):
        return "would change"
    left = []
    for role in {entry["role"] for entry in drift}:
        proof = hostvar.get(f"__{role}_proof")
        if proof is None:
            return "FAILED"
        left += proof["drift"]
    # The one thing that a role leaves undone on purpose.
    if left and all(entry["item"] == "restart of docker.service" for entry in left):
        return "restart pending"
    return "FAILED" if left else "yes" if drift else "no"


def verify_rows(hosts: list[str], hostvars: Any) -> list[dict[str, str]]:
    """Return the rows of the table of ``verify.yml``."""
    return [
        {
            "node": host,
            "engine": hostvars[host].get("__engine", {}).get("stdout") or "no answer",
            "container": hostvars[host].get("__container", {}).get("stdout") or "did not run",
            "image": _pulled(hostvars[host].get("__pulled", {})),
        }
        for host in hosts
    ]


def _pulled(result: dict[str, Any]) -> str:
    if not result or result.get("skipped"):
        return "not asked for"
    return "pulled, runs without sudo" if result.get("rc") == 0 else "not pulled"


def _probe(hostvar: Any) -> dict[str, Any]:
    probe: dict[str, Any] = hostvar.get("slipway_probe") or {}
    return probe


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            "table": table,
            "drift_lines": drift_lines,
            "plan_data": plan_data,
            "plan_rows": plan_rows,
            "site_rows": site_rows,
            "verify_rows": verify_rows,
        }
