"""What ``docker_daemon`` reads from a host. It holds secrets, which ``observed["secret"]`` names."""

import tempfile
from typing import Any, Dict, List

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import (
    audit,
    daemon,
    daemon_json,
    mirrors,
    unit,
)
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.data_root import holds_other_files, unmounted
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.networks import overlap
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.record import parse_record
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.target import target
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.want import PATHS
from ansible_collections.slipway.node.plugins.module_utils.engine import versions
from ansible_collections.slipway.node.plugins.module_utils.engine.containers import stay_down
from ansible_collections.slipway.node.plugins.module_utils.engine.host import SEAL, Host


def observe(host: Host, want: Dict[str, Any]) -> Dict[str, Any]:
    """Read from a host all that :func:`plan` needs. Changes nothing."""
    is_ = dict((name, host.read(path)) for name, path in want["paths"].items())
    record = host.read(want["state_file"])
    observed = {
        "secret": ["is", "state", "current", "known", "words", "environment"],
        "audit": audit.observe(host, want["audit"]),
        "is": is_,
        "has_state": record is not None,
        # The file that cannot be read, and why.
        "unreadable": [],
    }  # type: Dict[str, Any]
    reading = want["config_file"]
    try:
        if "\ufffd" in (is_["config"] or ""):
            daemon_json.check_encoding(host.read_bytes(reading) or b"")
        observed["current"] = daemon_json.parse(is_["config"] or "")
        reading = want["state_file"]
        observed["state"] = parse_record(reading, record)
    except ValueError as error:
        return dict(observed, unreadable=[reading, str(error)])
    observed["known"] = _known(host, want, observed)
    observed["unit"] = daemon.unit_properties(host, want["service"])
    text = host.run("systemctl", "cat", want["service"])[1] if observed["unit"] else ""
    variables = [host.read(path) or "" for path in unit.environment_files(text)]
    observed.update(command_line(host, text, variables, observed["unit"].get("MainPID", "0")))
    observed["mirrors"] = {}
    environment = observed["known"].get(want["proxy"], "")
    if want["probe_mirrors"] != "off" and bool(environment) == bool(want["proxy"]):
        # As the daemon will ask: through its proxies, whoever set them.
        proxies = dict(observed["environment"], **unit.environment("", [environment]))
        proxies.update(_proxies(observed["current"]))
        observed["mirrors"] = mirrors.ask(host, want["config"], proxies, want["mirror_timeout"])
    observed.update(daemon.observe(host, want, observed))

    version = observed["info"].get("ServerVersion", "")
    # What only the engine to come knows, it judges itself.
    observed["is_replaced"] = bool(version) and not versions.satisfies(want["engine_version"], version)

    # What else is to be asked depends on what the files are to hold.
    found = target(want, observed)
    wanted = found["wanted"]
    restart, _reload = daemon_json.split(found["pending"])
    data_root = str(wanted.get("data-root") or "")
    running = daemon.containers(host, found["endpoints"]["is"]) if restart else []
    return dict(
        observed,
        running=running,
        stay_down=stay_down(host, found["endpoints"]["is"], running),
        validated=_validate(host, want, found),
        in_swarm=_in_swarm(host, found),
        unmounted=unmounted(host, data_root) if data_root else "",
        data_root_is_others=holds_other_files(host, data_root) if data_root else False,
        bip_overlap=overlap(host, str(wanted["bip"])) if wanted.get("bip") else "",
        group_missing=bool(wanted.get("group")) and host.run("getent", "group", str(wanted["group"]))[0] != 0,
        modes=_modes(host, found["private"]),
    )


def _known(host: Host, want: Dict[str, Any], observed: Dict[str, Any]) -> Dict[str, str]:
    """Return the secrets that are known, by their seals: those that were told, and those that the host has already."""
    has = [observed["is"]["environment"] or "", observed["state"]["environment"] or ""] + _texts(observed["current"])
    marks = [one for one in [want["proxy"]] + _texts(want["config"]) if one.startswith(SEAL)]
    known = dict((mark, host.opened(mark, has)) for mark in marks)
    return dict((mark, text) for mark, text in known.items() if text)


def _texts(content: Any) -> List[str]:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        return [text for one in content for text in _texts(one)]
    return [content] if isinstance(content, str) else []


def command_line(host: Host, text: str, variables: List[str], pid: str) -> Dict[str, Any]:
    """Return how a unit starts its engine: ``words``, ``environment`` and the program ``dockerd``.

    :param text: what ``systemctl cat`` prints. :param variables: the contents of its environment files.
    """
    words = unit.command(text, PATHS["flags"], variables) if text else []
    if pid != "0" and not unit.engine_words(words):
        # A script starts it, which nobody but systemd is to run.
        words = unit.engine_words((host.read("/proc/%s/cmdline" % pid) or "").split("\0")[:-1])
    return {"words": words, "environment": unit.environment(text, variables), "dockerd": _program(host, words)}


def _program(host: Host, words: List[str]) -> str:
    """Return the path of dockerd, empty where there is none, or a script in its place."""
    named = [word for word in unit.engine_words(words)[:1] if word.startswith("/")]
    for path in named + host.glob("/usr/bin/dockerd", "/usr/local/bin/dockerd"):
        if host.is_binary(path):
            return path
    return ""


def _validate(host: Host, want: Dict[str, Any], found: Dict[str, Any]) -> List[Any]:
    """Return dockerd's own verdict on the new content: exit status and what it says; 0 where it is not asked."""
    is_judge = bool(found["dockerd"]) and not found["is_replaced"]
    if not is_judge or found["to_be"]["config"] == found["is"]["config"] or not found["merged"]:
        return [0, ""]
    # It makes a user for userns-remap; a rehearsal judges that.
    content = dict((key, value) for key, value in found["merged"].items() if key != "userns-remap")
    # Readable by root alone.
    with tempfile.NamedTemporaryFile("w", prefix="slipway-", encoding="utf-8") as file:
        file.write(daemon_json.render(content))
        file.flush()
        rc, out = host.run("sh", "-c", 'exec "$0" --validate --config-file "$1" 2>&1', found["dockerd"], file.name)
    # Before 23.0 it cannot.
    return [0 if "unknown flag" in out else rc, daemon_json.redact(out.strip().replace(file.name, want["config_file"]))]


def _in_swarm(host: Host, found: Dict[str, Any]) -> bool:
    swarm = found["info"].get("Swarm")
    if swarm:
        return swarm.get("LocalNodeState") not in ("", "inactive")
    return bool(host.glob((found["merged"].get("data-root") or "/var/lib/docker") + "/swarm/docker-state.json"))


def _modes(host: Host, paths: List[str]) -> Dict[str, str]:
    """Return mode and owner of files that only root may read."""
    _rc, out = host.run("stat", "--dereference", "--format", "mode %a of %U %n", *paths)
    return dict(reversed(line.rsplit(" ", 1)) for line in out.splitlines())


def _proxies(config: Dict[str, Any]) -> Dict[str, str]:
    """Return the proxies of daemon.json, which win over the environment's, by the environment's names."""
    listed = config.get("proxies")
    named = listed.items() if isinstance(listed, dict) else []
    return dict((key.replace("-", "_").upper(), str(value)) for key, value in named)
