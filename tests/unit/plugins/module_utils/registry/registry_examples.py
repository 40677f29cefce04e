"""Registries, wanted and observed, for the tests of the section ``registry``."""

import copy

DIR = "/etc/slipway/registry"
TIMER = "/etc/systemd/system/collect.timer"
SERVICE = {
    "service": "main",
    "container": "slipway-registry-main",
    "digest": "d1",
    "address": "127.0.0.1",
    "port": 5000,
    "ports": [["", 5000]],
    "tls": True,
    "answer": 401,
    "data": "/data/main",
    "writes": True,
    "upstream": "",
    "endpoint": "",
    "object_store": False,
    "htpasswd": f"{DIR}/main/htpasswd",
    "certificate": f"{DIR}/tls/tls.crt",
}
WANT = {
    "state": "present",
    "project": "slipway-registry",
    "config_dir": DIR,
    "image": "registry:2.8.3",
    "image_archive": "/images/registry.tar",
    "files": {
        f"{DIR}/main/config.yml": {"seal": "s1", "mode": "0600", "secret": True},
        TIMER: {"seal": "s2", "mode": "0644", "secret": False},
    },
    "services": [SERVICE],
    "accounts": {"alice": "f1"},
    "tls": {
        "certificate": f"{DIR}/tls/tls.crt",
        "key": f"{DIR}/tls/tls.key",
        "authority": f"{DIR}/tls/ca.crt",
        "authority_sha256": "a1",
        "names": ["registry.example.org"],
        "renew_days": 30,
        "given": False,
        "system_trust": False,
        "replace": False,
        "hostname": "registry.example.org",
        "days": 397,
    },
    "facts": {"secrets_dir": "/secrets", "missing_secrets": []},
    "replace_secrets": False,
    "timer": "collect.timer",
    "at_boot": "settle.service",
    "schedule": "Sun 03:30",
    "open_ports": [5000],
    "minimum_free": 0,
    "purge": [],
}
DATA = {
    "there": True,
    "marked": True,
    "empty": False,
    "before_restore": False,
    "moved_away": False,
    "unwritable": "",
    "free": 5 * 2**30,
}
GOOD = {
    "files": {
        f"{DIR}/main/config.yml": {"same": True, "mode": "0600", "owner": "0:0"},
        TIMER: {"same": True, "mode": "0644", "owner": "0:0"},
    },
    "units": [],
    "engine_unreachable": False,
    "folders": [f"{DIR}/main/", f"{DIR}/tls/"],
    "containers": {
        "slipway-registry-main": {
            "status": "running",
            "started": "2026-11-01T02:00:00Z",
            "image": "sha256:i1",
            "digest": "d1",
            "ports": ["5000"],
            "read_only": False,
        }
    },
    "maintenance": False,
    "tools": [],
    "purge": [],
    "image": "sha256:i1",
    "data": {"/data/main": DATA},
    "accounts": {f"{DIR}/main/htpasswd": {"accounts": {"alice": True}, "mode": "0600"}},
    "names": ["localhost", "registry.example.org"],
    "certificate": {"error": "", "names": ["localhost", "registry.example.org"], "days": 300, "mode": "0600"},
    "answers": {"main": 401},
    "taken": {},
    "unreachable": {},
    "unwritable": [],
    "unread": [],
    "former_data": ["/data/main"],
    "schedule_accepted": True,
    "ip_forward": True,
    "upstreams": {},
    "container_errors": {},
    "timer": "active",
    "at_boot": "enabled",
    "firewall": "",
    "closed_ports": [],
}
CONTAINER = "container slipway-registry-main"


def changed(base, path, value):
    result = copy.deepcopy(base)
    place = result
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return result


class FakeHost:
    def __init__(self, answers):
        self.answers = answers

    def run(self, *command):
        return 0, self.answers.get(" ".join(command), "")
