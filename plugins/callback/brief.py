"""What a tired admin wants to read of a run: what changed, what failed and what to do about it, for 4 hosts or 400."""

from __future__ import annotations

DOCUMENTATION = r"""
---
name: brief
type: stdout
short_description: Print changes and failures, each once for all hosts that share it
version_added: 0.1.0
author: Slipway (@slipway)
description:
  - Prints a line for each task that changed something, the message of each failure and warning once with the hosts that
    it befell, and one line at the end. Tasks without changes are not shown.
  - With C(-v) it shows the tasks without changes too, and what differs on each host.
  - With C(-vv) and more it prints what C(ansible.builtin.default) prints.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
requirements:
  - set as C(stdout_callback) in C(ansible.cfg)
"""

import functools
import re
from collections.abc import Callable, Collection
from typing import Any

from ansible import constants, context
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import sentence
from ansible_collections.slipway.node.plugins.plugin_utils.engine.refusals import blocked, drift_of
from ansible_collections.slipway.node.plugins.plugin_utils.engine.words import FEW, host_names

# Lines of a program's own words that are shown of a failed command.
SHOWN = 20


def reason(result: dict[str, Any]) -> str:
    """Return why a task failed, in the words of the module or of the program that it ran."""
    if "censored" in result:
        return str(result["censored"])
    items = [reason(item) for item in result.get("results", []) if isinstance(item, dict) and item.get("failed")]
    if items:
        return "\n".join(dict.fromkeys(items))
    said = [_text(result.get("msg", "")).strip()]
    if "rc" in result:
        output = str(result.get("stderr") or result.get("stdout") or result.get("module_stderr") or "")
        said += [line for line in output.strip().splitlines()[-SHOWN:] if line not in said[0]]
    return "\n".join(line for line in said if line) or "no reason is given"


def summary(hosts: dict[str, dict[str, int]], innocent: Collection[str] = ()) -> str:
    """Return the run's last line, from Ansible's counts of each host.

    :param innocent: hosts of which one failure is of the run as a whole.
    """
    counts = {name: {**one, "failures": one["failures"] - (name in innocent)} for name, one in hosts.items()}
    bad = {kind: sorted(name for name, one in counts.items() if one[kind]) for kind in ("failures", "unreachable")}
    changed = sum(1 for one in hosts.values() if one["changed"])
    words = [f"{len(hosts)} hosts: {changed} changed"]
    words += [
        f"{len(names)} {kind.replace('failures', 'failed')} ({host_names(names)})"
        for kind, names in bad.items()
        if names
    ]
    return ", ".join(words)


def brief(method: Callable[..., None], name: str = "") -> Callable[..., None]:
    """Let Ansible's own callback speak instead where more than the brief is asked for.

    :param name: of its method, if not this one's.
    """

    @functools.wraps(method)
    def chosen(self: CallbackModule, *given: Any, **named: Any) -> None:
        if self._display.verbosity > 1:
            getattr(Default, name or method.__name__)(self, *given, **named)
        else:
            method(self, *given, **named)

    return chosen


def _silent(_self: CallbackModule, *_given: Any) -> None:
    """Say nothing: of what is not done, of files, and of items, which are left to their task."""


