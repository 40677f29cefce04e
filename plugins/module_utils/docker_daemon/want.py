"""The wanted state of ``docker_daemon``: the content of daemon.json, the profiles, and how it is applied. Pure."""

from typing import Any, Dict

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon import daemon_json
from ansible_collections.slipway.node.plugins.module_utils.engine.platforms import Platform

RECOMMENDED = {"live-restore": True, "log-driver": "json-file", "log-level": "info"}
OPEN_FILES = {"nofile": {"Name": "nofile", "Soft": 65536, "Hard": 65536}}
HARDENED = {"icc": False, "no-new-privileges": True, "userland-proxy": False, "default-ulimits": OPEN_FILES}
PROFILES = {"none": {}, "recommended": RECOMMENDED, "hardened": dict(RECOMMENDED, **HARDENED)}  # type: Dict[str, Any]
# The files that may be written, by their purpose.
PATHS = {
    "config": daemon_json.FILE,
    "environment": "/etc/docker/http-proxy.env",
    "proxy": "/etc/systemd/system/docker.service.d/http-proxy.conf",
    "flags": "/etc/systemd/system/docker.service.d/slipway-flags.conf",
    "mounts": "/etc/systemd/system/docker.service.d/slipway-mounts.conf",
    "socket": "/etc/systemd/system/docker.socket.d/slipway-group.conf",
}
SERVICE = "docker.service"
# Inputs that are keys of the file.
NAMED = ("registry_mirrors", "insecure_registries", "data_root", "live_restore", "log_driver")
PROFILE_LOG_OPTS = {"max-size": "50m", "max-file": "3"}


def want(inputs: Dict[str, Any], _platform: Platform) -> Dict[str, Any]:
    """Return the wanted state: the content of daemon.json, the proxies by their seal, and how they are applied."""
    options = inputs["options"]
    driver = options.get("log-driver") or inputs["log_driver"] or "json-file"
    own_log_opts = PROFILE_LOG_OPTS if inputs["profile"] != "none" and driver in ("json-file", "local") else {}
    named = dict((name.replace("_", "-"), inputs[name]) for name in NAMED)
    named.update(
        {"log-opts": dict(own_log_opts, **inputs["log_opts"]), "default-address-pools": inputs["address_pools"]}
    )
    config = dict(PROFILES[inputs["profile"]])
    config.update((key, value) for key, value in named.items() if value not in ("", [], {}, None))
    present = inputs["state"] == "present"
    kept = (
        "state",
        "restart",
        "restart_timeout",
        "backup",
        "take_over_flags",
        "mirror_timeout",
        "rehearse",
        "engine_version",
    )
    return dict(
        ((name, inputs[name]) for name in kept),
        audit=present and inputs["audit"],
        proxy=inputs["proxy"] if present else "",
        probe_mirrors=inputs["probe_mirrors"] if present else "off",
        config=daemon_json.normalise(_combine(config, options)) if present else {},
        config_file=daemon_json.FILE,
        state_file="/var/lib/slipway/docker_daemon.json",
        service=SERVICE,
        paths=PATHS,
    )


def _combine(config: Dict[str, Any], other: Dict[str, Any]) -> Dict[str, Any]:
    """Return a configuration with another laid over it: mappings key by key, lists whole."""
    result = dict(config)
    for key, value in other.items():
        old = result.get(key)
        result[key] = _combine(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return result
