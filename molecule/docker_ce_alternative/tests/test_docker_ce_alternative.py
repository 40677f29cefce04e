"""What a user finds on nodes that had an older set-up, with a pin and a broken first mirror."""

import pytest

GONE = [
    "/etc/apt/sources.list.d/docker.list",
    "/etc/apt/trusted.gpg.d/docker.asc",
    "/etc/yum.repos.d/docker-main.repo",
]


@pytest.fixture
def apt(host):
    return not host.file("/etc/redhat-release").exists


def test_engine_is_the_pinned_one(host):
    assert host.check_output("docker version --format '{{.Server.Version}}'").startswith("20.10.24")


def test_containerd_is_the_pinned_one(host):
    assert host.package("containerd.io").version.startswith("1.6.")


def test_packages_are_held(host, apt):
    if apt:
        held = host.check_output("apt-mark showhold").split()
        assert sorted(held) == ["containerd.io", "docker-ce", "docker-ce-cli"]
        assert "0 upgraded" in host.check_output("apt-get --simulate upgrade")
    else:
        assert "26.1" not in host.run("dnf --assumeno upgrade").stdout


def test_mirror_is_the_first_that_is_good(host, apt):
    path = "/etc/apt/sources.list.d/docker.sources" if apt else "/etc/yum.repos.d/docker-ce.repo"
    assert "http://upstream/mirror/docker-ce/linux/" in host.file(path).content_string


def test_service_runs_but_not_at_boot(host):
    assert host.service("docker").is_running and not host.service("docker").is_enabled


@pytest.mark.parametrize("path", GONE)
def test_leftover_is_gone(host, path):
    assert not host.file(path).exists


@pytest.mark.parametrize("name", ["docker.io", "containerd", "runc"])
def test_conflicting_package_is_gone(host, name):
    assert not host.package(name).is_installed


def test_other_keys_and_lines_are_kept(host, apt):
    if apt:
        listing = host.check_output("gpg --batch --show-keys --with-colons /etc/apt/trusted.gpg").splitlines()
        assert len([line for line in listing if line.startswith("pub:")]) == 1
        sources = host.file("/etc/apt/sources.list").content_string.splitlines()
        assert not [line for line in sources if line.startswith("deb ") and "docker" in line]


def test_images_of_the_older_engine_survive(host, apt):
    if apt:
        assert "slipway/kept" in host.check_output("docker image ls --format '{{.Repository}}'")


def test_package_index_refreshes_without_a_complaint(host, apt):
    if apt:
        refresh = host.run("apt-get update")
        assert refresh.rc == 0 and "W:" not in refresh.stderr and "E:" not in refresh.stderr, refresh.stderr