class CallbackModule(Default):
    """Group what happens by task and message; print when the task is over."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "slipway.node.brief"

    def __init__(self) -> None:
        super().__init__()
        self._play = ""
        self._task = ""
        self._changed: list[str] = []
        self._fine: list[str] = []
        self._warnings: dict[str, list[str]] = {}
        self._said: set[tuple[str, str]] = set()
        self._diffs: dict[str, list[str]] = {}
        self._failed: dict[tuple[str, str], list[str]] = {}
        self._innocent: set[str] = set()

    def _show(self, text: str, color: str | None = None) -> None:
        """Print, after the name of a play that had nothing to say before."""
        if self._play:
            self._display.display(f"==> {self._play}")
            self._play = ""
        self._display.display(text, color=color)

    def _flush(self) -> None:
        for hosts, text in _ordered(self._warnings):
            self._show(f"note     {hosts}: {text}", constants.COLOR_WARN)
        for hosts, text in _ordered(self._diffs):
            self._show(f"{hosts}:\n{text.rstrip()}")
        if self._fine and self._display.verbosity:
            self._show(f"ok       {self._task}: {host_names(sorted(self._fine), FEW)}", constants.COLOR_OK)
        if self._changed:
            self._show(f"changed  {self._task}: {host_names(sorted(self._changed), FEW)}", constants.COLOR_CHANGED)
        for hosts, (kind, text) in _ordered(self._failed):
            self._show(f"{kind}  {self._task}{hosts and f': {hosts}'}", constants.COLOR_ERROR)
            self._show("\n".join(f"  {line}" for line in text.splitlines()), constants.COLOR_ERROR)
        self._changed, self._fine, self._warnings, self._diffs, self._failed = [], [], {}, {}, {}

    def _fail(self, kind: str, result: Any) -> None:
        host, text = _host(result), reason(_result(result))
        if kind == "UNREACHABLE":
            # Its own name apart, hosts may be so for one reason.
            text = re.sub(rf"\b{re.escape(host)}\b", "the host", text.removeprefix("Task failed: "))
            if "censored" in _result(result):
                text = f"The connection to the host was lost. Why is shown by: ansible {host} -m ping"
        names = self._failed.setdefault((kind, text), [])
        # What is asked once is of no host.
        if kind != "UNREACHABLE" and _task(result).run_once:
            self._innocent.add(host)
        else:
            names.append(host)

    def _warn(self, host: str, answer: dict[str, Any]) -> None:
        """Remember what an admin should know, once a run and host."""
        # Slipway's own begin with the host, for Ansible's own callback.
        for text in self._new(host, [str(one).removeprefix(f"{host}: ") for one in answer.get("warnings") or []]):
            self._warnings.setdefault(text, []).append(host)

    def _new(self, host: str, texts: list[str]) -> list[str]:
        """Return what has not been said of a host yet, and take it for said."""
        new = [text for text in texts if (host, text) not in self._said]
        self._said.update((host, text) for text in new)
        return new

    @brief
    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Remember the play's name until it has something to say."""
        self._flush()
        self._play = play.get_name().strip()

    def _begin(self, task: Any, is_conditional: bool = False) -> None:
        """Print what the task before this one did."""
        self._flush()
        self._task = task.get_name()

    v2_playbook_on_task_start = brief(_begin, "v2_playbook_on_task_start")
    v2_playbook_on_cleanup_task_start = brief(_begin, "v2_playbook_on_cleanup_task_start")
    v2_playbook_on_handler_task_start = brief(_begin, "v2_playbook_on_handler_task_start")
    v2_runner_item_on_ok = brief(_silent, "v2_runner_item_on_ok")
    v2_runner_item_on_failed = brief(_silent, "v2_runner_item_on_failed")
    v2_runner_item_on_skipped = brief(_silent, "v2_runner_item_on_skipped")
    v2_runner_on_skipped = brief(_silent, "v2_runner_on_skipped")
    v2_playbook_on_include = brief(_silent, "v2_playbook_on_include")
    v2_playbook_on_no_hosts_matched = brief(_silent, "v2_playbook_on_no_hosts_matched")
    v2_playbook_on_no_hosts_remaining = brief(_silent, "v2_playbook_on_no_hosts_remaining")

    @brief
    def v2_runner_on_ok(self, result: Any) -> None:
        """Remember a change; print what a task has to say."""
        task, answer = _task(result), _result(result)
        self._warn(_host(result), answer)
        (self._changed if answer.get("changed") else self._fine).append(_host(result))
        shown = self._display.verbosity or (task.check_mode and not context.CLIARGS.get("diff"))
        if shown and (lines := self._new(_host(result), _drift(answer))):
            self._diffs.setdefault("\n".join(lines), []).append(_host(result))
        if task.action in constants._ACTION_DEBUG:
            for one in answer.get("results", [answer]):
                if "msg" in one and not one.get("skipped"):
                    self._show(_text(one["msg"]))

    @brief
    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Remember a failure, unless the playbook goes on as if there were none."""
        self._warn(_host(result), _result(result))
        if not ignore_errors:
            self._fail("FAILED ", result)

    @brief
    def v2_on_file_diff(self, result: Any) -> None:
        """Remember a difference, shown with `--diff`."""
        for one in [*_result(result).get("results", []), _result(result)]:
            if isinstance(one, dict) and one.get("diff") and one.get("changed"):
                self._diffs.setdefault(self._get_diff(one["diff"]), []).append(_host(result))

    @brief
    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Remember a host that cannot be reached."""
        self._fail("UNREACHABLE", result)

    @brief
    def v2_runner_retry(self, result: Any) -> None:
        """Show once that long work goes on."""
        if self._new(_host(result), [f"waiting {self._task}"]):
            self._show(f"waiting  {self._task}: {_host(result)}")

    @brief
    def v2_playbook_on_stats(self, stats: Any) -> None:
        """Close with one line."""
        self._flush()
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        bad = any(one["failures"] or one["unreachable"] for one in hosts.values())
        self._display.display(
            summary(hosts, self._innocent), color=constants.COLOR_ERROR if bad else constants.COLOR_OK
        )


def _ordered(groups: dict[Any, list[str]]) -> list[tuple[str, Any]]:
    """Return each group's hosts as text, and its key, whatever the order in which the hosts answered."""
    ordered = sorted((sorted(hosts), key) for key, hosts in groups.items())
    return [(host_names(hosts, FEW), key) for hosts, key in ordered]


def _drift(answer: dict[str, Any]) -> list[str]:
    """Return what the comparison with the wanted state found, as lines."""
    stay = blocked(answer) if answer.get("by_role") else {}
    return [f"  {sentence(one)}" for one in drift_of(answer, stay)]


def _text(message: Any) -> str:
    return "\n".join(str(line) for line in message) if isinstance(message, list) else str(message)


# Results have other attributes since ansible-core 2.19.
def _result(result: Any) -> dict[str, Any]:
    found: dict[str, Any] = result.result if hasattr(result, "result") else result._result
    return found


def _host(result: Any) -> str:
    return str((result.host if hasattr(result, "host") else result._host).get_name())


def _task(result: Any) -> Any:
    return result.task if hasattr(result, "task") else result._task
