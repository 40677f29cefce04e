"""After all the changes and refusals the daemon has what was converged."""

import json

import pytest


@pytest.fixture
def info(host):
    return json.loads(host.check_output("docker info --format '{{json .}}'"))


def test_daemon_reports_what_is_wanted(info):
    assert info["RegistryConfig"]["Mirrors"] == ["http://mirror.invalid/"]
    assert "10.0.0.0/8" in info["RegistryConfig"]["InsecureRegistryCIDRs"]
    assert info["RegistryConfig"]["IndexConfigs"]["registry.invalid:5000"]["Secure"] is False
    assert info["LoggingDriver"] == "json-file"
    assert info["LiveRestoreEnabled"] is False
    assert info["Labels"] == ["site=lab"]


def test_file_holds_what_is_wanted_and_nothing_else(host):
    config = json.loads(host.file("/etc/docker/daemon.json").content_string)
    assert sorted(config) == [
        "insecure-registries",
        "labels",
        "live-restore",
        "log-driver",
        "log-level",
        "log-opts",
        "registry-mirrors",
    ]


def test_state_is_readable_by_root_alone(host):
    assert host.file("/var/lib/slipway/docker_daemon.json").mode == 0o600
