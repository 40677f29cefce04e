"""After all the changes, refusals and spoilings each node's daemon has what was converged."""

import json

import pytest

RECOMMENDED = {"live-restore", "log-driver", "log-level", "log-opts"}
HARDENED = RECOMMENDED | {"icc", "no-new-privileges", "userland-proxy", "default-ulimits"}
KEYS = {
    "debian13": HARDENED
    | {"registry-mirrors", "insecure-registries", "data-root", "default-address-pools", "labels", "hosts"}
    | {"shutdown-timeout"},
    "ubuntu2404": RECOMMENDED | {"registry-mirrors", "group"},
    "rocky9": HARDENED | {"registry-mirrors"},
}
MIRRORS = {
    "debian12": [],
    "debian13": ["http://upstream:5000/", "http://upstream:5002/"],
    "ubuntu2404": ["http://mirror.invalid/"],
    "rocky9": ["http://upstream:5000/"],
}


@pytest.fixture
def node(host):
    return host.check_output("hostname")


@pytest.fixture
def info(host):
    return json.loads(host.check_output("docker info --format '{{json .}}'"))


def test_daemon_reports_what_is_wanted(node, info):
    assert (info["RegistryConfig"]["Mirrors"] or []) == MIRRORS[node]
    assert info["LiveRestoreEnabled"] is (node in ("debian13", "rocky9"))
    assert info["LoggingDriver"] == ("local" if node == "debian13" else "json-file")


def test_daemon_reports_all_that_debian13_wants(node, info):
    if node != "debian13":
        pytest.skip("not of this node")
    assert "10.0.0.0/8" in info["RegistryConfig"]["InsecureRegistryCIDRs"]
    assert info["RegistryConfig"]["IndexConfigs"]["registry.invalid:5000"]["Secure"] is False
    assert info["Labels"] == ["site=lab"]
    assert info["DockerRootDir"] == "/var/lib/docker/slipway"
    assert info["DefaultAddressPools"] == [{"Base": "10.200.0.0/16", "Size": 24}]
    assert info["HttpProxy"] == info["HttpsProxy"] == "http://proxy.invalid:3128"
    # The registries of the inventory too.
    assert info["NoProxy"] == "localhost,upstream,debian13"


def test_file_holds_what_is_wanted_and_nothing_else(host, node):
    file = host.file("/etc/docker/daemon.json")
    assert file.exists is (node in KEYS)
    if file.exists:
        assert set(json.loads(file.content_string)) == KEYS[node]
        assert (file.user, file.mode) == ("root", 0o644)


def test_log_options_are_the_profiles_with_the_nodes_own(host, node):
    if node not in KEYS:
        pytest.skip("not of this node")
    options = json.loads(host.file("/etc/docker/daemon.json").content_string)["log-opts"]
    assert options == {"max-size": "50m", "max-file": "2" if node == "debian13" else "3"}


def test_flags_are_taken_over_where_asked(host, node):
    command = host.check_output("tr '\\0' ' ' < /proc/$(systemctl show docker --property=MainPID --value)/cmdline")
    assert ("-H fd://" in command) is (node != "debian13")


def test_the_socket_has_the_wanted_group(host, node):
    assert host.file("/run/docker.sock").group == ("users" if node == "ubuntu2404" else "docker")


def test_the_daemon_waits_for_the_disk_of_its_data(host, node):
    if node == "debian13":
        waits = host.check_output("systemctl show docker.service --property=RequiresMountsFor")
        assert "/var/lib/docker/slipway" in waits


@pytest.mark.parametrize("path", ["/var/lib/slipway/docker_daemon.json", "/etc/docker/http-proxy.env"])
def test_what_may_hold_secrets_is_readable_by_root_alone(host, node, path):
    if path.endswith(".env"):
        assert host.file(path).exists is (node == "debian13")
    if host.file(path).exists:
        assert (host.file(path).user, host.file(path).mode) == ("root", 0o600)


def test_image_is_pulled_through_the_mirror_and_runs(host, node):
    if MIRRORS[node][:1] != ["http://upstream:5000/"]:
        pytest.skip("not of this node")
    # The lab's nodes may not raise limits, which the hardened profile's default of open files may need.
    assert host.check_output("docker run --rm --ulimit nofile=1024 busybox echo it runs") == "it runs"
