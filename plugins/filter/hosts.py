"""Filters of the playbooks on whom they act, and on what of a host."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping
from typing import Any

from ansible import __version__, context
from ansible.errors import AnsibleFilterError
from ansible.module_utils.compat.version import LooseVersion
from ansible_collections.slipway.node.plugins.module_utils.engine.phases import LATER, STEPS, sections_of
from ansible_collections.slipway.node.plugins.plugin_utils.engine.inputs import GROUPS, SECTIONS
from ansible_collections.slipway.node.plugins.plugin_utils.engine.refusals import drift_of, looked_at, stays
from ansible_collections.slipway.node.plugins.plugin_utils.engine.words import FEW, grouped, host_names

# The oldest ansible-core, as meta/runtime.yml has it.
OLDEST = "2.16.0"
# The collections that roles use, by the group whose hosts take them.
COLLECTIONS = {
    "registry_hosts": ["community.crypto"],
}
# What tasks/stage.yml says of a host on which a step failed.
FAILED = "It failed"


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


def wrong_inputs(hosts: list[str], hostvars: Any) -> list[str]:
    """Return which inputs of which hosts are wrong, also of hosts that were not reached, and how to leave these out."""
    found = [(host, one) for host in hosts for one in (hostvars[host].get("slipway_state") or {}).get("problems", [])]
    lines = [f"{host_names(names, FEW)}: {text}" for names, text in grouped(found)]
    wrong = list(dict(found))
    given = context.CLIARGS.get("subset") or "all"
    between = "," if "," in given else ":"
    limit = between.join([given, *(f"!{host}" for host in wrong)])
    others = f", or leave these hosts out: --limit '{limit}'" if len(wrong) < len(hosts) else " and run again"
    return [*lines, f"No host was changed. Correct the inputs{others}."] if wrong else []


def drifted_hosts(hosts: list[str], hostvars: Any) -> list[str]:
    """Return the hosts on which something is to be done, or of which that is not known."""
    return [
        host for host in hosts if not (state := looked_at(hostvars[host])) or drift_of(state, stays(state, hostvars))
    ]


def steps(stage: str, of: str = "") -> list[dict[str, Any]]:
    """Return the steps of a stage of the site, in their order and the same for every host.

    Those of C(remove) are all in reverse; those of C(verify) are the sections whose roles can be used in a proof.

    :param of: of C(verify), those that are done with this stage alone.
    """
    if stage == "verify":
        last = {name: step.stage for step in STEPS for name in sections_of(step)}
        proved = [one for one in SECTIONS.values() if one.proofs and of in ("", last[one.name])]
        return [{"role": one.role, "section": one.name} for one in proved]
    chosen = STEPS[::-1] if stage == "remove" else [one for one in STEPS if one.stage == stage]
    return [{**one._asdict(), "sections": sections_of(one)} for one in chosen]


def is_due(step: Mapping[str, Any], state: Mapping[str, Any], hostvars: Any) -> bool:
    """Tell whether a step has something to do on a host that takes it.

    :param state: the host's C(slipway_state).
    :param hostvars: in which other hosts may have the section that the step comes after, with something done or to do.
    """
    stay = stays(state, hostvars)
    own = [state[section] for section in step["sections"] if state.get(section) and section not in stay]
    section, fact = step["after"]
    names = [host for one in own for host in one["facts"].get(fact, []) if host in hostvars]
    others = [looked_at(hostvars[host]).get(section) or {} for host in names]
    plans = [one.get("plan", {}) for one in own + others]
    return any(phase != LATER for plan in plans for phase in plan) or any(one.get("mended") for one in others)


def failed_hosts(hosts: list[str], hostvars: Any, stage: str) -> list[str]:
    """Return those of the hosts on which a stage failed, or that the first stage lost."""
    return [
        host
        for host in hosts
        if hostvars[host].get("__slipway_failed_in") == stage or (stage == "roll out" and not looked_at(hostvars[host]))
    ]


class FilterModule:
    """The filters of this file, for Ansible."""

    def filters(self) -> dict[str, Any]:
        """Return the filters by name."""
        return {
            one.__name__: one for one in (site_hosts, wrong_inputs, drifted_hosts, failed_hosts, steps, is_due, stays)
        }
