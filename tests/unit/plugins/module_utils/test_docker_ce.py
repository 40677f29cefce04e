"""The section ``docker_ce``: what counts as drift, and how it reads."""

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_lines
from ansible_collections.slipway.node.plugins.module_utils import docker_ce
from ansible_collections.slipway.node.plugins.module_utils.docker_ce import (
    compare,
    is_docker_line,
    needing,
    parse_packages,
    repository_files,
)

KEY = "9DC858229FC7DD38854AE2D88D81803C0EBFCD88"
MIRROR = "https://download.docker.com"
PACKAGES = ["docker-ce", "docker-ce-cli", "containerd.io"]


def wanted(**changes):
    want = {
        "state": "present",
        "source": "mirrors",
        "manager": "apt",
        "mirrors": [MIRROR, "https://mirrors.aliyun.com/docker-ce/"],
        "proxy": "",
        "path": "linux/debian",
        "release": "bookworm",
        "channel": "stable",
        "architecture": "amd64",
        "fingerprints": [KEY],
        "repository_file": "/etc/apt/sources.list.d/docker.sources",
        "key_file": "/etc/apt/keyrings/docker.asc",
        "proxy_file": "/etc/apt/apt.conf.d/80slipway-docker-ce",
        "packages": PACKAGES,
        "engine_packages": PACKAGES,
        "versions": {"docker-ce": "26.1", "docker-ce-cli": "26.1", "containerd.io": ""},
        "conflicting": ["docker.io", "runc"],
        "careful": ["runc"],
        "hold": True,
        "services": ["docker.service"],
        "service_enabled": True,
        "service_state": "started",
        "purge_data": False,
    }
    if changes.get("manager") == "dnf":
        want.update(path="linux/centos", release="9", architecture="x86_64", proxy_file="")
        want.update(
            repository_file="/etc/yum.repos.d/docker-ce.repo", key_file="/etc/pki/rpm-gpg/RPM-GPG-KEY-docker-ce"
        )
    want.update(changes)
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
        "wanted_files": repository_files(want, mirror),
        "key": [KEY],
        "leftovers": [],
        "services": {"docker.service": {"LoadState": "loaded", "UnitFileState": "enabled", "ActiveState": "active"}},
        "in_use": [],
        "imported_keys": [],
        "data": [],
    }


def spoil(observed, path, value):
    *parents, last = path
    for key in parents:
        observed = observed[key]
    if value is KeyError:
        del observed[last]
    else:
        observed[last] = value


@pytest.mark.parametrize("manager", ["apt", "dnf"])
def test_a_converged_host_has_no_drift(manager):
    want = wanted(manager=manager)
    assert compare(want, converged(want)) == []


SOURCES = "/etc/apt/sources.list.d/docker.sources"
DRIFT = [
    (["packages", "docker-ce"], KeyError, "install_packages", "docker-ce not installed, 26.1 wanted"),
    (
        ["packages", "docker-ce"],
        package("5:20.10.24-1"),
        "install_packages",
        "docker-ce 20.10.24 installed, 26.1 wanted",
    ),
    (
        ["packages", "containerd.io"],
        package("1.7", broken=True),
        "install_packages",
        "containerd.io half installed, a whole installation wanted",
    ),
    (
        ["packages", "docker-ce"],
        package("5:26.1.5-1", held=False),
        "hold_packages",
        "docker-ce not held, a hold wanted",
    ),
    (
        ["packages", "docker.io"],
        package("20.10.5+dfsg1"),
        "remove_conflicting",
        "docker.io 20.10.5 installed, absence wanted",
    ),
    (["files", SOURCES], "Types: deb\n", "configure_repository", SOURCES + " edited, Slipway's content wanted"),
    (["key"], None, "configure_repository", "/etc/apt/keyrings/docker.asc missing, key %s wanted" % KEY),
    (
        ["key"],
        ["0" * 40],
        "configure_repository",
        "/etc/apt/keyrings/docker.asc holds %s, key %s wanted" % ("0" * 40, KEY),
    ),
    (["key"], [KEY, "0" * 40], "configure_repository", None),
    (["key"], [], "configure_repository", "/etc/apt/keyrings/docker.asc holds no OpenPGP key, key %s wanted" % KEY),
    (
        ["services", "docker.service", "ActiveState"],
        "failed",
        "manage_service",
        "docker.service failed, running wanted",
    ),
    (
        ["services", "docker.service", "UnitFileState"],
        "disabled",
        "manage_service",
        "docker.service not enabled, enabled wanted",
    ),
    (
        ["services", "docker.service", "UnitFileState"],
        "masked",
        "manage_service",
        "docker.service masked, not masked wanted",
    ),
    (
        ["leftovers"],
        [{"what": "/etc/apt/sources.list.d/docker.list", "path": "x", "kind": "file"}],
        "clean_leftovers",
        "/etc/apt/sources.list.d/docker.list present, absence wanted",
    ),
]


@pytest.mark.parametrize(("path", "value", "phase", "sentence"), DRIFT)
def test_each_managed_thing_is_named_when_it_is_spoiled(path, value, phase, sentence):
    want = wanted()
    observed = converged(want)
    spoil(observed, path, value)
    drift = compare(want, observed)
    assert {entry["phase"] for entry in drift} >= {phase}
    if sentence:
        assert sentence in drift_lines(drift).splitlines()


def test_a_mirror_of_the_list_is_no_drift_and_another_is():
    want = wanted()
    assert compare(want, converged(want, "https://mirrors.aliyun.com/docker-ce")) == []
    observed = converged(want, "https://elsewhere.example.org/docker-ce")
    observed["wanted_files"] = {}
    assert drift_lines(compare(want, observed)) == SOURCES + (
        " at https://elsewhere.example.org/docker-ce, one of 2 mirrors wanted"
    )


