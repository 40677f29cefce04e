"""What is read from a host."""

import pytest
from ansible_collections.slipway.node.plugins.filter.report import drift_text
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.observe import observe, parse_packages
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.plan import plan, refusals
from ansible_collections.slipway.node.plugins.module_utils.docker_ce.repository import repository_files

from tests.unit.plugins.module_utils.docker_ce.docker_ce_hosts import (
    KEY_FILE,
    MIRROR,
    SOURCES,
    FakeHost,
    converged,
    package,
    wanted,
)


def test_reads_what_dpkg_prints():
    out = "docker-ce\thi \t5:26.1.5-1\ndocker.io\trc \t20.10\nrunc\tun \t\ncontainerd.io\tiF \t1.7.24-1\n"
    assert parse_packages(out) == {
        "docker-ce": package("5:26.1.5-1"),
        "containerd.io": package("1.7.24-1", held=False, broken=True),
    }


def test_reads_what_rpm_prints():
    out = "docker-ce\tii\t3:26.1.5-1.el9\ncontainerd.io\tii\t0:1.7.24-3.1.el9\npackage runc is not installed\n"
    assert [one["version"] for one in parse_packages(out).values()] == ["3:26.1.5-1.el9", "1.7.24-3.1.el9"]


def test_two_versions_of_a_package_are_a_transaction_that_was_cut_off():
    found = parse_packages("docker-ce\tii\t3:28.5.2-1.el9\ndocker-ce\tii\t3:26.1.5-1.el9\n")
    assert found == {"docker-ce": {**package("3:28.5.2-1.el9", False, True), "older": ["26.1.5-1.el9"]}}
    want = wanted(manager="dnf", version="")
    observed = {**converged(want), "packages": {**converged(want)["packages"], **found}}
    assert drift_text(plan(want, observed)) == "docker-ce: two versions installed -> installed"


def test_settings_of_a_removed_engine_are_drift():
    host = FakeHost({"/var/lib/dpkg/info/docker.io.postrm": b""})
    found = plan(wanted(), observe(host, wanted()))
    assert drift_text({"": found["remove_conflicting"]}) == "docker.io: its settings are left -> purged"


def test_a_masked_containerd_is_drift():
    blocks = (
        "Id=docker.service\nActiveState=inactive\n\nId=containerd.service\nLoadState=masked\nUnitFileState=masked\n"
    )
    found = plan(wanted(), observe(FakeHost(commands={"systemctl": (0, blocks)}), wanted()))
    assert (
        found["manage_service"][0]["item"] == "containerd.service"
        and found["manage_service"][0]["want"] == "not masked"
    )


def test_what_a_repository_s_file_holds_of_passwords_is_not_told():
    want = wanted(manager="dnf")
    path = "/etc/yum.repos.d/docker-ce.repo"
    text = "[docker]\nbaseurl=https://robot:S3cret@nexus/docker-ce/linux/centos/9\npassword = S3cret\n"
    observed = observe(FakeHost({path: text.encode()}, {}), want)
    assert "S3cret" not in str(observed)
    assert f"{path}: at https://***@nexus/docker-ce -> one of 2 mirrors" in drift_text(plan(want, observed))


def test_observes_a_host():
    want = wanted()
    host = FakeHost(
        {
            SOURCES: repository_files(want, MIRROR)[SOURCES].encode(),
            KEY_FILE: want["key"].encode(),
            "/etc/apt/sources.list.d/docker.list": b"deb https://download.docker.com/linux/debian bookworm stable\n",
            "/etc/apt/sources.list": b"deb http://mirror.example.org/debian bookworm main\n",
            "/etc/apt/trusted.gpg.d/docker.asc": want["key"].encode(),
            "/etc/apt/keyrings/nvidia-docker.asc": b"another key",
            "/var/lib/docker/nuke-graph-directory.sh": b"#!/bin/sh",
            "/var/lib/slipway/docker_ce.json": b'{"format": 1, "held": ["docker-ce"]}',
        },
        {
            "dpkg-query": (1, "docker-ce\thi \t5:26.1.5-1~debian.12~bookworm\n"),
        },
        ServerVersion="20.10.24+dfsg1",
    )
    observed = observe(host, want)
    # The package was upgraded, and the engine not restarted.
    assert (observed["installed_version"], observed["running_version"]) == ("26.1.5", "20.10.24")
    assert observed["mirror"] == MIRROR and observed["key"] == "right"
    assert observed["leftover_files"] == [
        "/etc/apt/trusted.gpg.d/docker.asc",
        "/var/lib/docker/nuke-graph-directory.sh",
    ]
    assert list(observed["sources"]) == ["/etc/apt/sources.list", "/etc/apt/sources.list.d/docker.list"]
    assert observed["recorded"] == ["docker-ce"]
    assert observed["services"]["docker.service"]["ActiveState"] == "active"
    assert refusals(want, observed) == []


@pytest.mark.parametrize(
    ("settings", "lost"), [("{}", True), ('{"features": {"containerd-snapshotter": true}}', False)]
)
def test_a_store_that_is_asked_for_is_every_engine_s(settings, lost):
    store = [["driver-type", "io.containerd.snapshotter.v1"]]
    host = FakeHost({"/etc/docker/daemon.json": settings.encode()}, {}, ServerVersion="29.8.1", DriverStatus=store)
    assert observe(host, wanted())["has_containerd_store"] is lost
