"""What the files of ``docker_daemon`` are to hold, and which settings the daemon has not loaded. Pure."""

import json
from typing import Any, Dict, Optional

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon, daemon_json, unit
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.mirrors import without_dead_mirrors
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.record import former
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SEAL


def target(want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, Any]:
    """Return what was observed with what follows. It holds secrets, as far as they are known."""
    is_, state, words, paths = observed["is"], observed["state"], observed["words"], want["paths"]
    current, known = observed["current"], observed["known"]
    config = daemon_json.map_secrets(want["config"], lambda text: known.get(text, text))
    wanted = without_dead_mirrors(want, config, observed["mirrors"])
    merged, entries = daemon_json.merge(current, wanted, state["entries"])
    conflicts = unit.conflicts(words, list(wanted) + ["proxies"] * bool(want["proxy"]))

    to_be = dict((name, former(state, path, is_[name])) for name, path in paths.items())
    # Empty before Slipway's first change, and none where there was no file.
    first = to_be["config"] if paths["config"] in state["files"] else ""
    to_be["config"] = _config_text(current, merged, is_["config"], first)
    if want["proxy"]:
        # Empty where it is not known.
        to_be["environment"] = known.get(want["proxy"], "")
        to_be["proxy"] = unit.setting("Service", "EnvironmentFile=" + paths["environment"])
    if conflicts and want["take_over_flags"]:
        to_be["flags"] = unit.drop_in(words, list(conflicts))
    if wanted.get("data-root"):
        root = wanted["data-root"]
        # The daemon waits for the disk of its data, and does not start without it.
        to_be["mounts"] = unit.setting("Unit", "RequiresMountsFor=" + ('"%s"' % root if " " in root else root))
    listeners = unit.values(words, "hosts") + list(wanted.get("hosts") or [])
    if wanted.get("group") and any(str(one).startswith("fd:") for one in listeners):
        # It is systemd that makes the socket.
        to_be["socket"] = unit.setting("Socket", "SocketGroup=" + wanted["group"])
    # For root alone.
    private = [want["state_file"]]
    private += [paths["environment"]] * (to_be["environment"] or "").startswith(unit.HEADER)
    private += [paths["config"]] * (SEAL in json.dumps(want["config"]))
    found = dict(observed, paths=paths, to_be=to_be, wanted=wanted, merged=merged, entries=entries, private=private)
    found["endpoints"] = {"is": unit.endpoint(words, current), "to_be": unit.endpoint(words, merged)}
    found["conflicting_flags"] = {} if want["take_over_flags"] else conflicts
    return dict(found, **daemon.loading(found))


def _config_text(
    current: Dict[str, Any], merged: Dict[str, Any], is_: Optional[str], first: Optional[str]
) -> Optional[str]:
    """Return the text of daemon.json, or ``None`` for no file.

    :param first: the text before Slipway's first change.
    """
    if daemon_json.same(current, merged) and (merged or first is not None):
        return is_
    if first is None and not merged:
        return None
    if first and daemon_json.same(daemon_json.parse(first), merged):
        return first
    return daemon_json.render(merged, is_ or "")