def test_a_hold_on_dnf_is_an_exclude_in_the_repository_file():
    want = wanted(manager="dnf")
    observed = converged(wanted(manager="dnf", hold=False))
    observed["wanted_files"] = repository_files(want, MIRROR)
    assert {entry["phase"] for entry in compare(want, observed)} == {"hold_packages"}
    assert {entry["phase"] for entry in compare(wanted(manager="dnf", hold=False), converged(want))} == {
        "hold_packages"
    }


def test_the_apt_files():
    files = repository_files(wanted(proxy="http://proxy:3128"), "http://mirror:8080/docker-ce/")
    assert "\nURIs: http://mirror:8080/docker-ce/linux/debian\nSuites: bookworm\nComponents: stable\n" in files[SOURCES]
    proxy = files["/etc/apt/apt.conf.d/80slipway-docker-ce"]
    assert 'Acquire::http::Proxy::mirror "http://proxy:3128";' in proxy and proxy.startswith("// Written by Slipway")
    assert repository_files(wanted(), MIRROR)["/etc/apt/apt.conf.d/80slipway-docker-ce"] is None


def test_the_dnf_file():
    content = repository_files(wanted(manager="dnf"), MIRROR)["/etc/yum.repos.d/docker-ce.repo"]
    assert "baseurl=https://download.docker.com/linux/centos/9/$basearch/stable\n" in content
    assert "gpgcheck=1\n" in content and "module_hotfixes=1\n" in content
    assert "excludepkgs=docker-ce docker-ce-cli containerd.io\n" in content


def test_absent_names_what_is_there_and_data_only_on_request():
    want = wanted(state="absent")
    observed = dict(converged(want), data=["/var/lib/docker"])
    phases = [entry["phase"] for entry in compare(want, observed)]
    assert phases == ["remove_packages"] * 3 + ["remove_repository"] * 2
    assert compare(wanted(state="absent", purge_data=True), observed)[-1]["phase"] == "purge_data"
    gone = dict(observed, packages={}, files=dict.fromkeys(observed["files"]), key=None)
    assert compare(want, gone) == []


def test_another_source_wants_no_repository():
    want = wanted(source="distribution", packages=["docker.io"], conflicting=PACKAGES, versions={}, hold=False)
    observed = dict(converged(wanted()), packages={"docker.io": package("26.1.5+dfsg1-9", held=False)})
    assert {entry["want"] for entry in compare(want, observed)} == {"absence (source is distribution)"}


def test_reads_what_dpkg_prints():
    out = "docker-ce\thi \t5:26.1.5-1\ndocker.io\trc \t20.10\nrunc\tun \t\ncontainerd.io\tiF \t1.7.24-1\n"
    assert parse_packages(out) == {
        "docker-ce": package("5:26.1.5-1"),
        "containerd.io": package("1.7.24-1", held=False, broken=True),
    }


def test_reads_what_rpm_prints():
    out = "docker-ce\tii\t3:26.1.5-1.el9\ncontainerd.io\tii\t0:1.7.24-3.1.el9\npackage runc is not installed\n"
    assert [one["version"] for one in parse_packages(out).values()] == ["3:26.1.5-1.el9", "1.7.24-3.1.el9"]


def test_knows_who_needs_a_package():
    out = (
        "podman\tii \tlibc6 (>= 2.34), crun | runc (>= 1.0.0~rc92~), \n"
        "buildah\tii \tlibc6, fuse-overlayfs, crun | runc\n"
        "docker.io\trc \trunc\n"
        "runc-tools\tii \tlibc6, \n"
    )
    assert needing("runc", out) == ["podman", "buildah"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("deb [arch=amd64] https://download.docker.com/linux/ubuntu noble stable", True),
        ("deb-src https://mirrors.aliyun.com/docker-ce/linux/debian bookworm stable", True),
        ("# deb https://download.docker.com/linux/ubuntu noble stable", False),
        ("deb http://mirror.example.org/debian bookworm main", False),
    ],
)
def test_knows_docker_s_lines(line, expected):
    assert is_docker_line(line) is expected


class FakeHost:
    """Answers from a table of files and commands."""

    def __init__(self, files, commands):
        self.files, self.commands = files, commands

    def run(self, *command):
        return self.commands.get(command[0], (1, ""))

    def read_bytes(self, path):
        return self.files.get(path)

    def read(self, path):
        data = self.files.get(path)
        return None if data is None else data.decode()

    def glob(self, *patterns):
        return sorted(path for path in self.files if path in patterns)


def test_observes_a_host():
    want = wanted(leftover_files=["/etc/apt/sources.list.d/docker.list"])
    host = FakeHost(
        {
            SOURCES: repository_files(want, MIRROR)[SOURCES].encode(),
            "/etc/apt/sources.list.d/docker.list": b"deb https://download.docker.com/linux/debian bookworm stable\n",
            "/etc/apt/sources.list": b"deb http://mirror.example.org/debian bookworm main\n",
        },
        {
            "dpkg-query": (1, "docker-ce\thi \t5:26.1.5-1~debian.12~bookworm\n"),
            "systemctl": (0, "Id=docker.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"),
        },
    )
    observed = docker_ce.observe(host, want)
    assert observed["engine"] == "26.1.5" and observed["mirror"] == MIRROR and observed["key"] is None
    assert [item["kind"] for item in observed["leftovers"]] == ["file"]
    assert observed["services"]["docker.service"]["ActiveState"] == "active"
