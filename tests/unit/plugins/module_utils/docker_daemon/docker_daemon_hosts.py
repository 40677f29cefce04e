"""What the tests of ``docker_daemon`` share: wanted states, and hosts that are made up."""

import json
from fnmatch import fnmatch

from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.plan import plan
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.target import target
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.want import PATHS
from ansible_collections.slipway.node.plugins.module_utils.docker_daemon.want import want as make_want
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.host import Host
from ansible_collections.slipway.node.plugins.plugin_utils.docker_daemon.inputs import prepare
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader

CONFIG, STATE = "/etc/docker/daemon.json", "/var/lib/slipway/docker_daemon.json"
UNIT = "LoadState=loaded\nActiveState=active\nMainPID=7\nExecMainStartTimestampMonotonic=0\n"
PLATFORM = platforms.describe("Debian", "12.15", "bookworm", "x86_64")


class FakeHost:
    """A host of given files and answers; ``commands`` holds what it was asked of docker."""

    def __init__(
        self,
        files=None,
        unit="LoadState=not-found\n",
        info=None,
        running="",
        changed=1.0,
        modes=None,
        key="",
        secrets=None,
    ):
        self.files = files or {}
        self.key, self.secrets = key, secrets or {}
        self.endpoints = []
        self._info = dict(info or {}, ServerVersion="26")
        self.failing = set()
        self._answers = {
            ("systemctl", "show"): unit,
            ("systemctl", "cat"): "# /lib/docker.service\n[Service]\nExecStart=/usr/bin/dockerd -H fd://\n",
            "ps": running,
            # The first has a policy by which it comes back.
            "inspect": "".join(
                "/%s %s\n" % (name, "no" if index else "always") for index, name in enumerate(running.split())
            ),
            "%.9Z": "%f\n" % changed,
            "mode %a of %U %n": "".join("%s %s\n" % (mode, path) for path, mode in (modes or {}).items()),
            ("getent", "group"): "",
        }

    def run(self, *command):
        key = command[:2]
        if command[0] == "env":
            # Whatever root's context and environment say.
            assert command[1:5] == ("--unset=DOCKER_TLS", "--unset=DOCKER_TLS_VERIFY", "docker", "--host")
            self.endpoints.append(command[5])
            key = command[6]
        elif command[0] == "stat":
            key = command[3]
        return int(key in self.failing), self._answers[key]

    def engine(self, endpoint):
        self.endpoints.append(endpoint)
        return self._info

    def read(self, path):
        return self.files.get(path)

    def read_bytes(self, path):
        return self.files[path].encode("utf-8")

    def glob(self, *patterns):
        return [path for path in self.files if any(fnmatch(path, one) for one in patterns)]

    def is_binary(self, path):
        return path in self.files

    def opened(self, mark, texts):
        return Host(key=self.key, secrets=self.secrets).opened(mark, texts)


def want(config=None, **changes):
    base = {
        "state": "present",
        "config": config or {},
        "config_file": CONFIG,
        "state_file": STATE,
        "service": "docker.service",
        "paths": PATHS,
        "proxy": "",
        "restart": "safe",
        "backup": False,
        "take_over_flags": False,
        "audit": False,
        "probe_mirrors": "off",
        "mirror_timeout": 1,
        "rehearse": True,
        "restart_timeout": 60,
        "engine_version": "",
    }
    return dict(base, **changes)


def drift(host, wish):
    found = plan(wish, observe(host, wish))
    return [(one["item"], one["is"], one["want"]) for actions in found.values() for one in actions]


def aimed(host, wish):
    return target(wish, observe(host, wish))


def running_host(config, info=None, running="", loaded=None):
    """A daemon that has loaded what stands in its file."""
    files = {CONFIG: json.dumps(config)} if config is not None else {}
    return FakeHost(files, UNIT, dict({"LoggingDriver": "json-file"}, **(info or {})), running)


def sealed(text, key="k"):
    return reader.seal(key, text)


def wanted(**given):
    """Return the inputs' wanted state, what is wrong with them, and the site with its seals."""
    options, default = reader.specification("docker_daemon"), reader.defaults("docker_daemon")
    variables = {"docker_daemon_" + name: value for name, value in given.items()}
    values, problems = reader.read(options, default, variables, lambda value: value, "docker_daemon_")
    site = reader.Site()
    ready, wrong = prepare(values, site) if not problems else ({}, [])
    return (make_want(ready, PLATFORM) if not problems + wrong else {}), problems + wrong, site
