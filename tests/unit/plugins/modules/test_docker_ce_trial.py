"""A downloaded engine judges the configuration: what it says, and where it says nothing."""

import subprocess

import pytest
from ansible_collections.slipway.node.plugins.modules.docker_ce_trial import pattern, unpack, validate, validation_error

REFUSED = (
    "unable to configure the Docker daemon with file /etc/docker/daemon.json: the following directives don't match any "
    "configuration option: graph\n"
)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (REFUSED, "the following directives don't match any configuration option: graph"),
        ("unknown flag: --validate\nSee 'dockerd --help'.\n", ""),
        ("configuration OK\n", ""),
    ],
)
def test_reads_what_the_engine_says(output, reason):
    assert validation_error(output) == reason


@pytest.mark.parametrize(
    ("manager", "package", "place"),
    [
        (
            "apt",
            "docker-ce=5:26.1.5-1~debian.12~bookworm",
            "/var/cache/apt/archives/docker-ce_5%3a26.1.5-1~debian.12~bookworm_*.deb",
        ),
        ("apt", "docker.io", "/var/cache/apt/archives/docker.io_*_*.deb"),
        ("dnf", "docker-ce-3:26.1.5-1.el9", "/var/cache/dnf/*/packages/docker-ce-26.1.5-1.el9.*.rpm"),
    ],
)
def test_knows_where_a_package_is(manager, package, place):
    assert pattern(manager, package) == place


@pytest.mark.parametrize(("status", "reasons"), [(1, 1), (0, 0)])
@pytest.mark.parametrize("proxy", ["usr/bin", "usr/libexec/docker"])
def test_asks_the_engine_of_a_package_which_finds_its_proxy(tmp_path, status, reasons, proxy):
    tree = tmp_path / "tree"
    for path in ("DEBIAN", "usr/bin", proxy):
        (tree / path).mkdir(parents=True, exist_ok=True)
    (tree / "DEBIAN/control").write_text(
        "Package: docker-ce\nVersion: 28\nArchitecture: all\nMaintainer: a <a@example.org>\nDescription: a\n"
    )
    engine = f"[ \"$1\" = --validate ] && command -v docker-proxy >&2 || exit 9\ncat <<'E'\n{REFUSED}E\nexit {status}"
    for path, text in (("usr/bin/dockerd", engine), (f"{proxy}/docker-proxy", "")):
        (tree / path).write_text(f"#!/bin/sh\n{text}\n")
        (tree / path).chmod(0o755)
    subprocess.run(["dpkg-deb", "--build", str(tree), str(tmp_path / "a.deb")], check=True, capture_output=True)
    found = unpack("apt", str(tmp_path / "a.deb"), str(tmp_path))
    assert found == (f"{tmp_path}/usr/bin/dockerd", f"{tmp_path}/{proxy}")
    assert len(validate(*found, "/etc/docker/daemon.json")) == reasons
