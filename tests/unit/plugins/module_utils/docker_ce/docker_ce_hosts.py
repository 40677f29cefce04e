"""What the tests of ``docker_ce`` share: wanted states of inputs, and a host that is made up."""

import fnmatch

from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import observe
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import plan, refusals
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import repository_files
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.want import want as make_want
from ansible_collections.slipway.node.plugins.module_utils.engine import platforms
from ansible_collections.slipway.node.plugins.module_utils.engine.plans import rows
from ansible_collections.slipway.node.plugins.plugin_utils.docker_ce.inputs import prepare
from ansible_collections.slipway.node.plugins.plugin_utils.engine import inputs as reader

KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
MIRROR = "https://download.docker.com"
PACKAGES = ["docker-ce", "docker-ce-cli", "containerd.io"]
SOURCES = "/etc/apt/sources.list.d/docker.sources"
KEY_FILE = "/etc/apt/keyrings/docker.asc"
DEBIAN = platforms.describe("Debian", "12.15", "bookworm", "x86_64")
ROCKY = platforms.describe("Rocky", "9.6", "", "x86_64")


def made(platform=DEBIAN, **change):
    """Return the wanted state of inputs."""
    given = {f"docker_ce_{name}": value for name, value in change.items()}
    options = reader.specification("docker_ce")
    inputs, problems = reader.read(options, reader.defaults("docker_ce"), given, lambda value: value, "docker_ce_")
    inputs, wrong = prepare(inputs, reader.Site(settings={"region": "global"}))
    assert not problems + wrong
    return make_want(inputs, platform)


def wanted(**change):
    """Return a small wanted state; ``manager`` chooses the platform, and what is no input is set afterwards."""
    platform = ROCKY if change.pop("manager", "apt") == "dnf" else DEBIAN
    given = {"version": "26.1", "packages": PACKAGES, "mirrors": [MIRROR, "https://mirrors.aliyun.com/docker-ce"]}
    want = made(platform, **{**given, **{name: value for name, value in change.items() if name != "fingerprint"}})
    want.update((name, value) for name, value in change.items() if name == "fingerprint")
    return want


def package(version, held=True, broken=False):
    return {"version": version, "held": held, "broken": broken}


def converged(want, mirror=MIRROR):
    """Return what a host without drift looks like."""
    files = repository_files(want, mirror)
    return {
        "packages": {name: package("5:26.1.5-1~debian.12~bookworm") for name in want["packages"]},
        "files": files,
        "mirror": mirror,
        "installed_version": "26.1.5",
        "running_version": "26.1.5",
        "has_containerd_store": False,
        "key": "right",
        "leftover_files": [],
        "sources": {},
        "trusted_keys": [],
        "recorded": list(want["packages"]),
        "group": "local",
        "services": {"docker.service": {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active"}},
        "containers": [],
        "stay_down": [],
        "live_restore": False,
        "configured": True,
        "other_users": [],
        "snap": False,
        "unit_files": [],
        "containerd_files": [],
        "unpurged": [],
        "group_locks": [],
        "locked": [],
        "owners": {},
        "pins": [],
        "compose_units": [],
        "dnf_excludes": [],
        "lock": "",
        "known_to_dpkg": True,
        "imported_keys": [],
        "data": {},
    }


def drift(want, observed):
    """Return the rows of the plan, each with its phase."""
    return rows("docker_ce", plan(want, observed))


def spoil(observed, path, value):
    *parents, last = path
    for key in parents:
        observed = observed[key]
    if value is KeyError:
        del observed[last]
    else:
        observed[last] = value


ENGINE = "env --unset=DOCKER_TLS --unset=DOCKER_TLS_VERIFY docker --host unix:///var/run/docker.sock"
UNIT = (
    "Id=docker.service\nLoadState=loaded\nFragmentPath=/etc/systemd/system/docker.service\nDropInPaths=\n"
    "ExecStart={ path=%s ; argv[]=dockerd ; pid=77 }\nUnitFileState=%s\nActiveState=%s\n"
)
OLD = (
    "docker-ce\thi \t5:20.10.24-1~debian.12~bookworm\ncontainerd.io\thi \t1.6.20-1\ndocker-ce-cli\thi \t5:20.10.24-1\n"
)
SHIM = "/usr/bin/containerd-shim-runc-v2\0-namespace\0%s\0-id\0%s\0-address\0/run/containerd/containerd.sock\0"


class FakeHost:
    """Answers from a table of files and commands; a command's first words are its key."""

    def __init__(self, files=(), commands=(), **engine):
        self._engine = engine
        self.files = {"/etc/group": b"docker:x:990:\n", **dict(files)}
        self.commands = {"systemctl": (0, UNIT % ("/usr/bin/dockerd", "enabled", "active")), **dict(commands)}

    def run(self, *command):
        found = [key for key in self.commands if " ".join(command).startswith(key)]
        return self.commands[max(found, key=len)] if found else (1, "")

    def engine(self):
        return self._engine

    def read_bytes(self, path):
        return self.files.get(path)

    def read(self, path):
        data = self.files.get(path)
        return None if data is None else data.decode()

    def glob(self, *patterns):
        return sorted(path for path in self.files if any(fnmatch.fnmatch(path, pattern) for pattern in patterns))


def refused(want, host):
    observed = observe(host, want)
    return refusals(want, observed)
